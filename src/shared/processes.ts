// Processes by id, safe against recycled ids, and process groups. The only reader of /proc/PID/stat, and the one place
// that ends a group. A pid alone identifies no process: it is trusted only with the start time it was recorded with.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from './errors.ts';

/** A process that may be gone by now. */
export interface ProcessRecord {
  pid: number;
  /** Opaque; compared only with what `readStartTime` returns later on the same machine. */
  startTime: string;
  role: string;
}

const POLL_MS = 20;
/** SIGKILL takes effect at once, except for a process in an uninterruptible call of the kernel. */
const KILL_MS = 1_000;

/** A process as Linux describes it, proc_pid_stat(5). */
export interface ProcessStat {
  /** The program's name, at most 15 characters. */
  name: string;
  parent: number;
  group: number;
  /** Clock ticks since boot. */
  startTime: string;
}

/** Linux only: undefined elsewhere, and for a process that has ended, a zombie included. */
export function readProcessStat(pid: number): ProcessStat | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  // The name may hold spaces and parentheses: fields are counted from its last ')'.
  const end = stat.lastIndexOf(')');
  const [state = 'X', parent, group, ...rest] = stat.slice(end + 2).split(' ');
  const startTime = rest[16];
  if (/^[ZX]/.test(state) || startTime === undefined) return undefined;
  return {
    name: stat.slice(stat.indexOf('(') + 1, end),
    parent: Number(parent),
    group: Number(group),
    startTime,
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // ended, perhaps since it was listed
  }
}

/** When the process began, in a form that is good only for comparison; undefined if there is no such process. */
export function readStartTime(pid: number): string | undefined {
  if (process.platform === 'linux') return readProcessStat(pid)?.startTime;
  const [command, args] =
    process.platform === 'win32'
      ? ['powershell.exe', ['-NoProfile', '-Command', `(Get-Process -Id ${pid}).StartTime.Ticks`]]
      : ['ps', ['-o', 'lstart=', '-p', String(pid)]];
  try {
    const text = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return text.trim() || undefined;
  } catch {
    return undefined;
  }
}

export function recordProcess(pid: number, role: string): ProcessRecord {
  return { pid, startTime: readStartTime(pid) ?? 'unknown', role };
}

/** Whether the recorded process still runs; false if its number now belongs to another one. */
export function isAlive(record: Pick<ProcessRecord, 'pid' | 'startTime'>): boolean {
  return readStartTime(record.pid) === record.startTime;
}

/** Resolves with true when the process of the record has ended, and with false if it still runs after `timeoutMs`. */
export function waitForEnd(
  record: Pick<ProcessRecord, 'pid' | 'startTime'>,
  timeoutMs: number,
): Promise<boolean> {
  return waitUntilGone(() => isAlive(record), timeoutMs);
}

/**
 * Ends the process and its group: SIGTERM, then SIGKILL after `graceMs`. A group whose leader is gone is ended too:
 * its number cannot be given to another process while the group has members. Resolves when nothing is left or after
 * another `graceMs`.
 */
export async function endProcess(record: ProcessRecord, graceMs: number): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isPresent(record)) return;
    signalGroup(record.pid, signal);
    // The process may be a member of another group.
    signalProcess(record.pid, signal);
    await waitUntilGone(() => isPresent(record), graceMs);
  }
}

/** Whether the process of the record, or a member of its group, still runs. */
export function isPresent(record: ProcessRecord): boolean {
  const startTime = readStartTime(record.pid);
  if (startTime !== undefined) return startTime === record.startTime;
  return process.platform === 'linux' && hasMembers(record.pid);
}

/**
 * The group that a child of this process leads; on Windows, which has no groups, the child alone. Once the group was
 * found empty, its number is not used any more: another process may have it by then.
 */
export class ProcessGroup {
  readonly #leader: number;
  #isGone = false;

  constructor(leader: number) {
    this.#leader = leader;
  }

  /** False if only zombies are left: in a container without an init, no process reaps them. */
  isRunning(): boolean {
    return this.#signal(0) && (process.platform !== 'linux' || hasMembers(this.#leader));
  }

  /** SIGTERM, and SIGKILL for what is left after `graceMs`; with 0, SIGKILL at once. Resolves when nothing is left. */
  async end(graceMs: number): Promise<void> {
    if (graceMs > 0) {
      this.#signal('SIGTERM');
      if (await waitUntilGone(() => this.isRunning(), graceMs)) return;
    }
    this.#signal('SIGKILL');
    await waitUntilGone(() => this.isRunning(), KILL_MS);
  }

  #signal(signal: NodeJS.Signals | 0): boolean {
    this.#isGone ||= !signalGroup(this.#leader, signal);
    return !this.#isGone;
  }
}

/** False if there is no such group. */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  return signalProcess(process.platform === 'win32' ? leader : -leader, signal);
}

/** False if there is no such process; a negative number is a group. */
function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    return !hasCode(error, 'ESRCH');
  }
}

/** False if the time limit is reached first. */
async function waitUntilGone(isRunning: () => boolean, limitMs: number): Promise<boolean> {
  for (const end = performance.now() + limitMs; isRunning(); await delay(POLL_MS))
    if (performance.now() >= end) return false;
  return true;
}

/** Linux: whether a process group has members that run. */
function hasMembers(group: number): boolean {
  return listProcesses().some(pid => readProcessStat(pid)?.group === group);
}

/** Linux: the ids of all processes. */
export function listProcesses(): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number);
}

/**
 * The nearest ancestor of this process with that name. The parent itself would be the wrong one: under a shell or in a
 * container it may end long before the job. Linux only; elsewhere undefined.
 */
export function findAncestor(name: string): ProcessRecord | undefined {
  for (let pid = process.ppid; pid > 1; ) {
    const stat = readProcessStat(pid);
    if (stat?.name === name) return { pid, startTime: stat.startTime, role: name };
    pid = stat?.parent ?? 0;
  }
  return undefined;
}
