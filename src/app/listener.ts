// A child that must come to listen on a port: what `exec` and `port` have in common.

import { AppError } from '../errors.ts';
import type { Program, ProgramContext } from './app.ts';
import { type Child, type ChildOptions, describeEnd, startChild } from './child.ts';
import { findListening, isTimeout, waitForListening } from './readiness.ts';

/** An app that listens on `localhost` may be found on either. */
export const LOOPBACK_HOSTS: readonly string[] = ['127.0.0.1', '::1'];

export interface ListenerOptions {
  command: string;
  args: readonly string[];
  cwd: string;
  environment: Readonly<Record<string, string>>;
  role: string;
  port: number;
  context: ProgramContext;
}

/**
 * Starts a program and resolves when its port accepts and it is still alive. A port that accepts before the start
 * belongs to somebody else and is refused, as is one whose program has ended.
 */
export async function startListener(options: ListenerOptions): Promise<Program> {
  const { context, port, role } = options;
  const target = { hosts: LOOPBACK_HOSTS, port };
  if ((await findListening(target)) !== undefined)
    throw new AppError(
      `port ${port} is taken by another process, so ${role} cannot have it; ` +
        'choose another `port`, or leave `command` out where that process is the app',
    );
  context.signal.throwIfAborted();
  const child = await startChild(toChildOptions(options));
  const ended = child.ended.then(end => describeLoss(role, child, describeEnd(end), end.code));
  try {
    const upstream = await raceEnd(signal => waitForListening(target, signal), ended, context.signal);
    return { upstream, pid: child.pid, ended, stop: () => child.stop() };
  } catch (error) {
    await child.stop();
    if (!isTimeout(error)) throw error;
    throw new AppError(
      `${role} did not listen on port ${port} before startup-timeout was over; ` +
        'let it listen on 127.0.0.1, or raise startup-timeout',
      { cause: error, lastLines: child.lastLines() },
    );
  }
}

function toChildOptions(options: ListenerOptions): ChildOptions {
  const { command, args, cwd, environment, role, context } = options;
  return { command, args, cwd, environment, role, onLine: context.onOutput, onChild: context.onChild };
}

function describeLoss(role: string, child: Child, end: string, code: number | null): AppError {
  return new AppError(`${role} ended ${end}`, {
    lastLines: child.lastLines(),
    ...(code === null ? {} : { exitCode: code }),
  });
}

/** The result of `wait`, unless the program ends first: then the wait is given up and the program's error thrown. */
export async function raceEnd<T>(
  wait: (signal: AbortSignal) => Promise<T>,
  ended: Promise<AppError>,
  signal: AbortSignal,
): Promise<T> {
  const over = new AbortController();
  const lost = ended.then(error => {
    throw error;
  });
  try {
    return await Promise.race([lost, wait(AbortSignal.any([signal, over.signal]))]);
  } finally {
    over.abort();
  }
}
