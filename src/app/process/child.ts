// Runs a program in a process group of its own, reads its output line by line, and ends it with all its children. Used
// by every mode that runs a program, and by the installation of wasmrun.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, hasCode } from '../../shared/errors.ts';
import { LastLines } from '../../shared/lines.ts';
import { type GroupMember, ProcessGroup } from '../../shared/processes.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { DEFAULT_STOP_TIMEOUT_MS } from '../../shared/stop-times.ts';
import type { OnChild } from '../program.ts';
import { LineSplitter } from './lines.ts';

export interface ChildOptions {
  command: string;
  args: readonly string[];
  cwd: string;
  /** The whole environment; nothing is inherited. */
  environment: Readonly<Record<string, string>>;
  /** Its name in messages: `wasmrun`, `the command`. */
  role: string;
  /** Called with each line of stdout and stderr, without its line end; not sanitised. */
  onLine: (line: string) => void;
  /** Called synchronously after the spawn. */
  onChild: OnChild;
  /** How long the group has to stop after SIGTERM. */
  stopTimeoutMs?: number;
  /** Called with what did not stop in that time, and was killed. */
  onKill?: (killed: readonly GroupMember[]) => void;
}

export interface Child {
  readonly pid: number;
  /** Resolves when the process is gone and its last lines are read (for at most DRAIN_MS); never rejects. */
  readonly ended: Promise<ChildEnd>;
  /** Its last 20 lines, oldest first. */
  lastLines(): readonly string[];
  /**
   * Ends the whole group: SIGTERM, and SIGKILL after `graceMs` (by default `stopTimeoutMs`). Resolves when nothing is
   * left; may be called twice.
   */
  stop(graceMs?: number): Promise<void>;
}

export interface ChildEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

type Spawned = ChildProcessByStdio<null, Readable, Readable>;

/** How long to wait for the last lines after the program's end: a grandchild may keep the pipes open. */
const DRAIN_MS = 50;
/** taskkill ends a program at once, or not at all. */
const TASKKILL_MS = 1_000;

/** Starts a program; resolves when it was spawned. Rejects with an AppError that says what is missing. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const child: Spawned = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: { ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
  const { pid } = child;
  if (pid === undefined) {
    const [cause] = await once(child, 'error');
    throw describeSpawnFailure(options, cause);
  }
  options.onChild({ pid, role: options.role });
  // Also emitted if a signal cannot be delivered. The program's end is reported by `ended`.
  child.on('error', () => undefined);
  return watchChild(child, pid, options);
}

function watchChild(
  child: Spawned,
  pid: number,
  { onLine, onKill, stopTimeoutMs = DEFAULT_STOP_TIMEOUT_MS }: ChildOptions,
): Child {
  const lines = new LastLines();
  const keepLine = (line: string) => {
    lines.add(line);
    onLine(line);
  };
  const splitters = [child.stdout, child.stderr].map(stream => new LineSplitter(stream, keepLine));
  child.once('exit', () => {
    for (const splitter of splitters) splitter.hurry();
  });
  const group = new ProcessGroup(pid);
  // If the group is empty now, another process may get its number: the group must notice that at once.
  child.once('exit', () => group.isRunning());
  const end = async (graceMs: number) => {
    if (process.platform === 'win32') return await stopTree(child, pid);
    const killed = await group.end(graceMs);
    if (killed.length > 0) onKill?.(killed);
  };
  const ended = waitForEnd(child).then(end => {
    for (const splitter of splitters) splitter.end();
    return end;
  });
  let stopping: Promise<void> | undefined;
  return {
    pid,
    ended,
    lastLines: () => lines.list(),
    stop: (graceMs = stopTimeoutMs) => {
      stopping ??= end(graceMs);
      return stopping;
    },
  };
}

/** The program's end, at most DRAIN_MS late. */
async function waitForEnd(child: Spawned): Promise<ChildEnd> {
  return await new Promise(resolve => {
    child.once('exit', (code, signal) => {
      const timer = setTimeout(() => resolve({ code, signal }), DRAIN_MS);
      child.once('close', () => {
        clearTimeout(timer);
        resolve({ code, signal });
      });
    });
  });
}

/** Windows has no process groups and no SIGTERM: `taskkill /T` ends the program with what it started. */
async function stopTree(child: Spawned, pid: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  const killer = spawn('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true });
  killer.on('error', () => child.kill());
  await Promise.race([exited, delay(TASKKILL_MS, undefined, { ref: false })]);
}

const REMEDIES: Readonly<Record<string, string>> = {
  bash: 'install bash: apt-get install bash, apk add bash, or Git for Windows',
  wasmrun: 'set wasmrun-version, so that it is installed, or install it in an earlier step',
  cargo: 'install Rust (https://rustup.rs)',
  ar: 'install binutils',
};

function describeSpawnFailure(options: ChildOptions, cause: unknown): AppError {
  const command = sanitise(options.command);
  if (!existsSync(options.cwd))
    return new AppError(
      `${options.role} cannot start: its folder ${sanitise(options.cwd)} does not exist; check \`path\``,
      { cause, restartable: false },
    );
  const remedy = REMEDIES[options.command] ?? 'install it, or put its folder on PATH';
  const message = hasCode(cause, 'ENOENT')
    ? `${options.role} cannot start: the program ${command} was not found; ${remedy}`
    : hasCode(cause, 'EACCES')
      ? `${options.role} cannot start: ${command} may not be executed; make it executable (chmod +x)`
      : `${options.role} cannot start: ${command} could not be run`;
  return new AppError(message, { cause, restartable: false });
}

/** How a program ended, in words: `with exit code 1`, `by signal SIGKILL`. */
export function describeEnd(end: ChildEnd): string {
  return end.signal === null ? `with exit code ${end.code ?? 'unknown'}` : `by signal ${end.signal}`;
}
