// All previews of a world start at the same moment. Used by the other scenarios.

import { describeTimes, type Row } from '../results.ts';
import type { World } from '../world.ts';

/** A preview whose port is in use waits 10 s before it takes its second choice. */
const WAITED_MS = 9_000;
/** Node.js compiles only busy code: without earlier visits, those after a restart would measure code that is not compiled. */
const WARM_UP_VISITS = 3;
const PROBE_MS = 200;

/** Resolves when all are connected and have had visitors. */
export async function startAll(world: World): Promise<{ rows: Row[]; startMs: number[] }> {
  const began = Date.now();
  const names = new Set(await world.openAll());
  const startMs = world.events.flatMap(event =>
    event.kind === 'connected' && names.has(event.name) ? [event.at - began] : [],
  );
  await warmUp(world, [...names]);
  const waited = startMs.filter(ms => ms >= WAITED_MS).length;
  return {
    startMs,
    rows: [
      { what: 'previews', value: names.size, unit: '' },
      describeTimes('connected after', startMs),
      { what: 'waited for a port in use, then took their second choice', value: waited, unit: '' },
    ],
  };
}

async function warmUp(world: World, names: readonly string[]): Promise<void> {
  for (let visits = 0; visits < WARM_UP_VISITS; visits += 1) {
    world.served.clear();
    world.crowd.tell({ kind: 'watch', names, everyMs: PROBE_MS, untilServed: true });
    await world.waitFor(() => names.every(name => world.served.has(name)), 'every preview has a visitor');
  }
}
