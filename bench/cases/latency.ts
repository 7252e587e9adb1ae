// B5 and B6: what the tunnel adds to an answer, and what becomes of one in two small writes. Run by main.ts.

import { type Bench, type Case, chooseSeconds } from '../case.ts';
import { compare } from '../compare.ts';
import type { Row } from '../results.ts';
import { type Figures, measureRounds, pick, type Rounds } from '../rig/rounds.ts';
import { type Setting, startSetting } from '../rig/setting.ts';
import { OURS, type OwnName, TUNNELS, type TunnelName } from '../rig/tunnels.ts';
import { type LatencyFigures, runVisitor } from '../rig/visitors.ts';

const RATE = 500;
const RATE_SECONDS = 3;
const SEQUENCE = 30;

type Place = TunnelName | 'direct';
const PLACES: readonly Place[] = ['direct', ...TUNNELS];

const LIMITS_MS: Readonly<Record<OwnName, number>> = { raw: 0.3, gateway: 0.6 };

export const addedLatency: Case = {
  id: 'B5',
  title: 'Latency added to an answer, at 500 requests a second',
  minutes: bench => (bench.quick ? 0.4 : 0.6 + bench.rounds * 0.55),
  run: async bench => {
    await using setting = await startSetting(bench);
    const measured = await measureAt(bench, setting, PLACES, url =>
      runVisitor<LatencyFigures>('rate', [
        ...['-url', url, '-rate', `${RATE}`],
        ...['-seconds', `${chooseSeconds(bench, RATE_SECONDS)}`],
      ]),
    );
    return {
      rows: [...describeMedians(measured), ...compareTails(measured)],
      notes: [describeDirect(measured)],
    };
  },
};

/** The peers' own medians stand beside it, as a ratio without a target. */
function describeMedians(measured: Rounds<Place>): Row[] {
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

function compareTails(measured: Rounds<Place>): Row[] {
  return compare({
    what: 'added to the 99th percentile',
    measured: subtractDirect(measured, 'p99'),
    key: 'p99',
    unit: 'ms',
    better: 'lower',
    targets: { raw: { 'bore local': { reach: 2 } }, gateway: { 'bore local': { reach: 2 } } },
  });
}

/** Less than this cannot be told from nothing, and a ratio to it says nothing. */
const LEAST_ADDED_MS = 0.02;

/** What else runs on the machine only adds to a figure, so the least of all rounds is what the app itself takes. */
function subtractDirect(measured: Rounds<Place>, key: 'p50' | 'p99'): Rounds<TunnelName> {
  const direct = Math.min(...pick(measured.direct, key));
  const subtract = (name: TunnelName): Figures[] =>
    pick(measured[name], key).map(value => ({ [key]: Math.max(LEAST_ADDED_MS, value - direct) }));
  return Object.fromEntries(TUNNELS.map(name => [name, subtract(name)])) as Record<TunnelName, Figures[]>;
}

function describeDirect(measured: Rounds<Place>): string {
  const [p50, p99] = ['p50', 'p99'].map(key => Math.min(...pick(measured.direct, key)).toFixed(2));
  return `Without a tunnel: median ${p50} ms, 99th percentile ${p99} ms, in the best round.`;
}

export const twoWrites: Case = {
  id: 'B6',
  title: 'An answer in two small writes',
  minutes: bench => (bench.quick ? 0.2 : 0.2 + bench.rounds * 0.35),
  run: async bench => {
    await using setting = await startSetting(bench);
    const apart = await measureHalves(bench, setting, '/halves');
    const inside = await measureHalves(bench, setting, '/halves?apart=body');
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
  'The 44 ms are a stall at the bore server: it delays the second write to its visitor until the first is ' +
  'acknowledged. A tunnel can only avoid it by sending both at once, which it can for head and body; of a body in ' +
  'two writes nobody can know whether more is to come.';

function measureHalves(bench: Bench, setting: Setting, path: string): Promise<Rounds<TunnelName>> {
  const args = ['-count', `${SEQUENCE}`];
  return measureAt(bench, setting, TUNNELS, url =>
    runVisitor<LatencyFigures>('sequence', ['-url', url + path, ...args]),
  );
}

async function measureAt<N extends Place>(
  bench: Bench,
  setting: Setting,
  places: readonly N[],
  ask: (url: string) => Promise<LatencyFigures>,
): Promise<Rounds<N>> {
  const urlOf = (place: Place) =>
    place === 'direct' ? `http://${setting.app.host}:${setting.app.port}` : setting.tunnel(place).url;
  // Nobody is measured before Node.js has compiled what is busy.
  for (const place of places) await ask(urlOf(place));
  return await measureRounds(places, bench.rounds, async place => {
    const { p50, p99, errors } = await ask(urlOf(place));
    if (errors > 0) bench.say(`${place}: ${errors} requests failed`);
    return { p50, p99, errors };
  });
}
