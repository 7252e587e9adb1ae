// B5: how much time the tunnel adds to an answer. B6: how long an answer takes that the app writes in two small pieces.
// Run by main.ts.

import { type Bench, type Case, chooseSeconds } from '../case.ts';
import { compare } from '../compare.ts';
import type { Row } from '../results.ts';
import { type Figures, measureRounds, pick, type Rounds } from '../rig/rounds.ts';
import { startTestbed, type Testbed } from '../rig/testbed.ts';
import { OURS, type OwnName, type PeerName, TUNNELS } from '../rig/tunnels.ts';
import { type LatencyFigures, runRate, runVisitor } from '../rig/visitors.ts';

const RATE_SECONDS = 2;
const SEQUENCE = 15;

/** How a request reaches the app: through a tunnel, or on the app's own port. */
type PlainName = PeerName | OwnName;
type Route = PlainName | 'direct';
const ROUTES: readonly Route[] = ['direct', ...TUNNELS];

const LIMITS_MS: Readonly<Record<OwnName, number>> = { raw: 0.3, gateway: 0.6 };

export const addedLatency: Case = {
  id: 'B5',
  title: 'Latency added to an answer, at 500 requests per second',
  minutes: bench => (bench.quick ? 0.4 : 0.4 + bench.rounds * 0.37),
  run: async bench => {
    await using testbed = await startTestbed(bench);
    const measured = await measureRoutes(bench, testbed, ROUTES, url =>
      runRate({ url, headers: [] }, chooseSeconds(bench, RATE_SECONDS)),
    );
    return {
      rows: [...compareMedians(measured), ...compareTails(measured)],
      notes: [describeDirect(measured)],
    };
  },
};

/** Our added latency has a target in milliseconds. Its ratio to the peers' has none. */
function compareMedians(measured: Rounds<Route>): Row[] {
  const added = subtractDirect(measured, 'p50');
  const limits = OURS.map(
    (own): Row => ({
      what: `${own}, added to the median`,
      samples: pick(added[own], 'p50'),
      unit: 'ms',
      take: 'median',
      better: 'lower',
      reach: LIMITS_MS[own],
    }),
  );
  const ratios = compare({
    what: 'added to the median',
    measured: added,
    key: 'p50',
    unit: 'ms',
    better: 'lower',
  });
  return [...limits, ...ratios];
}

function compareTails(measured: Rounds<Route>): Row[] {
  return compare({
    what: 'added to the 99th percentile',
    measured: subtractDirect(measured, 'p99'),
    key: 'p99',
    unit: 'ms',
    better: 'lower',
    targets: { raw: { 'bore local': { reach: 2 } }, gateway: { 'bore local': { reach: 2 } } },
  });
}

/** A smaller difference cannot be measured, and a ratio to it would mean nothing. */
const MIN_ADDED_MS = 0.02;

/**
 * Subtracts what the app itself takes: the smallest direct figure of all rounds, because other programs on the machine
 * can only make a figure larger.
 */
function subtractDirect(measured: Rounds<Route>, key: 'p50' | 'p99'): Rounds<PlainName> {
  const direct = Math.min(...pick(measured.direct, key));
  const subtract = (name: PlainName): Figures[] =>
    pick(measured[name], key).map(value => ({ [key]: Math.max(MIN_ADDED_MS, value - direct) }));
  return Object.fromEntries(TUNNELS.map(name => [name, subtract(name)])) as Record<PlainName, Figures[]>;
}

function describeDirect(measured: Rounds<Route>): string {
  const [p50, p99] = ['p50', 'p99'].map(key => Math.min(...pick(measured.direct, key)).toFixed(2));
  return `Without a tunnel, in the best round: median ${p50} ms, 99th percentile ${p99} ms.`;
}

export const twoWrites: Case = {
  id: 'B6',
  title: 'An answer in two small writes',
  minutes: bench => (bench.quick ? 0.2 : 0.2 + bench.rounds * 0.18),
  run: async bench => {
    await using testbed = await startTestbed(bench);
    const apart = await measureHalves(bench, testbed, '/halves');
    const inside = await measureHalves(bench, testbed, '/halves?apart=body');
    const common = { key: 'p50', unit: 'ms', better: 'lower' } as const;
    const rows = [
      ...compare({
        ...common,
        what: 'head and body apart, median',
        measured: apart,
        targets: { gateway: { 'bore local': { reach: 0.2 } } },
      }),
      ...compare({ ...common, what: 'a body in two writes, median', measured: inside }),
    ];
    return { rows, notes: [STALL] };
  },
};

const STALL =
  'The 44 ms are a delay at the bore server, which sends the second write to its visitor only when the first is ' +
  'acknowledged. A tunnel avoids it by sending both at once. It can do that for head and body, but not for a body in ' +
  'two writes: it cannot know whether more will follow.';

function measureHalves(bench: Bench, testbed: Testbed, path: string): Promise<Rounds<PlainName>> {
  const args = ['-count', `${SEQUENCE}`];
  return measureRoutes(bench, testbed, TUNNELS, url =>
    runVisitor<LatencyFigures>('sequence', ['-url', url + path, ...args]),
  );
}

async function measureRoutes<N extends Route>(
  bench: Bench,
  testbed: Testbed,
  routes: readonly N[],
  sendRequests: (url: string) => Promise<LatencyFigures>,
): Promise<Rounds<N>> {
  const urlOf = (route: Route) =>
    route === 'direct' ? `http://${testbed.app.host}:${testbed.app.port}` : testbed.tunnel(route).url;
  // A first run that is not measured, so that Node.js compiles the busy code.
  for (const route of routes) await sendRequests(urlOf(route));
  return await measureRounds(routes, bench.rounds, async route => {
    const { p50, p99, errors } = await sendRequests(urlOf(route));
    if (errors > 0) bench.log(`${route}: ${errors} requests failed`);
    return { p50, p99, errors };
  });
}
