// Processes by id, safe against recycled ids, and process groups. The only reader of /proc/PID/stat, and the one place
// that ends a group. A pid alone identifies no process: it is trusted only with the start time it was recorded with.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from './errors.ts';
import { KILL_MS } from './stop-times.ts';

/** A process that may be gone by now. */
export interface ProcessRecord {
  pid: number;
  /** Opaque; compared only with what `readStartTime` returns later on the same machine. */
  startTime: string;
  role: string;
}

/** The first look comes soon; each later one reads all of /proc, so they become rarer. */
const POLL_MS = 20;
const MAX_POLL_MS = 200;

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
 * its number cannot be given to another process while the group has members. Resolves when nothing is left or KILL_MS
 * after SIGKILL, with whether that was needed.
 */
export async function endProcess(record: ProcessRecord, graceMs: number): Promise<{ killed: boolean }> {
  const steps = [
    ['SIGTERM', graceMs],
    ['SIGKILL', KILL_MS],
  ] as const;
  let killed = false;
  for (const [signal, waitMs] of steps) {
    if (!isPresent(record)) break;
    killed = signal === 'SIGKILL';
    signalGroup(record.pid, signal);
    // The process may be a member of another group.
    signalProcess(record.pid, signal);
    await waitUntilGone(() => isPresent(record), waitMs);
  }
  return { killed };
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

  /**
   * SIGTERM, and SIGKILL for what is left after `graceMs`; with 0, SIGKILL at once. Resolves when nothing is left, with
   * the members that had `graceMs` and did not use it.
   */
  async end(graceMs: number): Promise<readonly GroupMember[]> {
    let killed: readonly GroupMember[] = [];
    if (graceMs > 0) {
      this.#signal('SIGTERM');
      if (await waitUntilGone(() => this.isRunning(), graceMs)) return [];
      killed = listMembers(this.#leader);
    }
    this.#signal('SIGKILL');
    await waitUntilGone(() => this.isRunning(), KILL_MS);
    return killed;
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
  const end = performance.now() + limitMs;
  for (let pauseMs = POLL_MS; isRunning(); pauseMs = Math.min(pauseMs * 1.2, MAX_POLL_MS)) {
    const leftMs = end - performance.now();
    if (leftMs <= 0) return false;
    await delay(Math.min(pauseMs, leftMs));
  }
  return true;
}

/** Linux: whether a process group has members that run. */
function hasMembers(group: number): boolean {
  return listProcesses().some(pid => readProcessStat(pid)?.group === group);
}

/** `name` is that of its program; other systems than Linux tell only the leader, without a name. */
export interface GroupMember {
  pid: number;
  name: string | undefined;
}

function listMembers(group: number): GroupMember[] {
  if (process.platform !== 'linux') return [{ pid: group, name: undefined }];
  return listProcesses().flatMap(pid => {
    const stat = readProcessStat(pid);
    if (stat?.group !== group) return [];
    // Node.js names its main thread `MainThread`; the command line has the program as people call it.
    const [command = ''] = readText(`/proc/${pid}/cmdline`).split('\0');
    return { pid, name: basename(command) || stat.name };
  });
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
