// B11: the link drops every packet for 20 s and then works again. Run by main.ts.

import { setTimeout as delay } from 'node:timers/promises';
import type { Bench, Case } from '../case.ts';
import type { Row } from '../results.ts';
import { type FarName, startFarLink } from '../rig/far-link.ts';
import { GIVE_UP_S, startProbing } from '../rig/first-visit.ts';
import { parseState } from '../rig/tunnels.ts';

const SILENCE_MS = 20_000;
const ROUND_TRIP_MS = 20;
/** Service before the silence. */
const SERVICE_MS = 2_000;
/** Visitors start this long before the link works again. */
const VISITORS_LEAD_MS = 200;
/** Links that are measured in parallel, because they spend nearly all of the time waiting. */
const LANES = 10;
const STAGGER_MS = 300;

interface Silence {
  /** Both in seconds; undefined if it did not happen. */
  noticed: number | undefined;
  served: number | undefined;
}

export const silence: Case = {
  id: 'B11',
  title: 'The link is silent for 20 s and comes back',
  minutes: bench => Math.ceil(bench.runs / LANES) * 0.45,
  run: async bench => {
    const all: Silence[] = [];
    for (let done = 0; done < bench.runs; done += LANES) {
      const lanes = Array.from({ length: Math.min(LANES, bench.runs - done) }, (_, lane) => lane);
      all.push(...(await Promise.all(lanes.map(lane => runLane(bench, lane)))));
    }
    const row = { unit: 's', take: 'p95', better: 'lower' } as const;
    const rows: Row[] = [
      {
        ...row,
        what: 'from the last packet until it is noticed',
        samples: all.map(one => one.noticed ?? GIVE_UP_S),
        reach: 5.5,
      },
      {
        ...row,
        what: "from the link's return to the first good visit, same URL",
        samples: all.map(one => one.served ?? GIVE_UP_S),
        reach: 1,
      },
    ];
    return {
      rows,
      notes: [`The round-trip time is ${ROUND_TRIP_MS} ms. Packets are dropped in both directions.`],
    };
  },
};

async function runLane(bench: Bench, lane: number): Promise<Silence> {
  await delay(lane * STAGGER_MS);
  const name: FarName = lane % 2 ? 'raw' : 'gateway';
  await using link = await startFarLink(bench, ROUND_TRIP_MS, [name]);
  const { program, host, port } = link.tunnel(name);
  await delay(SERVICE_MS);
  await link.rig.drop();
  const silentAt = performance.now();
  const noticing = program.waitFor(
    text => (parseState(text)?.status === 'Reconnecting' ? true : undefined),
    'the state Reconnecting',
  );
  const noticed = noticing.then(({ at }) => (at - silentAt) / 1_000).catch(() => undefined);
  await delay(SILENCE_MS - VISITORS_LEAD_MS);
  const { answered } = startProbing({ host, port }, link.rig.server);
  await delay(VISITORS_LEAD_MS);
  await link.rig.heal();
  const healedAt = performance.now();
  const at = await answered;
  return { noticed: await noticed, served: at === undefined ? undefined : (at - healedAt) / 1_000 };
}
