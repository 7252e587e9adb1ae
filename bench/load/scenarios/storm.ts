// Servers die, or freeze, and come back: how long until every preview is served again, and under the same URL? Used by
// the other scenarios and test/tunnel/storm.test.ts.

import { setTimeout as delay } from 'node:timers/promises';
import type { TunRig } from '../../../test/support/tun-rig.ts';
import type { Window } from '../outages.ts';
import type { Returns } from '../results.ts';
import type { Place, World } from '../world.ts';

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

/** A storm after which servers were started again. */
export interface Restart extends Storm {
  /** For each server: milliseconds from the signal until it listens again. */
  awayMs: number[];
}

/** Ends the servers at once, starts them again, and resolves when each preview on them was visited. */
export async function runStorm(world: World, options: StormOptions): Promise<Restart> {
  const { hosts, signal, downMs, probeMs, except = [] } = options;
  const homes = new Map(hosts.flatMap(host => world.listOn(host).map(name => [name, host] as const)));
  const names = [...homes.keys()];
  const watched = names.filter(name => !except.includes(name));
  const before = rememberPlaces(world, names);
  const from = Date.now();
  for (const name of names) world.served.delete(name);
  const ended = new Map(
    await Promise.all(hosts.map(async host => [host, await world.server(host).end(signal)] as const)),
  );
  world.crowd.tell({ kind: 'watch', names: watched, everyMs: probeMs, untilServed: true });
  await delay(downMs);
  await Promise.all(hosts.map(host => world.startServer(host)));
  await waitUntilServed(world, watched);
  await world.waitFor(() => names.every(name => world.connected.has(name)), 'every preview is connected');
  const since = (startOf: (host: string) => number) =>
    watched.map(name => (world.served.get(name) ?? 0) - startOf(homes.get(name) ?? ''));
  return {
    previews: names.length,
    returnMs: since(host => world.server(host).listeningAt),
    outageMs: since(host => ended.get(host) ?? 0),
    moved: listMoved(world, before),
    window: { names: new Set(names), from, to: Date.now() },
    awayMs: hosts.map(host => world.server(host).listeningAt - (ended.get(host) ?? 0)),
  };
}

/** Stops the server's process for some time, as an overloaded machine does. */
export function runFreeze(
  world: World,
  host: string,
  { frozenMs, probeMs }: { frozenMs: number; probeMs: number },
): Promise<Storm> {
  const { pid } = world.server(host);
  const stop = () => void process.kill(pid, 'SIGSTOP');
  const goOn = () => void process.kill(pid, 'SIGCONT');
  return interrupt(world, { stop, goOn, lengthMs: frozenMs, probeMs });
}

/** Drops every packet between servers and previews for some time. */
export function runSilence(
  world: World,
  link: Pick<TunRig, 'drop' | 'heal'>,
  { silentMs, probeMs }: { silentMs: number; probeMs: number },
): Promise<Storm> {
  return interrupt(world, { stop: () => link.drop(), goOn: () => link.heal(), lengthMs: silentMs, probeMs });
}

/** All previews are interrupted, and have to be served again. */
async function interrupt(
  world: World,
  how: {
    stop: () => Promise<void> | void;
    goOn: () => Promise<void> | void;
    lengthMs: number;
    probeMs: number;
  },
): Promise<Storm> {
  const names = [...world.places.keys()];
  const before = rememberPlaces(world, names);
  for (const name of names) world.served.delete(name);
  const from = Date.now();
  await how.stop();
  await delay(how.lengthMs);
  await how.goOn();
  const back = Date.now();
  world.crowd.tell({ kind: 'watch', names, everyMs: how.probeMs, untilServed: true });
  await waitUntilServed(world, names);
  const servedAt = names.map(name => world.served.get(name) ?? 0);
  return {
    previews: names.length,
    returnMs: servedAt.map(at => at - back),
    outageMs: servedAt.map(at => at - from),
    moved: listMoved(world, before),
    window: { names: new Set(names), from, to: Date.now() },
  };
}

/** The storm as a part of a section. */
export function toReturns(
  { previews, moved, returnMs, outageMs }: Storm,
  since: Returns['since'] = 'return',
): Returns {
  const times = since === 'return' ? returnMs : outageMs;
  return { previews, moved: moved.length, seconds: times.map(ms => ms / 1_000), since };
}

async function waitUntilServed(world: World, names: readonly string[]): Promise<void> {
  const isOver = () => names.every(name => world.served.has(name));
  await world.waitFor(isOver, 'every preview is served again', SETTLE_LIMIT_MS);
}

function rememberPlaces({ places }: World, names: readonly string[]): Map<string, Place | undefined> {
  return new Map(names.map(name => [name, places.get(name)]));
}

/** The previews that are not where they were. */
function listMoved({ places }: World, before: ReadonlyMap<string, Place | undefined>): string[] {
  return [...before.keys()].filter(name => {
    const [old, place] = [before.get(name), places.get(name)];
    return old?.host !== place?.host || old?.port !== place?.port;
  });
}
