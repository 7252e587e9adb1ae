// B9: the memory of the background process, idle and with a thousand visitors who do nothing. Run by main.ts.

import { setTimeout as delay } from 'node:timers/promises';
import type { Bench, Case } from '../case.ts';
import type { Row } from '../results.ts';
import { startApp } from '../rig/app.ts';
import { startBoreServer } from '../rig/bore-server.ts';
import { readMemoryMb } from '../rig/proc.ts';
import type { Program } from '../rig/process.ts';
import { startSupervisor } from '../rig/supervisor.ts';
import { OURS, type OwnName, type RunningTunnel, startTunnel } from '../rig/tunnels.ts';
import { startVisitor } from '../rig/visitors.ts';
import { median } from '../statistics.ts';

/** Also when it has to be quick: what the process allocates once must not be divided by fewer. */
const VISITORS = 1_000;
/** They come in two halves: what the first brings in code and heap, the second does not need again. */
const HALF = VISITORS / 2;
/** Starts of ours: memory depends on when the collector last ran, so one start says little. */
const STARTS = 5;
const KB_PER_MB = 1_000;
/** Who asks nothing cannot say when the tunnel has fetched them: it takes a tenth of this. */
const FETCH_MS = 2_000;

interface Memory {
  idleMb: number;
  perVisitorKb: number;
  /** Of the second half alone. */
  perLaterVisitorKb: number;
  /** Visitors who were let in, and those still there when the memory was read. */
  entered: number;
  stayed: number;
}

export const memory: Case = {
  id: 'B9',
  title: 'Memory: idle, and with 1,000 idle visitors',
  minutes: bench => (bench.quick ? 0.3 : 0.6),
  run: async bench => {
    const all: Record<OwnName, Memory[]> = { raw: [], gateway: [] };
    for (let start = 0; start < (bench.quick ? 1 : STARTS); start += 1)
      for (const own of OURS) all[own].push(await measure(bench, own));
    const silent = await measure(bench, 'gateway', { asks: false });
    const peer = await measure(bench, 'bore local');
    const rows = [...OURS.flatMap(own => describe(own, all[own])), describeSilent(silent)];
    return { rows, notes: [describePeer(peer), ...OURS.flatMap(own => describeLost(own, all[own]))] };
  },
};

async function measure(
  bench: Bench,
  name: OwnName | 'bore local',
  { asks } = { asks: true },
): Promise<Memory> {
  await using stack = new AsyncDisposableStack();
  const server = stack.adopt(await startBoreServer(), one => one.kill());
  const app = stack.adopt(await startApp(), one => one.stop());
  const target = { server: server.host, port: app.port, fromSource: bench.fromSource };
  const starting = name === 'bore local' ? startTunnel(name, target) : startSupervisor(name, target);
  const tunnel = stack.adopt(await starting, one => one.stop());
  const idleMb = readMemoryMb(tunnel.pid);
  const first = await enterHalf(tunnel, asks);
  const halfMb = readMemoryMb(tunnel.pid);
  const second = await enterHalf(tunnel, asks);
  const fullMb = readMemoryMb(tunnel.pid);
  const entered = first.entered + second.entered;
  return {
    idleMb,
    perVisitorKb: ((fullMb - idleMb) * KB_PER_MB) / entered,
    perLaterVisitorKb: ((fullMb - halfMb) * KB_PER_MB) / second.entered,
    entered,
    stayed: (await first.leave()) + (await second.leave()),
  };
}

interface Half {
  entered: number;
  /** Resolves with how many were still connected. */
  leave(): Promise<number>;
}

async function enterHalf(tunnel: RunningTunnel, asks: boolean): Promise<Half> {
  const visitors = startIdle(tunnel, asks);
  const { value: entered } = await readOpen(visitors, 1);
  if (!asks) await delay(FETCH_MS);
  const leave = async () => {
    visitors.closeInput();
    return (await readOpen(visitors, 2)).value;
  };
  return { entered, leave };
}

/** Each has asked once and keeps the connection, as browsers do, or has asked nothing yet. */
function startIdle({ host, port }: RunningTunnel, asks: boolean): Program {
  const where = ['-address', `${host}:${port}`, '-count', `${HALF}`];
  return startVisitor('idle', asks ? [...where, '-ask'] : where);
}

/** The visitors tell how many have entered, then how many were still there at the end. */
async function readOpen(visitors: Program, line: 1 | 2): Promise<{ value: number }> {
  let seen = 0;
  return await visitors.waitFor(text => {
    seen += 1;
    return seen === line ? (JSON.parse(text) as { open: number }).open : undefined;
  }, 'all visitors are there');
}

function describe(own: OwnName, memories: readonly Memory[]): Row[] {
  const row = { take: 'median', better: 'lower' } as const;
  return [
    { ...row, what: `${own}, idle`, samples: memories.map(one => one.idleMb), unit: 'MB', reach: 80 },
    {
      ...row,
      what: `${own}, for each idle visitor`,
      samples: memories.map(one => one.perVisitorKb),
      unit: 'KB',
      reach: 25,
    },
    {
      ...row,
      what: `${own}, for each of the second ${HALF}`,
      samples: memories.map(one => one.perLaterVisitorKb),
      unit: 'KB',
    },
  ];
}

function describeSilent({ perVisitorKb }: Memory): Row {
  return {
    what: 'gateway, for each visitor who asked nothing',
    samples: [perVisitorKb],
    unit: 'KB',
    take: 'median',
    better: 'lower',
    reach: 25,
  };
}

function describePeer(peer: Memory): string {
  return `bore local: ${peer.idleMb.toFixed(0)} MB idle, ${peer.perVisitorKb.toFixed(1)} KB for each visitor.`;
}

function describeLost(own: OwnName, memories: readonly Memory[]): string[] {
  const entered = median(memories.map(one => one.entered));
  const stayed = median(memories.map(one => one.stayed));
  return [`${own}: ${entered} visitors entered, ${stayed} were still connected when memory was read.`];
}
