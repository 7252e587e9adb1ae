// B3: requests per second on kept connections. B4: requests per second with a new connection for each. Run by main.ts.

import { type Bench, type Case, chooseSeconds, WARM_UP_SECONDS } from '../case.ts';
import { type Comparison, compare } from '../compare.ts';
import type { Row } from '../results.ts';
import { divideRounds, measureRounds, pick, type Rounds } from '../rig/rounds.ts';
import { measureCpu, startTestbed, type Testbed } from '../rig/testbed.ts';
import { LOCKED, type LockedName, type RunningTunnel, TUNNELS, type TunnelName } from '../rig/tunnels.ts';
import { runWrk } from '../rig/visitors.ts';
import { mean, median } from '../statistics.ts';

const KEPT_CONNECTIONS = 32;
const KEPT_SECONDS = 2;
const CLOSING_CONNECTIONS = [8, 32, 128];
const CLOSING_SECONDS = 1;
export const CPU_PER_REQUEST = { key: 'cpuMicros', unit: 'µs/request' };

/** A key may cost this much. */
const LOCKED_REACH = 0.95;

export interface RequestLoad {
  connections: number;
  seconds: number;
  closing: boolean;
}

export const keptConnections: Case = {
  id: 'B3',
  title: 'Requests per second on 32 kept connections',
  minutes: bench => (bench.quick ? 0.5 : 0.6 + bench.rounds * 0.42),
  run: async bench => {
    const names = [...TUNNELS, ...LOCKED] as const;
    await using testbed = await startTestbed(bench, names);
    const load = {
      connections: KEPT_CONNECTIONS,
      seconds: chooseSeconds(bench, KEPT_SECONDS),
      closing: false,
    };
    const measured = await measureRequests(bench, testbed, names, load);
    const rows = compare({
      what: 'keep-alive, 32 connections',
      measured,
      key: 'perSecond',
      unit: 'requests/s',
      better: 'higher',
      cpu: CPU_PER_REQUEST,
      targets: {
        raw: { 'bore local': { reach: 0.92, goal: 1 } },
        gateway: { 'bore local': { reach: 0.6 } },
      },
    });
    const locked = LOCKED.map(name => buildLockedRow(name, measured));
    return { rows: [...rows, ...locked, buildCpuRow(measured)], notes: describeErrors(measured) };
  },
};

function buildLockedRow(name: LockedName, measured: Rounds<LockedName | 'gateway'>): Row {
  const [ours, open] = [measured[name], measured.gateway];
  const medianOf = (figures: typeof ours, key: string) => median(pick(figures, key));
  return {
    what: `${name} ÷ open gateway, keep-alive`,
    samples: divideRounds(pick(ours, 'perSecond'), pick(open, 'perSecond')),
    unit: '×',
    take: 'median',
    better: 'higher',
    reach: LOCKED_REACH,
    absolute: { ours: medianOf(ours, 'perSecond'), peer: medianOf(open, 'perSecond'), unit: 'requests/s' },
    cpu: { ours: medianOf(ours, 'cpuMicros'), peer: medianOf(open, 'cpuMicros'), unit: 'µs/request' },
  };
}

function buildCpuRow(measured: Rounds<'gateway'>): Row {
  return {
    what: 'gateway, keep-alive, processor time a request',
    samples: pick(measured.gateway, 'cpuMicros'),
    unit: 'µs',
    take: 'median',
    better: 'lower',
    reach: 30,
  };
}

export const newConnections: Case = {
  id: 'B4',
  title: 'Requests per second on new connections, 8, 32 and 128 at a time',
  minutes: bench => (bench.quick ? 0.8 : 0.9 + bench.rounds * 0.42),
  run: async bench => {
    await using testbed = await startTestbed(bench);
    const rows: Row[] = [];
    const notes: string[] = [];
    for (const connections of CLOSING_CONNECTIONS) {
      const load = { connections, seconds: chooseSeconds(bench, CLOSING_SECONDS), closing: true };
      const measured = await measureRequests(bench, testbed, TUNNELS, load);
      rows.push(...compareClosing(measured, connections));
      notes.push(...describeErrors(measured, `, ${connections} at a time`));
    }
    return { rows, notes };
  },
};

function compareClosing(measured: Comparison['measured'], connections: number): Row[] {
  return compare({
    what: `a connection each, ${connections} at a time`,
    measured,
    key: 'perSecond',
    unit: 'requests/s',
    better: 'higher',
    cpu: CPU_PER_REQUEST,
    targets: {
      raw: { 'bore local': { reach: 0.9, goal: 1 }, wasmrun: { reach: 1.3 } },
      gateway: { 'bore local': { reach: 0.95 } },
    },
  });
}

/** Resolves with `perSecond`, `cpuMicros` a request and `errors` of each tunnel. */
export async function measureRequests<N extends TunnelName>(
  bench: Bench,
  testbed: Testbed,
  names: readonly N[],
  load: RequestLoad,
): Promise<Rounds<N>> {
  const run = ({ url, headers }: RunningTunnel, seconds: number) =>
    runWrk(url, { ...load, seconds, headers });
  for (const name of names) await run(testbed.tunnel(name), chooseSeconds(bench, WARM_UP_SECONDS));
  return await measureRounds(names, bench.rounds, async name => {
    const tunnel = testbed.tunnel(name);
    const { cpuSeconds = Number.NaN, ...figures } = await measureCpu(tunnel.pids, async () => {
      const { requests, perSecond, errors } = await run(tunnel, load.seconds);
      return { figures: { perSecond, errors }, amount: requests };
    });
    return { ...figures, cpuMicros: cpuSeconds * 1e6 };
  });
}

/** Failed requests do not appear in any ratio, so they get a note. */
export function describeErrors<N extends string>(measured: Rounds<N>, where = ''): string[] {
  return Object.entries<Rounds<N>[N]>(measured).flatMap(([name, figures]) => {
    const errors = mean(pick(figures, 'errors'));
    return errors === 0
      ? []
      : [`${name}${where}: ${errors.toFixed(1)} failed requests or connections per measurement`];
  });
}
