// Starts a program that must listen on a port. Used by the modes exec and port; app.ts and os/ use only `raceEnd`.

import { formatDuration } from '../../shared/duration.ts';
import { AppError, isTimeout } from '../../shared/errors.ts';
import type { GroupMember } from '../../shared/processes.ts';
import { sanitise } from '../../shared/sanitise.ts';
import type { Program, ProgramContext } from '../program.ts';
import { type Child, type ChildEnd, type ChildOptions, describeEnd, startChild } from './child.ts';
import { findForeignOwner } from './port-owner.ts';
import { findListening, waitForListening } from './readiness.ts';

/** An app that listens on `localhost` may be reachable at only one of them. */
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
 * Starts a program and resolves when it listens. Rejects with an AppError if another process has the port, before the
 * start or by the time it accepts, or if the program ends.
 */
export async function startListener(options: ListenerOptions): Promise<Program> {
  const { context, port, role } = options;
  const target = { hosts: LOOPBACK_HOSTS, port };
  const variable = `EXPOSE_URL=${options.environment.EXPOSE_URL ?? ''}`;
  const taken = await findListening(target);
  // Nothing has been started yet, so no group is ours.
  if (taken !== undefined)
    throw describeTaken(port, role, await findForeignOwner(taken, { group: 0, variable }));
  context.signal.throwIfAborted();
  const child = await startChild(toChildOptions(options));
  const ended = child.ended.then(end => describeLoss(role, child, end));
  const waitForOwnPort = async (signal: AbortSignal) => {
    const upstream = await waitForListening(target, signal);
    const owner = await findForeignOwner(upstream, { group: child.pid, variable });
    if (owner === undefined) return upstream;
    throw describeTaken(port, role, owner);
  };
  try {
    const upstream = await raceEnd(waitForOwnPort, ended, context.signal);
    return { upstream, pid: child.pid, ended, stop: () => child.stop() };
  } catch (error) {
    await child.stop();
    throw isTimeout(error) ? describeSilence(port, role, child, error) : error;
  }
}

function describeTaken(
  port: number,
  role: string,
  owner: { name: string; pid: number } | undefined,
): AppError {
  const who = owner === undefined ? '' : ` (${sanitise(owner.name)}, ${owner.pid})`;
  return new AppError(
    `port ${port} is taken by another process${who}, so ${role} cannot use it; ` +
      'choose another `port`, or leave `command` out if that process is the app',
  );
}

function describeSilence(port: number, role: string, child: Child, cause: unknown): AppError {
  return new AppError(
    `${role} did not listen on port ${port} in time; ` +
      'let it listen there on 127.0.0.1, or raise `startup-timeout`',
    { cause, lastLines: child.lastLines() },
  );
}

function describeLoss(role: string, child: Child, end: ChildEnd): AppError {
  const hint = end.code === 0 ? '; it has to stay in the foreground' : '';
  return new AppError(`${role} ended ${describeEnd(end)}${hint}`, {
    lastLines: child.lastLines(),
    ...(end.code === null ? {} : { exitCode: end.code }),
  });
}

function toChildOptions(options: ListenerOptions): ChildOptions {
  const { command, args, cwd, environment, role, context } = options;
  const { onOutput: onLine, onChild, stopTimeoutMs, logger } = context;
  const onKill = (killed: readonly GroupMember[]) =>
    logger.warn(
      `${role} did not stop within ${formatDuration(stopTimeoutMs)}, the \`stop-timeout\`, and was killed: ${listNames(killed)}`,
    );
  return { command, args, cwd, environment, role, onLine, onChild, stopTimeoutMs, onKill };
}

function listNames(members: readonly GroupMember[]): string {
  const names = members.map(({ pid, name }) => (name === undefined ? `${pid}` : `${name} (${pid})`));
  return sanitise(names.join(', '));
}

/** Resolves as `wait` does. If the program ends first, aborts the wait and rejects with the program's error. */
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
