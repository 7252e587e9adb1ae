// A job on the demo's runner, with the inputs and defaults of this repository's own action.yml.

import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { Job, type JobOptions as Options, type StepResult } from '../../src/demo/runner/job.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** `inputs` are those that the workflow gives. */
export type JobOptions = Omit<Options, 'root' | 'tempFolder' | 'machine'>;

export class RunnerJob extends Job {
  readonly home = join(this.folder, 'home');

  constructor(options: JobOptions) {
    super({
      ...options,
      root: ROOT,
      tempFolder: tmpdir(),
      machine: { PATH: process.env.PATH ?? '' },
      inputs: { ...readDefaults('action.yml'), ...options.inputs },
    });
  }

  /** Runs the `stop` action. */
  stopAction(inputs: Record<string, string> = {}): Promise<StepResult> {
    return this.action('stop', inputs);
  }

  /** Runs the `wait` action. */
  waitAction(inputs: Record<string, string> = {}): Promise<StepResult> {
    return this.action('wait', { ...readDefaults('wait/action.yml'), ...inputs });
  }
}

/** Input → its default; '' if that is an expression. */
function readDefaults(file: string): Record<string, string> {
  const { inputs } = parse(readFileSync(join(ROOT, file), 'utf8')) as {
    inputs: Record<string, { default?: string }>;
  };
  return Object.fromEntries(
    Object.entries(inputs).map(([name, input]) => [
      name,
      input.default?.includes('${{') ? '' : (input.default ?? ''),
    ]),
  );
}
