// B3: requests per second on kept connections. B4: requests per second with a new connection for each. Run by main.ts.

import { type Bench, type Case, chooseSeconds, WARM_UP_SECONDS } from '../case.ts';
import { compare } from '../compare.ts';
import type { Row } from '../results.ts';
import { measureRounds, pick, type Rounds } from '../rig/rounds.ts';
import { measureCpu, startTestbed, type Testbed } from '../rig/testbed.ts';
import { TUNNELS, type TunnelName } from '../rig/tunnels.ts';
import { runWrk } from '../rig/visitors.ts';
import { mean } from '../statistics.ts';

const KEPT_CONNECTIONS = 32;
const KEPT_SECONDS = 3;
const CLOSING_CONNECTIONS = [8, 32, 128];
const CLOSING_SECONDS = 2;
const CPU_PER_REQUEST = { key: 'cpuMicros', unit: 'µs/request' };

interface Load {
  connections: number;
  seconds: number;
  closing: boolean;
}

export const keptConnections: Case = {
  id: 'B3',
  title: 'Requests per second on 32 kept connections',
  minutes: bench => (bench.quick ? 0.4 : 0.4 + bench.rounds * 0.42),
  run: async bench => {
    await using testbed = await startTestbed(bench);
    const load = {
      connections: KEPT_CONNECTIONS,
      seconds: chooseSeconds(bench, KEPT_SECONDS),
      closing: false,
    };
    const measured = await measure(bench, testbed, load);
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
    return { rows: [...rows, buildCpuRow(measured)], notes: describeErrors(measured) };
  },
};

function buildCpuRow(measured: Rounds<TunnelName>): Row {
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
  minutes: bench => (bench.quick ? 0.8 : 1 + bench.rounds * 0.82),
  run: async bench => {
    await using testbed = await startTestbed(bench);
    const rows: Row[] = [];
    const notes: string[] = [];
    for (const connections of CLOSING_CONNECTIONS) {
      const load = { connections, seconds: chooseSeconds(bench, CLOSING_SECONDS), closing: true };
      const measured = await measure(bench, testbed, load);
      rows.push(...compareClosing(measured, connections));
      notes.push(...describeErrors(measured, `, ${connections} at a time`));
    }
    return { rows, notes };
  },
};

function compareClosing(measured: Rounds<TunnelName>, connections: number): Row[] {
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

async function measure(bench: Bench, testbed: Testbed, load: Load): Promise<Rounds<TunnelName>> {
  const warmUp = { ...load, seconds: chooseSeconds(bench, WARM_UP_SECONDS) };
  for (const name of TUNNELS) await runWrk(testbed.tunnel(name).url, warmUp);
  return await measureRounds(TUNNELS, bench.rounds, async name => {
    const tunnel = testbed.tunnel(name);
    const { cpuSeconds = Number.NaN, ...figures } = await measureCpu(tunnel.pid, async () => {
      const { requests, perSecond, errors } = await runWrk(tunnel.url, load);
      return { figures: { perSecond, errors }, amount: requests };
    });
    return { ...figures, cpuMicros: cpuSeconds * 1e6 };
  });
}

/** Failed requests do not appear in any ratio, so they get a note. */
function describeErrors(measured: Rounds<TunnelName>, where = ''): string[] {
  return TUNNELS.flatMap(name => {
    const errors = mean(pick(measured[name], 'errors'));
    return errors === 0
      ? []
      : [`${name}${where}: ${errors.toFixed(1)} failed requests or connections per measurement`];
  });
}
