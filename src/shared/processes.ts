// Processes by id, safe against recycled ids.
// A pid alone names nobody: it is trusted only together with the start time it was recorded with.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A process that may be gone by now. */
export interface ProcessRecord {
  pid: number;
  /** Opaque; compared only with what `readStartTime` says later on the same machine. */
  startTime: string;
  role: string;
}

const POLL_MS = 25;

/** When the process began, in a form that only serves comparison; undefined when there is no such process. */
export function readStartTime(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') return readProcStat(pid)?.startTime;
    const [command, args] =
      process.platform === 'win32'
        ? ['powershell.exe', ['-NoProfile', '-Command', `(Get-Process -Id ${pid}).StartTime.Ticks`]]
        : ['ps', ['-o', 'lstart=', '-p', String(pid)]];
    const text = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return text.trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Linux: parent, group and start time (proc(5) fields 4, 5, 22: clock ticks since boot); undefined for zombies. */
function readProcStat(pid: number): { parent: number; group: number; startTime: string } | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The command's name may hold spaces and parentheses: fields are counted from its last ')'.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const startTime = fields[19];
  if (fields[0] === 'Z' || startTime === undefined) return undefined;
  return { parent: Number(fields[1]), group: Number(fields[2]), startTime };
}

export function recordProcess(pid: number, role: string): ProcessRecord {
  return { pid, startTime: readStartTime(pid) ?? 'unknown', role };
}

/** Whether the very process of the record still runs. */
export function isAlive(record: Pick<ProcessRecord, 'pid' | 'startTime'>): boolean {
  return readStartTime(record.pid) === record.startTime;
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
    for (const end = performance.now() + graceMs; performance.now() < end && isPresent(record); )
      await delay(POLL_MS);
  }
}

/** Whether the process of the record, or a member of its group, still runs. */
export function isPresent(record: ProcessRecord): boolean {
  const startTime = readStartTime(record.pid);
  if (startTime !== undefined) return startTime === record.startTime;
  return process.platform === 'linux' && hasMembers(record.pid);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  for (const target of process.platform === 'win32' ? [pid] : [-pid, pid]) {
    try {
      process.kill(target, signal);
    } catch {
      // gone already, or never a group of its own
    }
  }
}

/** Linux: whether a process group has living members. */
function hasMembers(group: number): boolean {
  return readdirSync('/proc').some(entry => {
    try {
      return /^\d+$/.test(entry) && readProcStat(Number(entry))?.group === group;
    } catch {
      return false; // gone between the two reads
    }
  });
}

/**
 * The nearest ancestor of this process with that name. A parent is not taken for its place alone: under a shell or a
 * container it may end long before the job. Linux only; elsewhere undefined.
 */
export function findAncestor(name: string): ProcessRecord | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    for (let pid = process.ppid; pid > 1; pid = readProcStat(pid)?.parent ?? 0)
      if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name) return recordProcess(pid, name);
  } catch {
    // an ancestor that may not be read is no answer
  }
  return undefined;
}
