// The processes a benchmark starts: read line by line, and gone when the benchmark is. Used by the rig and the cases.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

export interface ProgramOptions {
  /** Added to the environment of the benchmark. */
  environment?: Readonly<Record<string, string>>;
  cwd?: string;
  /** The network namespace it runs in (root only); its pid is its own all the same. */
  namespace?: string | undefined;
  /** Its standard input is closed, or this is written to it and closed; otherwise it stays open. */
  input?: string;
  /** What it says over Node.js's own channel between processes, which it has only where this is given. */
  onMessage?: (message: unknown) => void;
}

export interface Program {
  readonly pid: number;
  /** Lines of its standard output so far, with the time each came. */
  readonly lines: readonly Line[];
  /** Resolves with its exit code; null after a signal. */
  readonly ended: Promise<number | null>;
  /** Resolves with the first line, of those already there too, for which `find` has an answer. */
  waitFor<T>(find: (text: string) => T | undefined, what: string, limitMs?: number): Promise<Found<T>>;
  closeInput(): void;
  /** SIGTERM, and SIGKILL after 10 s. */
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

export interface Line {
  text: string;
  /** Of performance.now(). */
  at: number;
}

export interface Found<T> {
  value: T;
  at: number;
}

const START_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 10_000;
const POLL_MS = 2;
/** What an error message can carry. */
const LAST_LINES = 15;
/** A program that never stops writing must not fill the memory of a long benchmark. */
const MAX_LINES = 20_000;

const running = new Set<ChildProcess>();
process.on('exit', killAll);

/** Ends whatever still runs: a case that failed may have left something behind. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Starts a program with its input open; every one of them is killed when the benchmark ends, however it ends. */
export function startProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Program {
  const child = spawn(...enterNamespace(options.namespace, command, args), {
    cwd: options.cwd,
    env: { ...process.env, NO_COLOR: '1', ...options.environment },
    stdio: ['pipe', 'pipe', 'pipe', ...(options.onMessage === undefined ? [] : (['ipc'] as const))],
  });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error(`${command}: no pipes`);
  running.add(child);
  const lines: Line[] = [];
  const errors: string[] = [];
  const { onMessage } = options;
  if (onMessage !== undefined) child.on('message', onMessage);
  createInterface({ input: stdout }).on('line', text => {
    if (lines.length < MAX_LINES) lines.push({ text, at: performance.now() });
  });
  createInterface({ input: stderr }).on('line', text => {
    errors.push(text);
    if (errors.length > LAST_LINES) errors.shift();
  });
  stdin.on('error', () => undefined); // an early death is told by its exit
  if (options.input !== undefined) stdin.end(options.input);
  const ended = new Promise<number | null>(resolve => {
    child.once('error', error => {
      errors.push(String(error));
      resolve(127);
    });
    child.once('close', code => resolve(code));
  }).finally(() => running.delete(child));
  const describe = () => [command, ...args].join(' ');
  return {
    pid: child.pid ?? 0,
    lines,
    ended,
    waitFor: (find, what, limitMs = START_LIMIT_MS) =>
      findLine({ lines, ended, find, what, limitMs, describe, errors }),
    closeInput: () => stdin.end(),
    kill: signal => void child.kill(signal),
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** `ip netns exec` becomes the program. */
function enterNamespace(
  namespace: string | undefined,
  command: string,
  args: readonly string[],
): [string, string[]] {
  return namespace === undefined
    ? [command, [...args]]
    : ['ip', ['netns', 'exec', namespace, command, ...args]];
}

interface Search<T> {
  lines: readonly Line[];
  ended: Promise<number | null>;
  find: (text: string) => T | undefined;
  what: string;
  limitMs: number;
  describe: () => string;
  errors: readonly string[];
}

async function findLine<T>(search: Search<T>): Promise<Found<T>> {
  const { lines, find, what, describe, errors, limitMs } = search;
  let over: string | undefined;
  void search.ended.then(code => {
    over = `it ended with ${code ?? 'a signal'}`;
  });
  let next = 0;
  for (const deadline = performance.now() + limitMs; ; await delay(POLL_MS)) {
    for (const isLast = over !== undefined; next < lines.length; next += 1) {
      const line = lines[next];
      const value = line && find(line.text);
      if (line && value !== undefined) return { value, at: line.at };
      if (isLast && next === lines.length) break;
    }
    if (performance.now() > deadline) over ??= `${limitMs / 1000} s are over`;
    if (over !== undefined)
      throw new Error(`${describe()}: waited in vain for ${what} (${over})\n${errors.join('\n')}`);
  }
}

/** Runs a program to its end and returns its standard output. Rejects when it fails or takes longer. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: { limitMs: number; cwd?: string; namespace?: string | undefined },
): Promise<string> {
  const { stdout } = await promisify(execFile)(...enterNamespace(options.namespace, command, args), {
    timeout: options.limitMs,
    killSignal: 'SIGKILL',
    maxBuffer: 64 * 1024 * 1024,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  return stdout;
}

/** Polls until `check` has an answer. */
export async function waitUntil<T>(
  check: () => T | undefined | Promise<T | undefined>,
  what: string,
  limitMs = START_LIMIT_MS,
): Promise<T> {
  for (const deadline = performance.now() + limitMs; ; await delay(POLL_MS)) {
    const value = await check();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`waited ${limitMs / 1000} s in vain: ${what}`);
  }
}
