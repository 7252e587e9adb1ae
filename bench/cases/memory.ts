// B9: the memory of the background process, idle and with 1,000 idle visitors. Run by main.ts.

import { setTimeout as delay } from 'node:timers/promises';
import type { Bench, Case } from '../case.ts';
import type { Row } from '../results.ts';
import { startApp } from '../rig/app.ts';
import { startBoreServer } from '../rig/bore-server.ts';
import { type IdleVisitors, openIdleVisitors } from '../rig/idle-visitors.ts';
import { readRssMb } from '../rig/proc.ts';
import { startSupervisor } from '../rig/supervisor.ts';
import { OURS, type OwnName, type RunningTunnel, startTunnel } from '../rig/tunnels.ts';
import { median } from '../statistics.ts';

/** The same with `quick`, because memory that is allocated once must not be divided by fewer visitors. */
const VISITORS = 1_000;
/** Visitors come in two halves. The first also makes Node allocate code and heap that the second half uses too. */
const HALF = VISITORS / 2;
/**
 * How often our tunnel is started. One start says little, because memory depends on when garbage was last collected.
 */
const STARTS = 5;
const KB_PER_MB = 1_000;
/**
 * A visitor who sends no request gets no answer that shows when the tunnel has accepted the connection. This is ten
 * times what that takes.
 */
const ACCEPT_MS = 2_000;

interface Memory {
  idleMb: number;
  perVisitorKb: number;
  /** The same for the second half only. */
  perLaterVisitorKb: number;
  /** How many visitors connected, and how many of them were still connected when the memory was read. */
  connected: number;
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
    const silent = await measure(bench, 'gateway', { sendsRequest: false });
    const peer = await measure(bench, 'bore local');
    const rows = [...OURS.flatMap(own => buildRows(own, all[own])), buildSilentRow(silent)];
    return { rows, notes: [describePeer(peer), ...OURS.map(own => describeVisitors(own, all[own]))] };
  },
};

async function measure(
  bench: Bench,
  name: OwnName | 'bore local',
  { sendsRequest } = { sendsRequest: true },
): Promise<Memory> {
  await using stack = new AsyncDisposableStack();
  const server = stack.adopt(await startBoreServer(), one => one.kill());
  const app = stack.adopt(await startApp(), one => one.stop());
  const target = { server: server.host, port: app.port, fromSource: bench.fromSource };
  const starting = name === 'bore local' ? startTunnel(name, target) : startSupervisor(name, target);
  const tunnel = stack.adopt(await starting, one => one.stop());
  const idleMb = readRssMb(tunnel.pid);
  const first = stack.use(await connectHalf(tunnel, sendsRequest));
  const halfMb = readRssMb(tunnel.pid);
  const second = stack.use(await connectHalf(tunnel, sendsRequest));
  const fullMb = readRssMb(tunnel.pid);
  const connected = first.connected + second.connected;
  return {
    idleMb,
    perVisitorKb: ((fullMb - idleMb) * KB_PER_MB) / connected,
    perLaterVisitorKb: ((fullMb - halfMb) * KB_PER_MB) / second.connected,
    connected,
    stayed: (await first.leave()) + (await second.leave()),
  };
}

async function connectHalf(tunnel: RunningTunnel, sendsRequest: boolean): Promise<IdleVisitors> {
  const visitors = await openIdleVisitors(tunnel, HALF, sendsRequest);
  if (!sendsRequest) await delay(ACCEPT_MS);
  return visitors;
}

function buildRows(own: OwnName, memories: readonly Memory[]): Row[] {
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

function buildSilentRow({ perVisitorKb }: Memory): Row {
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

function describeVisitors(own: OwnName, memories: readonly Memory[]): string {
  const connected = median(memories.map(one => one.connected));
  const stayed = median(memories.map(one => one.stayed));
  return `${own}: ${connected} visitors connected, ${stayed} were still connected when the memory was read.`;
}
