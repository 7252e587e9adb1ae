// Starts programs, reads their output line by line, and ends them when the benchmark ends. Used by the rig and the
// cases.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

export interface ProgramOptions {
  /** Added to the environment of the benchmark. */
  environment?: Readonly<Record<string, string>>;
  cwd?: string;
  /** The network namespace the program runs in (needs root). Its pid is still the program's own. */
  namespace?: string | undefined;
  /** Written to its standard input, which is then closed. Without this, standard input stays open. */
  input?: string;
  /** Called with each message of Node.js's IPC channel. Without this, the program has no such channel. */
  onMessage?: (message: unknown) => void;
}

export interface Program {
  readonly pid: number;
  /** The lines of its standard output so far. */
  readonly lines: readonly Line[];
  /** Resolves with its exit code; null after a signal. */
  readonly ended: Promise<number | null>;
  /**
   * Resolves with the first line, past or future, for which `find` returns a value. Rejects at the time limit, or if
   * the program ends. `what` names the wanted thing in the error.
   */
  waitFor<T>(find: (text: string) => T | undefined, what: string, limitMs?: number): Promise<Found<T>>;
  closeInput(): void;
  /** SIGTERM, and SIGKILL after 10 s. */
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

export interface Line {
  text: string;
  /** When it was read, on the scale of performance.now(). */
  at: number;
}

export interface Found<T> {
  value: T;
  /** When its line was read. */
  at: number;
}

const START_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 10_000;
const POLL_MS = 2;
/** How many lines of standard error an error message shows. */
const LAST_LINES = 15;
/** A program that never stops writing must not fill the memory of a long benchmark. */
const MAX_LINES = 20_000;

const running = new Set<ChildProcess>();
process.on('exit', killAll);

/** Ends all programs that still run, because a failed case may have left some. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Starts a program. It is killed when the benchmark exits, for whatever reason. */
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
  stdin.on('error', () => undefined); // if the program ends early, `ended` reports it
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

/** `ip netns exec` replaces itself with the program, so the pid is the program's. */
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
    if (performance.now() > deadline) over ??= `not within ${limitMs / 1000} s`;
    if (over !== undefined)
      throw new Error(`${describe()}: waited for ${what} (${over})\n${errors.join('\n')}`);
  }
}

/** Runs a program and resolves with its standard output. Rejects if it fails or takes longer than `limitMs`. */
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

/** Polls until `check` returns a value. Rejects after `limitMs`; `what` is then part of the error. */
export async function waitUntil<T>(
  check: () => T | undefined | Promise<T | undefined>,
  what: string,
  limitMs = START_LIMIT_MS,
): Promise<T> {
  for (const deadline = performance.now() + limitMs; ; await delay(POLL_MS)) {
    const value = await check();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`waited for ${what} (not within ${limitMs / 1000} s)`);
  }
}
