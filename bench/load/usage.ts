// Processor time and memory of servers and previews over a time. Used by the scenarios.

import { readCpuSeconds, readRssMb } from '../rig/proc.ts';
import type { World } from './world.ts';

export interface Usage {
  /** Of all servers together. */
  server: { cpuSeconds: number; rssMb: number; files: number };
  /** Of all processes of the fleet together. */
  fleet: { cpuSeconds: number; rssMb: number };
}

export function readUsage({ servers, fleet }: World): Usage {
  const samples = [...servers.values()].filter(({ exit }) => exit === undefined).map(one => one.sample());
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    server: {
      cpuSeconds: sum(samples.map(({ cpuSeconds }) => cpuSeconds)),
      rssMb: sum(samples.map(({ rssMb }) => rssMb)),
      files: sum(samples.map(({ files }) => files)),
    },
    fleet: {
      cpuSeconds: sum(fleet.pids.map(readCpuSeconds)),
      rssMb: sum(fleet.pids.map(readRssMb)),
    },
  };
}

/** What was used between two readings of the same processes; memory and files may have become less. */
export function subtractUsage(after: Usage, before: Usage): Usage {
  return {
    server: {
      cpuSeconds: after.server.cpuSeconds - before.server.cpuSeconds,
      rssMb: after.server.rssMb - before.server.rssMb,
      files: after.server.files - before.server.files,
    },
    fleet: {
      cpuSeconds: after.fleet.cpuSeconds - before.fleet.cpuSeconds,
      rssMb: after.fleet.rssMb - before.fleet.rssMb,
    },
  };
}
