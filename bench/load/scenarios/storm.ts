// Servers die and come back: how long until every preview is served again, and under the same URL? Used by main.ts and
// test/tunnel/storm.test.ts.

import { setTimeout as delay } from 'node:timers/promises';
import type { Window } from '../outages.ts';
import type { World } from '../world.ts';

/** Far above the target, so that a miss is measured and not only noticed. */
const SETTLE_LIMIT_MS = 60_000;

export interface StormOptions {
  /** The servers that die. */
  hosts: readonly string[];
  signal: 'SIGTERM' | 'SIGKILL';
  downMs: number;
  /** How often each waiting preview is visited. */
  probeMs: number;
  /** Previews that are watched otherwise. */
  except?: readonly string[];
}

export interface Storm {
  previews: number;
  /** For each preview: milliseconds from the moment its server listens again to its first good visit. */
  returnMs: number[];
  /** For each preview: milliseconds from the signal to its first good visit. */
  outageMs: number[];
  /** Previews with another URL than before. */
  moved: string[];
  window: Window;
}

/** Ends the servers at once, starts them again, and resolves when each preview on them was visited. */
export async function runStorm(world: World, options: StormOptions): Promise<Storm> {
  const { hosts, signal, downMs, probeMs, except = [] } = options;
  const homes = new Map(hosts.flatMap(host => world.listOn(host).map(name => [name, host] as const)));
  const names = [...homes.keys()];
  const watched = names.filter(name => !except.includes(name));
  const before = new Map(names.map(name => [name, world.places.get(name)]));
  const from = Date.now();
  for (const name of names) world.served.delete(name);
  const ended = new Map(
    await Promise.all(hosts.map(async host => [host, await world.server(host).end(signal)] as const)),
  );
  world.crowd.tell({ kind: 'watch', names: watched, everyMs: probeMs, untilServed: true });
  await delay(downMs);
  await Promise.all(hosts.map(host => world.startServer(host)));
  await world.waitFor(
    () => watched.every(name => world.served.has(name)) && names.every(name => world.connected.has(name)),
    'every preview is served again',
    SETTLE_LIMIT_MS,
  );
  const since = (startOf: (host: string) => number) =>
    watched.map(name => (world.served.get(name) ?? 0) - startOf(homes.get(name) ?? ''));
  return {
    previews: names.length,
    returnMs: since(host => world.server(host).listeningAt),
    outageMs: since(host => ended.get(host) ?? 0),
    moved: names.filter(name => {
      const [old, place] = [before.get(name), world.places.get(name)];
      return old?.host !== place?.host || old?.port !== place?.port;
    }),
    window: { names: new Set(names), from, to: Date.now() },
  };
}
