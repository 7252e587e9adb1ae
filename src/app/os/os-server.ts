// `wasmrun os` on a staged project: its page and its API, which has no authentication and is never exposed. Used by
// os.ts.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import * as v from 'valibot';
import { AppError, isTimeout } from '../../shared/errors.ts';
import { requestLoopback } from '../../shared/loopback.ts';
import { type Child, describeEnd, startChild } from '../process/child.ts';
import { findFreePort } from '../process/free-port.ts';
import { raceEnd } from '../process/listener.ts';
import type { ProgramContext } from '../program.ts';

export interface OsServer {
  /** The page's address: `http://127.0.0.1:PORT/`. */
  readonly url: string;
  /** The language that wasmrun detected: `nodejs`, `python`, `rust`, `go`, `unknown`. */
  readonly language: string;
  /** Resolves, never rejects, with the reason why wasmrun ended. */
  readonly ended: Promise<AppError>;
  stop(): Promise<void>;
}

/** wasmrun searches for wasmnet's port from 20 above its own upwards, so there must be room. */
const MAX_PORT = 65_000;
const POLL_MS = 20;

const RuntimesSchema = v.object({ detected_language: v.string() });

/** Starts wasmrun on `project`; resolves when its API answers. Its network proxy is up by then, too. */
export async function startOsServer(
  wasmrun: string,
  project: string,
  context: ProgramContext,
): Promise<OsServer> {
  const port = await findFreePort(MAX_PORT);
  const environment = await createEnvironment(context);
  const child = await startChild({
    command: wasmrun,
    args: ['os', project, '-P', String(port)],
    cwd: project,
    environment,
    role: 'wasmrun',
    onLine: line => context.logger.debug(`wasmrun: ${line}`),
    onChild: context.onChild,
  });
  const ended = child.ended.then(end => describeLoss(child, describeEnd(end), end.code));
  const url = `http://127.0.0.1:${port}/`;
  try {
    const language = await raceEnd(signal => readLanguage(url, signal), ended, context.signal);
    return { url, language, ended, stop: () => child.stop() };
  } catch (error) {
    await child.stop();
    if (!isTimeout(error)) throw error;
    throw new AppError(
      'wasmrun did not answer in time; its first answer waits for wasmhub on github.com, ' +
        'so check that the runner can reach it, or raise `startup-timeout`',
      { cause: error, lastLines: child.lastLines() },
    );
  }
}

/**
 * wasmrun leaves its temporary files behind, so they go into our folder. It creates its runtime folder only when it
 * starts, and a job that prunes caches may delete it later.
 */
async function createEnvironment(context: ProgramContext): Promise<Record<string, string>> {
  const { WASMRUN_TUNNEL_SECRET: _, ...environment } = context.environment;
  const temporary = join(context.folder, 'tmp');
  await mkdir(temporary, { recursive: true });
  const home = environment.HOME ?? environment.USERPROFILE;
  if (home !== undefined) await mkdir(join(home, '.wasmrun', 'runtimes'), { recursive: true });
  return { ...environment, TMPDIR: temporary, TMP: temporary, TEMP: temporary };
}

/** Polls until wasmrun answers, which may wait for wasmhub's manifest. Only the time limit of the start ends this. */
async function readLanguage(url: string, signal: AbortSignal): Promise<string> {
  for (;;) {
    try {
      const response = await requestLoopback(new URL('/api/runtimes', url), { signal });
      return v.parse(RuntimesSchema, await json(response)).detected_language;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof v.ValiError)
        throw new AppError('wasmrun does not answer as version 1.0.0 does; set wasmrun-version to 1.0.0', {
          cause: error,
          restartable: false,
        });
      await delay(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

function describeLoss(child: Child, end: string, code: number | null): AppError {
  return new AppError(`wasmrun ended ${end}`, {
    lastLines: child.lastLines(),
    ...(code === null ? {} : { exitCode: code }),
  });
}
