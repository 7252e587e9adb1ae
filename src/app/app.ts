// The app of a preview: one interface for all four modes. Used by exposure/exposure.ts.

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { describeAppPort } from '../shared/app-authority.ts';
import { ConsoleLines } from '../shared/console-lines.ts';
import { AppError, isTimeout } from '../shared/errors.ts';
import { removeFolder } from '../shared/folders.ts';
import type { HostHeader } from '../shared/host-rule.ts';
import { LAST_LINES } from '../shared/lines.ts';
import type { Logger } from '../shared/log.ts';
import { CONSOLE_PREFIX } from '../shared/log-line.ts';
import { sanitise } from '../shared/sanitise.ts';
import type { AppState, Upstream } from '../shared/state.ts';
import { startExec } from './exec/exec.ts';
import { findHostRule, renderFirstHost } from './host-header/host-header.ts';
import { startOs } from './os/os.ts';
import { startPort } from './port/port.ts';
import { findHttpsDemand } from './process/https-demand.ts';
import { raceEnd } from './process/listener.ts';
import { type HealthOutcome, waitForHealth } from './process/readiness.ts';
import type { AppSpec, OnChild, Program, ProgramContext } from './program.ts';
import { RestartLoop, type RestartTiming } from './restart.ts';
import { startWeb } from './web/web.ts';

export interface AppOptions {
  spec: AppSpec;
  /**
   * Base URL for `EXPOSE_URL`, and for `{url}` in `env`, `args` and `command`; read at each start because it may
   * change.
   */
  publicUrl: () => string;
  /** What the app may see of the job's environment (see environment.ts), without `env`. */
  baseEnvironment: Readonly<Record<string, string>>;
  /** The `env` input. */
  env: Readonly<Record<string, string>>;
  /** Path that must answer with a status below 500; undefined if an accepting port is enough (`protocol: tcp`). */
  healthPath: string | undefined;
  /** The address that the app sees as its own; unused if `healthPath` is undefined. */
  hostHeader: HostHeader;
  /** How long a command, or wasmrun in `mode: exec`, may take to stop before it is killed. */
  stopTimeoutMs: number;
  /** Private folder (0700) of the exposure. */
  folder: string;
  logger: Logger;
  onChild: OnChild;
  onState: (state: AppState) => void;
  /** Gets what the app prints, from its first start on. */
  console?: ConsoleLines;
  /** Called with a problem that does not end the preview. */
  onWarning?: (message: string) => void;
  /** Ends the first start only; a TimeoutError as its reason means that startup-timeout is over. */
  signal: AbortSignal;
}

export interface App {
  /** Process id of the program; undefined in modes that start none. */
  readonly pid: number | undefined;
  /** The last lines of its console, oldest first; at most 200. */
  consoleTail(): readonly string[];
  stop(): Promise<void>;
}

/** Enough to see what led to a crash, in the status page and in the failed comment. */
export const CONSOLE_LINES = 200;
/**
 * How long a start may take to fail by itself after its signal is aborted, beyond the time its processes have to stop:
 * its error then says what it waited for.
 */
const START_GRACE_MS = 10_000;
/** A longer line is data, not a message. */
const CONSOLE_LINE_LENGTH = 1_000;

/**
 * Starts the app; resolves when it has answered for the first time. Rejects with an AppError or the signal's reason,
 * after all its processes were stopped. If it dies later it is restarted; `onState` is called at once.
 */
export async function startApp(options: AppOptions, timing?: RestartTiming): Promise<App> {
  const lines = options.console ?? new ConsoleLines();
  const onOutput = (line: string) => {
    lines.add(line);
    options.logger.info(`${CONSOLE_PREFIX}${sanitise(line, CONSOLE_LINE_LENGTH)}`);
  };
  const lastLines = () => lines.tail(LAST_LINES);
  let prefersPublicPort = true;
  const startNext = async (signal: AbortSignal) => {
    lines.beginRun();
    try {
      return await startOnce(options, { onOutput, lastLines, prefersPublicPort }, signal);
    } catch (error) {
      // A program that died a moment ago may be unable to use its port for a minute (without SO_REUSEADDR).
      prefersPublicPort = false;
      throw error;
    }
  };
  const loop = new RestartLoop({
    startOnce: startNext,
    onState: options.onState,
    logger: options.logger,
    ...(timing === undefined ? {} : { timing }),
  });
  await loop.start(options.signal);
  return {
    get pid() {
      return loop.program?.pid;
    },
    consoleTail: () => lines.tail(CONSOLE_LINES),
    stop: () => loop.stop(),
  };
}

interface StartOptions {
  onOutput: ProgramContext['onOutput'];
  lastLines: () => readonly string[];
  /** Whether a command should get the number of the public port as PORT. */
  prefersPublicPort: boolean;
}

/**
 * One start: resolves when the program has answered. The folder of the start is removed when the program is stopped.
 */
async function startOnce(
  options: AppOptions,
  { onOutput, lastLines, prefersPublicPort }: StartOptions,
  signal: AbortSignal,
): Promise<Program> {
  const folder = await mkdtemp(join(options.folder, 'app-'));
  const removeOwnFolder = async () => {
    const left = await removeFolder(folder);
    if (left !== undefined) options.logger.warn(left);
  };
  const publicUrl = options.publicUrl();
  const environment = { ...options.baseEnvironment, EXPOSE_URL: publicUrl };
  const { logger, onChild, stopTimeoutMs } = options;
  try {
    const context = { folder, environment, logger, onOutput, onChild, stopTimeoutMs, signal };
    const start = startProgram(options, { publicUrl, prefersPublicPort }, context);
    const program = await waitForStart(start, signal, START_GRACE_MS + stopTimeoutMs);
    const upstream = await waitUntilHealthy(program, options, lastLines, signal);
    return {
      upstream,
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
 * Settles as the start does. If the start is still pending `graceMs` after the signal is aborted, rejects with the
 * signal's reason; a program that starts even later is stopped.
 */
export async function waitForStart(
  start: Promise<Program>,
  signal: AbortSignal,
  graceMs: number,
): Promise<Program> {
  const over = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const giveUp = () => {
    over.reject(signal.reason);
    start.then(program => program.stop()).catch(() => undefined);
  };
  const abort = () => {
    timer = setTimeout(giveUp, graceMs);
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
  { publicUrl, prefersPublicPort }: { publicUrl: string; prefersPublicPort: boolean },
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
      return await startWeb(spec, { logger: context.logger, isPlain: publicUrl.startsWith('http:') });
    case 'port':
      return await startPort(
        spec.command === undefined ? spec : { ...spec, command: fillIn(spec.command) },
        // Then addresses that the app builds from its own port are right.
        { env, preferredPort: prefersPublicPort ? readPort(publicUrl) : undefined },
        context,
      );
  }
}

/** The port in the address bar, if one is shown there. Those below 1024 belong to the system. */
function readPort(publicUrl: string): number | undefined {
  const port = Number(URL.parse(publicUrl)?.port);
  return port >= 1_024 ? port : undefined;
}

/** Resolves with the upstream and its host rule. Stops the program if it does not become healthy. */
async function waitUntilHealthy(
  program: Program,
  options: AppOptions,
  lastLines: () => readonly string[],
  signal: AbortSignal,
): Promise<Upstream> {
  const { upstream } = program;
  const { healthPath: path } = options;
  if (upstream.kind !== 'address' || path === undefined) return upstream;
  let last: HealthOutcome = { kind: 'none' };
  const onAttempt = (outcome: HealthOutcome) => {
    // In between, the same port may close connections: what was understood once says more.
    if (outcome.kind === 'closed' && last.kind === 'invalid') return;
    // This will hardly change, and `startup-timeout` may be long.
    if (outcome.kind === 'invalid' && last.kind !== 'invalid')
      options.logger.warn(`${describeUnhealthy(path, describeAppPort(upstream), outcome)}; still waiting`);
    last = outcome;
  };
  const target = { address: upstream, host: renderFirstHost(upstream, options), path, onAttempt };
  try {
    const answer = await raceEnd(over => waitForHealth(target, over), program.ended, signal);
    const demand = findHttpsDemand(answer, path, options.publicUrl());
    if (demand !== undefined) options.onWarning?.(demand);
    const ask = (over: AbortSignal) => findHostRule(upstream, path, options, over);
    return { ...upstream, hostHeader: await raceEnd(ask, program.ended, signal) };
  } catch (error) {
    await program.stop();
    if (!isTimeout(error)) throw error;
    const message = describeUnhealthy(path, describeAppPort(upstream), last);
    throw new AppError(message, { cause: error, lastLines: lastLines() });
  }
}

/** An open port proves nothing: in OS mode wasmrun opens it before the program listens. */
function describeUnhealthy(path: string, place: string, last: HealthOutcome): string {
  switch (last.kind) {
    case 'answer':
      return `the app answered GET ${path} on ${place} with status ${last.status} until the time was over; it is up when the status is below 500: check \`health-path\`, or raise \`startup-timeout\``;
    case 'invalid':
      return `the app's answer to GET ${path} on ${place} is not valid HTTP: ${last.problem}; ${last.remedy}`;
    case 'closed':
    case 'none':
      return `the app did not answer GET ${path} on ${place} in time; let it listen there, check \`health-path\`, or raise \`startup-timeout\`${last.kind === 'closed' ? ' (it closed each connection without an answer)' : ''}`;
  }
}
