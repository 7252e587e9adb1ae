// A program in a process group of its own, read line by line and ended as a whole. Used by every mode that runs one,
// and by the installation of wasmrun.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, hasCode } from '../../shared/errors.ts';
import { sanitise } from '../../shared/log.ts';
import type { OnChild } from '../program.ts';
import { LineSplitter } from './lines.ts';

export interface ChildOptions {
  command: string;
  args: readonly string[];
  cwd: string;
  /** The whole environment; nothing is inherited. */
  environment: Readonly<Record<string, string>>;
  /** What people call it in messages: `wasmrun`, `the command`. */
  role: string;
  /** One line of stdout or stderr as it came, without its end; not sanitised. */
  onLine: (line: string) => void;
  /** Called in the same turn as the spawn. */
  onChild: OnChild;
}

export interface Child {
  readonly pid: number;
  /** Resolves when the process is gone and its last lines were read; never rejects. */
  readonly ended: Promise<ChildEnd>;
  /** Its last 20 lines, oldest first. */
  lastLines(): readonly string[];
  /** Ends the whole group: SIGTERM, after `graceMs` SIGKILL. Resolves when nothing of it is left; may be called twice. */
  stop(graceMs?: number): Promise<void>;
}

export interface ChildEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

type Spawned = ChildProcessByStdio<null, Readable, Readable>;

/** As many lines as an error message can carry and still be read. */
const LAST_LINES = 20;
/** Time to finish open requests; the post step has 30 s for everything. */
const STOP_GRACE_MS = 5_000;
/** A grandchild may keep the pipes open after the program's end: no longer than this do we wait for its last lines. */
const DRAIN_MS = 50;
/** SIGKILL takes effect at once, save for a process in an uninterruptible call of the kernel. */
const REAP_MS = 1_000;
const POLL_MS = 20;

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
  // A signal that cannot be delivered is no event of its own: `ended` tells the end.
  child.on('error', () => undefined);
  return watchChild(child, pid, options.onLine);
}

function watchChild(child: Spawned, pid: number, onLine: (line: string) => void): Child {
  const lines: string[] = [];
  const keepLine = (line: string) => {
    lines.push(line);
    if (lines.length > LAST_LINES) lines.shift();
    onLine(line);
  };
  const splitters = [child.stdout, child.stderr].map(stream => new LineSplitter(stream, keepLine));
  child.once('exit', () => {
    for (const splitter of splitters) splitter.hurry();
  });
  const group = createGroup(child, pid);
  const ended = waitForEnd(child).then(end => {
    for (const splitter of splitters) splitter.end();
    return end;
  });
  let stopping: Promise<void> | undefined;
  return {
    pid,
    ended,
    lastLines: () => [...lines],
    stop: (graceMs = STOP_GRACE_MS) => {
      stopping ??= group.stop(graceMs);
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

/** The process group of a child. Its number is not used any more once the group was seen empty: it may be reused. */
function createGroup(child: Spawned, pid: number): { stop(graceMs: number): Promise<void> } {
  let gone = false;
  const signalGroup = (signal: NodeJS.Signals | 0): boolean => {
    if (gone) return false;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      gone = hasCode(error, 'ESRCH');
    }
    return !gone;
  };
  const isRunning = () => signalGroup(0) && !consistsOfZombies(pid);
  const waitUntilGone = async (limitMs: number) => {
    const deadline = performance.now() + limitMs;
    while (isRunning()) {
      if (performance.now() >= deadline) return false;
      await delay(POLL_MS);
    }
    return true;
  };
  child.once('exit', () => signalGroup(0));
  const stop = async (graceMs: number) => {
    signalGroup('SIGTERM');
    if (await waitUntilGone(graceMs)) return;
    signalGroup('SIGKILL');
    await waitUntilGone(REAP_MS);
  };
  return process.platform === 'win32' ? { stop: () => stopTree(child, pid) } : { stop };
}

/** True where nothing of the group runs any more, but nobody reaps it: orphans in a container without an init. */
function consistsOfZombies(group: number): boolean {
  if (process.platform !== 'linux') return false;
  const processes = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  return !processes.some(name => isRunningIn(group, name));
}

function isRunningIn(group: number, pid: string): boolean {
  try {
    // proc(5): pid (comm) state ppid pgrp …; comm may hold spaces and brackets.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(pgrp) === group && state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}

/** Windows has no process groups and no SIGTERM: `taskkill /T` ends the program with what it started. */
async function stopTree(child: Spawned, pid: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  const killer = spawn('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true });
  killer.on('error', () => child.kill());
  await Promise.race([exited, delay(REAP_MS, undefined, { ref: false })]);
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

/** How a program ended, in words: `with exit code 1`, `by SIGKILL`. */
export function describeEnd(end: ChildEnd): string {
  return end.signal === null ? `with exit code ${end.code ?? 'unknown'}` : `by signal ${end.signal}`;
}

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new AppError('no free port on 127.0.0.1');
  return address.port;
}
