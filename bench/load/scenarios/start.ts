// All previews of a world start at the same moment. Used by the other scenarios.

import { describeTimes, type Row } from '../results.ts';
import type { World } from '../world.ts';

/** A preview whose port is in use waits 10 s before it takes its second choice. */
const WAITED_MS = 9_000;

/** Resolves when all are connected. */
export async function startAll(world: World): Promise<{ rows: Row[]; startMs: number[] }> {
  const began = Date.now();
  const names = new Set(await world.openAll());
  const startMs = world.events.flatMap(event =>
    event.kind === 'connected' && names.has(event.name) ? [event.at - began] : [],
  );
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
