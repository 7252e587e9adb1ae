// Runs a program to its end, for its output or its effect. Used by the installation of wasmrun.

import { basename } from 'node:path';
import { AppError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';
import type { OnChild } from '../program.ts';
import { describeEnd, startChild } from './child.ts';

export interface CommandOptions {
  command: string;
  args: readonly string[];
  cwd: string;
  environment: Readonly<Record<string, string>>;
  signal: AbortSignal;
  onLine?: (line: string) => void;
  onChild?: OnChild;
}

/**
 * No grace: an aborted command has nothing to finish, and is killed in the same tick. A second Ctrl-C ends this process
 * at once, and would leave behind a command that still had time to end.
 */
const ABORT_GRACE_MS = 0;

/** Resolves with the last 20 lines it printed; rejects with an AppError that quotes the last one, or when aborted. */
export async function runCommand(options: CommandOptions): Promise<readonly string[]> {
  const { signal } = options;
  signal.throwIfAborted();
  const role = basename(options.command);
  const child = await startChild({
    ...options,
    role,
    onLine: options.onLine ?? (() => undefined),
    onChild: options.onChild ?? (() => undefined),
  });
  const stop = () => void child.stop(ABORT_GRACE_MS);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const end = await child.ended;
  signal.removeEventListener('abort', stop);
  await child.stop();
  signal.throwIfAborted();
  const lastLines = child.lastLines();
  if (end.code === 0) return lastLines;
  const last = sanitise(lastLines.findLast(line => line.trim() !== '') ?? 'it printed nothing');
  throw new AppError(`${role} ended ${describeEnd(end)} (${last})`, { lastLines });
}
