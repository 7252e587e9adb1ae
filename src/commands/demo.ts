// `expose demo`: the whole job on this machine, played by a program of its own, which users of the action do not
// download.

import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { RunDemo } from '../demo/demo.ts';
import { parseWholeNumber } from '../inputs/values.ts';
import { InputError } from '../shared/errors.ts';
import { resolveBundle } from '../supervisor/plan.ts';
import type { Command, Flags } from './command.ts';

export const demo: Command = {
  summary: 'See the whole job on this machine; a page plays the pull request.',
  usage: '[--os | --web] [--port PORT]',
  notes: 'Needs no account, no server and no internet. Only GitHub and the network are played.',
  flags: {
    os: 'run the app in the OS mode of wasmrun; installs wasmrun if it is missing',
    web: 'run the web app, even if wasmrun is here',
    'port PORT': 'port of the page (default: a free one)',
  },
  async run({ flags, shell }) {
    const script = resolveBundle('demo');
    const [app, port] = [readApp(flags), readPort(flags.port)];
    const run = await loadDemo(script);
    const call = {
      app,
      port,
      json: flags.json === true,
      host: shell.host,
      variables: shell.variables,
      script,
      runnerScript: resolveBundle('demo-runner'),
    };
    return run(call).catch((error: unknown) => {
      // Its bundle has a class of its own for this.
      throw error instanceof Error && error.name === 'InputError'
        ? new InputError(error.message, error)
        : error;
    });
  },
};

function readApp({ os, web }: Flags): 'os' | 'web' | undefined {
  if (os && web) throw new InputError('--os and --web exclude each other: give one of them');
  return os ? 'os' : web ? 'web' : undefined;
}

function readPort(text: Flags[string]): number {
  return parseWholeNumber(typeof text === 'string' ? text : undefined, '--port', 0, 65_535) ?? 0;
}

async function loadDemo(script: string): Promise<RunDemo> {
  if (!existsSync(script))
    throw new Error(
      `the demo is not a part of this download (${script} is missing): it is in the repository of the action and in the npm package`,
    );
  const program: unknown = await import(/* webpackIgnore: true */ pathToFileURL(script).href);
  if (!isDemo(program)) throw new Error(`${script} is not the demo: build it with npm run build`);
  return program.runDemo;
}

function isDemo(program: unknown): program is { runDemo: RunDemo } {
  return (
    typeof program === 'object' &&
    program !== null &&
    'runDemo' in program &&
    typeof program.runDemo === 'function'
  );
}
