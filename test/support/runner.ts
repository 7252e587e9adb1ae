// Runs the built action as the runner does: `INPUT_*` and `GITHUB_*` in the environment, files for outputs and state,
// main, then post with what main left.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

const ROOT = resolve(import.meta.dirname, '../..');

export interface JobOptions {
  inputs: Record<string, string>;
  /** The event's name and payload; a push without a pull request by default. */
  eventName?: string;
  event?: unknown;
  environment?: Record<string, string>;
  /** Address of a server that plays GitHub's API. */
  apiUrl?: string;
  /** A program that gets main's command line as its arguments, as the runner's worker does. */
  worker?: string;
}

export interface StepResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** What stands in the step's log: stdout and stderr. */
  log: string;
}

/** One job on a runner of its own: workspace, temp folder, and the steps run in it. */
export class RunnerJob {
  readonly folder = mkdtempSync(join(tmpdir(), 'runner-'));
  readonly workspace = join(this.folder, 'workspace');
  readonly temp = join(this.folder, 'temp');
  readonly home = join(this.folder, 'home');
  readonly outputs: Record<string, string> = {};
  readonly state: Record<string, string> = {};
  summary = '';
  /** Folders that steps put on PATH. */
  readonly paths: string[] = [];
  readonly #options: JobOptions;
  #main: ChildProcess | undefined;
  #log = '';
  #finished: Promise<StepResult> | undefined;

  constructor(options: JobOptions) {
    this.#options = options;
    for (const folder of [this.workspace, this.temp, this.home]) mkdirSync(folder);
    writeFileSync(join(this.folder, 'event.json'), JSON.stringify(options.event ?? {}));
  }

  /** Starts main and resolves when it ended. */
  async main(): Promise<StepResult> {
    this.start();
    return this.finished();
  }

  /** Starts main and leaves it running (a hold). */
  start(): void {
    const { child, finished } = this.#run('main', this.#readInputs());
    this.#main = child;
    this.#finished = finished;
  }

  /** Resolves when main ended. */
  async finished(): Promise<StepResult> {
    if (this.#finished === undefined) throw new Error('main was not started');
    return this.#finished;
  }

  /** What main has printed so far. */
  get log(): string {
    return this.#log;
  }

  /** Resolves with the match as soon as main has printed it; rejects when main ends before. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    const over = this.finished();
    for (;;) {
      const match = pattern.exec(this.#log);
      if (match) return match;
      const chunk = this.#main?.stdout
        ? once(this.#main.stdout, 'data').then(() => undefined)
        : Promise.resolve(undefined);
      const ended = await Promise.race([chunk, over]);
      if (ended && !pattern.test(this.#log))
        throw new Error(`main ended without printing ${pattern}:\n${this.#log}`);
    }
  }

  /** Sends main a signal, as the runner does to cancel. */
  signal(signal: NodeJS.Signals): void {
    this.#main?.kill(signal);
  }

  /** Runs the post step. */
  async post(): Promise<StepResult> {
    const state = Object.fromEntries(
      Object.entries(this.state).map(([key, value]) => [`STATE_${key}`, value]),
    );
    return this.#run('post', { ...this.#readInputs(), ...state }).finished;
  }

  /** Runs the `stop` action. */
  async stopAction(inputs: Record<string, string> = {}): Promise<StepResult> {
    return this.#run('stop', renderInputs(inputs)).finished;
  }

  /** Runs the `wait` action; its outputs replace those of the same name. */
  async waitAction(inputs: Record<string, string> = {}): Promise<StepResult> {
    return this.#run('wait', renderInputs({ ...readDefaults('wait/action.yml'), ...inputs })).finished;
  }

  /** Runs a later step's shell command, with what earlier steps put on PATH. */
  async shell(command: string): Promise<StepResult> {
    const PATH = [...this.paths, process.env.PATH].join(':');
    return collect(
      spawn('bash', ['-c', command], { cwd: this.workspace, env: { ...this.#environment(), PATH } }),
    ).finished;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #run(entry: 'main' | 'post' | 'stop' | 'wait', environment: Record<string, string>) {
    const files = Object.fromEntries(
      ['OUTPUT', 'STATE', 'PATH', 'STEP_SUMMARY'].map(name => {
        const file = join(this.folder, `${entry}-${name}`);
        writeFileSync(file, '');
        return [`GITHUB_${name}`, file];
      }),
    );
    const { worker } = this.#options;
    const ownCommand = [process.execPath, join(ROOT, 'dist', entry, 'index.js')];
    const [command = '', ...args] = entry === 'main' && worker ? [worker, ...ownCommand] : ownCommand;
    const child = spawn(command, args, {
      cwd: this.workspace,
      env: { ...this.#environment(), ...files, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const run = collect(child, text => {
      if (entry === 'main') this.#log += text;
    });
    return { child, finished: run.finished.then(result => this.#gather(files, result)) };
  }

  #gather(files: Record<string, string>, result: StepResult): StepResult {
    const read = (name: string) => readFileSync(files[`GITHUB_${name}`] ?? '', 'utf8');
    Object.assign(this.outputs, parseFile(read('OUTPUT')));
    Object.assign(this.state, parseFile(read('STATE')));
    this.paths.unshift(
      ...read('PATH')
        .split('\n')
        .filter(line => line !== ''),
    );
    this.summary += read('STEP_SUMMARY');
    return result;
  }

  #environment(): Record<string, string> {
    const { eventName = 'push', apiUrl, environment } = this.#options;
    return {
      PATH: process.env.PATH ?? '',
      HOME: this.home,
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_WORKSPACE: this.workspace,
      GITHUB_REPOSITORY: 'octo/app',
      GITHUB_SHA: '1'.repeat(40),
      GITHUB_RUN_ID: '100',
      GITHUB_RUN_ATTEMPT: '1',
      GITHUB_JOB: 'preview',
      GITHUB_ACTION: '__wasmrun_expose-action',
      GITHUB_WORKFLOW_REF: 'octo/app/.github/workflows/preview.yml@refs/heads/main',
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_API_URL: apiUrl ?? 'http://127.0.0.1:9',
      GITHUB_EVENT_NAME: eventName,
      GITHUB_EVENT_PATH: join(this.folder, 'event.json'),
      GITHUB_ACTOR: 'octocat',
      RUNNER_TEMP: this.temp,
      RUNNER_TOOL_CACHE: join(this.folder, 'tools'),
      RUNNER_TRACKING_ID: 'github_test',
      ...environment,
    };
  }

  /** Every input is in the environment, with action.yml's default where the workflow gives none. */
  #readInputs(): Record<string, string> {
    return renderInputs({ ...readDefaults('action.yml'), ...this.#options.inputs });
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

function renderInputs(inputs: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [
      `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`,
      value,
    ]),
  );
}

function collect(child: ChildProcess, onText: (text: string) => void = () => {}) {
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      onText(text);
    });
  const finished = new Promise<StepResult>(done => {
    child.once('close', (code, signal) => done({ code, signal, log }));
  });
  return { finished };
}

/** `name=value` lines and `name<<DELIMITER … DELIMITER` blocks; the last of a name counts. */
function parseFile(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  const block = /^(.+?)<<(.+)\n([\s\S]*?)\n\2$/gm;
  for (const [, name = '', , value = ''] of text.matchAll(block)) found[name] = value;
  return found;
}
