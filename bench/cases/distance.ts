// B7: the time to the first byte over a link with a real round-trip time, for a visitor who comes alone and for one who
// comes right after another. Run by main.ts.

import { setTimeout as delay } from 'node:timers/promises';
import type { Bench, Case } from '../case.ts';
import { compare } from '../compare.ts';
import type { Row } from '../results.ts';
import { type FarLink, type FarName, startFarLink } from '../rig/far-link.ts';
import { type Figures, measureRounds } from '../rig/rounds.ts';
import { type LatencyFigures, runVisitor } from '../rig/visitors.ts';

const ROUND_TRIPS_MS = [20, 50, 150];
export const FAR_NAMES: readonly FarName[] = ['bore local', 'raw', 'gateway'];
/** Longer than a spare connection lives: it is closed when no visitor has come for 2.5 s since it was opened. */
const SILENCE_MS = 4_000;
/**
 * Measurements for each round. A visit takes one round trip more if the server's last heartbeat is not acknowledged
 * yet, so a few visits are not enough.
 */
const FIRST_VISITS = 2;
/** The time from one visitor to the next, if one follows the other. */
const FOLLOW_MS = 100;
const COLD_REACH = { 'bore local': { reach: 0.82 } };
const WARM_REACH = { 'bore local': { reach: 0.6 } };

export const firstByte: Case = {
  id: 'B7',
  title: 'The first byte on a new connection, 20, 50 and 150 ms away',
  minutes: bench => (bench.quick ? 0.6 : 0.3 + bench.rounds * 0.6),
  run: async bench => {
    // At the same time, because they spend nearly all of it waiting.
    const rows = await Promise.all(ROUND_TRIPS_MS.map(rttMs => measureLink(bench, rttMs)));
    return { rows: rows.flat(), notes: [MEANING] };
  },
};

const MEANING =
  'First visitor: nobody came in the 4 s before. Follower: comes 0.1 s after another visitor, like all connections of ' +
  'a browser except the first, and can use a spare connection. The peer has no spare connections.';

async function measureLink(bench: Bench, rttMs: number): Promise<Row[]> {
  await using link = await startFarLink(bench, rttMs, FAR_NAMES);
  for (const name of FAR_NAMES) await visit(link, name, 3);
  const awaitSilence = trackSilence();
  const cold = await measureRounds(FAR_NAMES, bench.rounds * FIRST_VISITS, async name => {
    await awaitSilence(name);
    return await visit(link, name, 0);
  });
  const warm = await measureRounds(FAR_NAMES, bench.rounds, name => visit(link, name, 2));
  const common = { key: 'p50', unit: 'ms', better: 'lower' } as const;
  return [
    ...compare({
      ...common,
      what: `first visitor, ${rttMs} ms away`,
      measured: cold,
      targets: { raw: COLD_REACH, gateway: COLD_REACH },
    }),
    ...compare({
      ...common,
      what: `follower, ${rttMs} ms away`,
      measured: warm,
      targets: { raw: WARM_REACH, gateway: WARM_REACH },
    }),
  ];
}

/**
 * Sends a visitor and then `followers` more. The figure is the followers' median; without followers, the first's time.
 */
async function visit(link: FarLink, name: FarName, followers: number): Promise<Figures> {
  const args = ['-url', `${link.tunnel(name).url}/`, '-fresh', '-count', `${followers + 1}`];
  if (followers > 0) args.push('-skip', '1', '-pause', `${FOLLOW_MS}ms`);
  const namespace = link.rig.server;
  const { p50, errors } = await runVisitor<LatencyFigures>('sequence', args, { namespace });
  if (errors > 0) throw new Error(`${name}: ${errors} of ${followers + 1} visitors got no answer`);
  return { p50 };
}

/**
 * Returns a function that resolves when a tunnel has had no visitor for 4 s. The caller then sends the next visitor.
 */
export function trackSilence(): (name: string) => Promise<void> {
  const quietSince = new Map<string, number>();
  return async name => {
    const since = quietSince.get(name) ?? performance.now();
    await delay(Math.max(0, since + SILENCE_MS - performance.now()));
    quietSince.set(name, performance.now());
  };
}
