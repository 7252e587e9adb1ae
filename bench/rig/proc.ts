// Reads a process's processor time, memory and children from Linux's /proc. Used by the testbed and the cases.

import { readdirSync, readFileSync } from 'node:fs';
import { readProcessStat } from '../../src/shared/processes.ts';

/** USER_HZ: /proc shows processor time in hundredths of a second, independent of the kernel's clock. */
const TICKS_PER_SECOND = 100;

/** The processor time so far of a process and its threads, in seconds. */
export function readCpuSeconds(pid: number): number {
  const { user, system } = readCpuTimes(pid);
  return user + system;
}

/** The same, in the program and in the kernel. */
export function readCpuTimes(pid: number): { user: number; system: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // proc(5): utime and stime are fields 14 and 15. The name before them can contain spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { user: Number(fields[11]) / TICKS_PER_SECOND, system: Number(fields[12]) / TICKS_PER_SECOND };
}

/** The resident memory (RSS) of a process in MB (1,000,000 bytes). */
export function readRssMb(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kilobytes ?? 0) * 1024) / 1e6;
}

/** The pids of a process and all its descendants that still run. */
export function listProcessTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter(entry => /^\d+$/.test(entry))) {
    const parent = readProcessStat(Number(name))?.parent;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree = [pid];
  for (const member of tree) tree.push(...(children.get(member) ?? []));
  return tree;
}

/** The memory of several processes together in MB. Shared pages count once (PSS). */
export function readPssMb(pids: readonly number[]): number {
  const kilobytes = pids.map(pid => {
    try {
      return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      return 0; // the process has ended
    }
  });
  return (kilobytes.reduce((sum, one) => sum + one, 0) * 1024) / 1e6;
}
