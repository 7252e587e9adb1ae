// wasmrun's page in a process of Node.js: no browser needed. Used by os.ts.

import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { raceSignal } from '../../../shared/abort.ts';
import { type Child, describeEnd, startChild } from '../../process/child.ts';
import { raceEnd } from '../../process/listener.ts';
import {
  PAGE_TIMEOUT_MS,
  type PageHost,
  PageHostError,
  type PageHostOptions,
  selectHostEnvironment,
} from './page-host.ts';
import { readPageMessage } from './page-message.ts';

/** For the page's own thread; files and runtime lie outside of this heap. */
const MAX_HEAP_MB = 512;
const ROLE = 'page host';
/** Short, because the page host has nothing to finish. */
const STOP_GRACE_MS = 1_000;

/**
 * Starts the process; resolves when Run has been pressed. It gets the few variables of `selectHostEnvironment`. Node's
 * permission model keeps the page's thread from files, programs and addons; it covers neither the VM's thread nor the
 * network.
 */
export async function startNodeHost(options: PageHostOptions & { script: string }): Promise<PageHost> {
  const { context, onMessage } = options;
  const ready = Promise.withResolvers<void>();
  const child = await startChild({
    command: process.execPath,
    args: [...selectFlags(options.script), options.script, options.url],
    cwd: context.folder,
    environment: selectHostEnvironment(context.environment),
    role: ROLE,
    onChild: context.onChild,
    onLine: line => {
      const message = readLine(line);
      if (message === undefined) context.logger.debug(`${ROLE}: ${line}`);
      else if (message.type === 'run-pressed') ready.resolve();
      else if (message.type === 'page-error') ready.reject(new PageHostError(message.message));
      else onMessage(message);
    },
  });
  const ended = child.ended.then(end => `the ${ROLE} ended ${describeEnd(end)}`);
  const stop = () => child.stop(STOP_GRACE_MS);
  try {
    await waitUntilReady(ready.promise, ended, context.signal);
    return { pid: child.pid, ended, stop };
  } catch (error) {
    await stop();
    throw describeFailure(error, child, context.signal);
  }
}

async function waitUntilReady(ready: Promise<void>, ended: Promise<string>, signal: AbortSignal) {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(PAGE_TIMEOUT_MS)]);
  const lost = ended.then(reason => new PageHostError(reason));
  await raceEnd(over => raceSignal(ready, over), lost, deadline);
}

function describeFailure(error: unknown, child: Child, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  return new PageHostError("wasmrun's page could not be started under Node.js (`vm: node`)", {
    cause: error,
    lastLines: child.lastLines().filter(line => readLine(line) === undefined),
  });
}

function readLine(line: string) {
  if (!line.startsWith('{')) return undefined;
  try {
    return readPageMessage(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** Read access to the bundle's folder; when run from source, also to the packages that it imports. */
function selectFlags(script: string): string[] {
  const folder = dirname(realpathSync(script));
  const readable = script.endsWith('.ts') ? [folder, join(folder, '..', 'node_modules')] : [folder];
  return [
    '--permission',
    '--allow-worker',
    ...readable.map(path => `--allow-fs-read=${path}`),
    `--max-old-space-size=${MAX_HEAP_MB}`,
    '--no-warnings',
  ];
}
