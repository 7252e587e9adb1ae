// What is exposed: the one interface of all four modes. Used by exposure.ts.

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isTimeout } from '../shared/errors.ts';
import { removeFolder } from '../shared/folders.ts';
import { LAST_LINES, LastLines } from '../shared/lines.ts';
import { type Logger, sanitise } from '../shared/log.ts';
import type { AppState } from '../shared/state.ts';
import { startExec } from './exec.ts';
import { startOs } from './os/os.ts';
import { startPort } from './port.ts';
import { raceEnd } from './process/listener.ts';
import { waitForHealth } from './process/readiness.ts';
import type { AppSpec, OnChild, Program, ProgramContext } from './program.ts';
import { RestartLoop, type RestartTiming } from './restart.ts';
import { startWeb } from './web/web.ts';

export interface AppOptions {
  spec: AppSpec;
  /** Base URL, read at each start, for it may change: `EXPOSE_URL`, and `{url}` in `env`, `args` and `command`. */
  publicUrl: () => string;
  /** What the app may see of the job's environment (see environment.ts), without `env`. */
  baseEnvironment: Readonly<Record<string, string>>;
  /** The `env` input. */
  env: Readonly<Record<string, string>>;
  /** Must answer below 500; undefined where an accepting port is enough (`protocol: tcp`). */
  healthPath: string | undefined;
  /** Private folder (0700) of the exposure. */
  folder: string;
  logger: Logger;
  onChild: OnChild;
  onState: (state: AppState) => void;
  /** Bounds the first start only; `AbortSignal.timeout` stands for startup-timeout. */
  signal: AbortSignal;
}

export interface App {
  /** Process id of the program's process where it has one. */
  readonly pid: number | undefined;
  /** The last lines of its console, oldest first; at most 200. */
  consoleTail(): readonly string[];
  stop(): Promise<void>;
}

/** Enough to see what led to a crash, in the status page and in the failed comment. */
const CONSOLE_LINES = 200;
/**
 * For a start to end by itself after its signal: it then says what it waited for, and has stopped its processes. Longer
 * than any of them is given to stop.
 */
const SETTLE_MS = 15_000;
/** A line that is longer is data, not a message. */
const CONSOLE_LINE_LENGTH = 1_000;

/**
 * Starts the app; resolves when it answered the first time. Rejects with an AppError, or with the signal's reason,
 * after everything of it was stopped. Lost later, it is started again, and `onState` hears of it at once.
 */
export async function startApp(options: AppOptions, timing?: RestartTiming): Promise<App> {
  const lines = new LastLines(CONSOLE_LINES);
  const onOutput = (line: string) => {
    lines.add(line);
    options.logger.info(`app | ${sanitise(line, CONSOLE_LINE_LENGTH)}`);
  };
  const lastLines = () => lines.list(LAST_LINES);
  const loop = new RestartLoop({
    startOnce: signal => startOnce(options, { onOutput, lastLines }, signal),
    onState: options.onState,
    logger: options.logger,
    ...(timing === undefined ? {} : { timing }),
  });
  await loop.start(options.signal);
  return {
    get pid() {
      return loop.program?.pid;
    },
    consoleTail: () => lines.list(),
    stop: () => loop.stop(),
  };
}

/** One start: resolves when the program answered. Its folder goes when it is stopped. */
async function startOnce(
  options: AppOptions,
  { onOutput, lastLines }: { onOutput: ProgramContext['onOutput']; lastLines: () => readonly string[] },
  signal: AbortSignal,
): Promise<Program> {
  const folder = await mkdtemp(join(options.folder, 'app-'));
  const removeOwnFolder = async () => {
    const left = await removeFolder(folder);
    if (left !== undefined) options.logger.warn(left);
  };
  const publicUrl = options.publicUrl();
  const environment = { ...options.baseEnvironment, EXPOSE_URL: publicUrl };
  const { logger, onChild } = options;
  try {
    const start = startProgram(options, publicUrl, {
      folder,
      environment,
      logger,
      onOutput,
      onChild,
      signal,
    });
    const program = await settleInTime(start, signal);
    await waitUntilHealthy(program, options.healthPath, lastLines, signal);
    return {
      upstream: program.upstream,
      ...(program.pid === undefined ? {} : { pid: program.pid }),
      ended: program.ended,
      stop: () => program.stop().then(removeOwnFolder),
    };
  } catch (error) {
    await removeOwnFolder();
    throw error;
  }
}

/**
 * The start's own end; where it has none by `settleMs` after its signal, rejects with the signal's reason, and stops
 * the program should it still arrive.
 */
export async function settleInTime(
  start: Promise<Program>,
  signal: AbortSignal,
  settleMs = SETTLE_MS,
): Promise<Program> {
  const over = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const giveUp = () => {
    over.reject(signal.reason);
    start.then(program => program.stop()).catch(() => undefined);
  };
  const abort = () => {
    timer = setTimeout(giveUp, settleMs);
  };
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([start, over.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
    clearTimeout(timer);
  }
}

async function startProgram(
  options: AppOptions,
  publicUrl: string,
  context: ProgramContext,
): Promise<Program> {
  const { spec } = options;
  const fillIn = (text: string) => text.replaceAll('{url}', publicUrl);
  const env = Object.fromEntries(Object.entries(options.env).map(([key, value]) => [key, fillIn(value)]));
  switch (spec.mode) {
    case 'os':
      return await startOs(spec, context);
    case 'exec':
      return await startExec(
        { ...spec, args: spec.args.map(fillIn) },
        { ...env, EXPOSE_URL: publicUrl },
        context,
      );
    case 'web':
      return await startWeb(spec);
    case 'port':
      return await startPort(
        spec.command === undefined ? spec : { ...spec, command: fillIn(spec.command) },
        env,
        context,
      );
  }
}

/** Stops the program where it does not become healthy. */
async function waitUntilHealthy(
  program: Program,
  path: string | undefined,
  lastLines: () => readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { upstream } = program;
  if (upstream.kind !== 'address' || path === undefined) return;
  let last = 'no answer';
  const onAttempt = (outcome: string) => {
    last = outcome;
  };
  const target = { address: upstream, path, onAttempt };
  try {
    await raceEnd(over => waitForHealth(target, over), program.ended, signal);
  } catch (error) {
    await program.stop();
    if (!isTimeout(error)) throw error;
    // An open port is no sign of life: in OS mode it is wasmrun's, and open before the program listens.
    throw new AppError(
      last === 'no answer'
        ? `the app did not answer GET ${path} on port ${upstream.port} in time; let it listen there, check \`health-path\`, or raise \`startup-timeout\``
        : `the app answered GET ${path} on port ${upstream.port} with ${last} until the time was over; it is up when the status is below 500: check \`health-path\`, or raise \`startup-timeout\``,
      { cause: error, lastLines: lastLines() },
    );
  }
}
