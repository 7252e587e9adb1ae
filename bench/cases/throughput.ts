// B1: the speed of one large stream. B2: the speed of sixteen streams at a time. Run by main.ts.

import { findFreePort } from '../../src/app/process/free-port.ts';
import { type Bench, type Case, chooseSeconds, WARM_UP_SECONDS } from '../case.ts';
import { compare } from '../compare.ts';
import type { Row } from '../results.ts';
import { measureRounds, type Rounds } from '../rig/rounds.ts';
import { measureCpu, startTestbed, type Testbed } from '../rig/testbed.ts';
import { type OwnName, PEERS, type PeerName, TUNNELS, type TunnelName } from '../rig/tunnels.ts';
import { runIperf, runStream, startIperfServer } from '../rig/visitors.ts';

const BYTES = 600e6;
const QUICK_BYTES = 200e6;
/** How much each tunnel carries before the first round, for the reason that WARM_UP_SECONDS gives. */
const WARM_UP_BYTES = 1.2e9;
export const DIRECTIONS = ['down', 'up'] as const;
export type Direction = (typeof DIRECTIONS)[number];

const STREAMS = 16;
const IPERF_SECONDS = 1;
const IPERF_TUNNELS = [...PEERS, 'raw'] as const;
type IperfName = (typeof IPERF_TUNNELS)[number];
export const CPU_PER_GB = { key: 'cpuSeconds', unit: 's/GB' };

export const oneStream: Case = {
  id: 'B1',
  title: 'One stream of 600 MB, in each direction',
  minutes: bench => (bench.quick ? 0.3 : 0.5 + bench.rounds * 0.22),
  run: async bench => {
    await using testbed = await startTestbed(bench);
    const rows: Row[] = [];
    for (const direction of DIRECTIONS)
      rows.push(...compareStreams(await measureStreams(bench, testbed, TUNNELS, direction), direction));
    return { rows };
  },
};

/** Resolves with `mbPerSecond` and `cpuSeconds` a GB of each tunnel. */
export async function measureStreams<N extends TunnelName>(
  bench: Bench,
  testbed: Testbed,
  names: readonly N[],
  direction: Direction,
): Promise<Rounds<N>> {
  const bytes = bench.quick ? QUICK_BYTES : BYTES;
  for (const name of names)
    await runStream(testbed.tunnel(name), direction, bench.quick ? QUICK_BYTES : WARM_UP_BYTES);
  return await measureRounds(names, bench.rounds, name => {
    const tunnel = testbed.tunnel(name);
    return measureCpu(tunnel.pids, async () => {
      const millis = await runStream(tunnel, direction, bytes);
      return { figures: { mbPerSecond: bytes / 1e3 / millis }, amount: bytes / 1e9 };
    });
  });
}

function compareStreams(measured: Rounds<PeerName | OwnName>, direction: Direction): Row[] {
  const throughput = compare({
    what: `600 MB ${direction}`,
    measured,
    key: 'mbPerSecond',
    unit: 'MB/s',
    better: 'higher',
    cpu: CPU_PER_GB,
    targets: { raw: { 'bore local': { reach: 1.2 } }, gateway: { 'bore local': { reach: 0.9 } } },
  });
  const { raw, 'bore local': peer } = measured;
  const cpu = compare({
    what: `600 MB ${direction}, processor time`,
    measured: { raw, 'bore local': peer },
    key: 'cpuSeconds',
    unit: 's/GB',
    better: 'lower',
    targets: { raw: { 'bore local': { reach: 0.6 } } },
  });
  return [...throughput, ...cpu];
}

export const sixteenStreams: Case = {
  id: 'B2',
  title: 'Sixteen streams at a time, with iperf3',
  minutes: bench => (bench.quick ? 0.4 : 0.4 + bench.rounds * 0.3),
  run: async bench => {
    const port = await findFreePort();
    await using stack = new AsyncDisposableStack();
    stack.adopt(await startIperfServer(port), one => one.stop());
    const testbed = stack.use(await startTestbed(bench, IPERF_TUNNELS, port));
    const rows: Row[] = [];
    for (const direction of DIRECTIONS) {
      const measured = await measureIperf(bench, testbed, direction);
      rows.push(
        ...compare({
          what: `16 streams ${direction}`,
          measured,
          key: 'mbPerSecond',
          unit: 'MB/s',
          better: 'higher',
          cpu: CPU_PER_GB,
          targets: { raw: { 'bore local': { reach: 0.9 } } },
        }),
      );
    }
    return { rows };
  },
};

async function measureIperf(
  bench: Bench,
  testbed: Testbed,
  direction: Direction,
): Promise<Rounds<IperfName>> {
  const seconds = chooseSeconds(bench, IPERF_SECONDS);
  const load = (name: IperfName) => runIperf(testbed.tunnel(name), { streams: STREAMS, seconds, direction });
  for (const name of IPERF_TUNNELS)
    for (let second = 0; second < WARM_UP_SECONDS; second += IPERF_SECONDS) await load(name);
  return await measureRounds(IPERF_TUNNELS, bench.rounds, name =>
    measureCpu(testbed.tunnel(name).pids, async () => {
      const { bytes, bytesPerSecond } = await load(name);
      return { figures: { mbPerSecond: bytesPerSecond / 1e6 }, amount: bytes / 1e9 };
    }),
  );
}
