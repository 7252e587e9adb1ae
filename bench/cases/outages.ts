// B10: the server dies and comes back; how long until visitors are served again. B20: the same beside rathole. Run by
// main.ts.

import { setTimeout as delay } from 'node:timers/promises';
import type { Bench, Case } from '../case.ts';
import type { Row } from '../results.ts';
import { type BenchApp, startApp } from '../rig/app.ts';
import { HOSTS, startBoreServer } from '../rig/bore-server.ts';
import { GIVE_UP_S } from '../rig/first-visit.ts';
import { type Outage, runOutages } from '../rig/outage-lane.ts';
import { startRatholeClient, startRatholeServer } from '../rig/rathole.ts';
import { type OwnName, startTunnel, type TunnelName } from '../rig/tunnels.ts';
import { median } from '../statistics.ts';

const OUTAGES_S = [1, 5, 12, 60];
const QUICK_OUTAGES_S = [1, 5];
/** In shorter outages the tunnel retries several times per second, in longer ones less often. */
const LONG_OUTAGE_S = 30;
/**
 * Lanes run in parallel, because they spend nearly all of the time waiting. Each is a server, a tunnel and visitors.
 */
const LANES = 20;
const WASMRUN_LANES = 5;
const RATHOLE_LANES = 6;
/** How many of them also have the outage of a minute. */
const LONG_RUNS = 3;
const RATHOLE_REACH = 0.5;
/** Lanes start one after another, so that they do not all work at the same moment. */
const STAGGER_MS = 300;

export const outages: Case = {
  id: 'B10',
  title: 'The server dies and comes back after 1, 5, 12 and 60 s',
  minutes: bench => (bench.quick ? 0.5 : Math.ceil(bench.runs / LANES) * 1.9),
  run: async bench => {
    await using stack = new AsyncDisposableStack();
    const app = stack.adopt(await startApp(), one => one.stop());
    const ours: Outage[] = [];
    const peers: Outage[] = [];
    for (let done = 0; done < bench.runs; done += LANES) {
      const lanes = HOSTS.slice(0, Math.min(LANES, bench.runs - done));
      const lengthsS = bench.quick ? QUICK_OUTAGES_S : OUTAGES_S;
      const own = lanes.map((host, lane) =>
        runLane(bench, app, host, chooseOwn(lane), { place: lane, lengthsS }),
      );
      const others = done > 0 ? [] : HOSTS.slice(LANES, LANES + Math.min(WASMRUN_LANES, bench.runs));
      const peer = others.map((host, lane) =>
        runLane(bench, app, host, 'wasmrun', { place: lane + 0.5, lengthsS }),
      );
      const found = await Promise.all([Promise.all(own), Promise.all(peer)]);
      ours.push(...found[0].flat());
      peers.push(...found[1].flat());
    }
    const notes = ['bore local ends when its server ends.', ...describeLost(peers)];
    return { rows: [...buildRows(ours), ...compareWithPeer(ours, peers, 'wasmrun')], notes };
  },
};

export const reconnecting: Case = {
  id: 'B20',
  title: 'The server dies and comes back: beside `rathole`, with a server of its own',
  minutes: bench => (bench.quick ? 0.5 : 2.1),
  run: async bench => {
    await using stack = new AsyncDisposableStack();
    const app = stack.adopt(await startApp(), one => one.stop());
    const places = Array.from({ length: bench.quick ? 2 : RATHOLE_LANES }, (_, place) => place);
    const chooseLengths = (place: number) => {
      if (bench.quick) return QUICK_OUTAGES_S;
      return OUTAGES_S.filter(lengthS => lengthS < LONG_OUTAGE_S || place < LONG_RUNS);
    };
    const own = places.map(place => {
      const lengthsS = chooseLengths(place);
      return runLane(bench, app, HOSTS[place] ?? '', chooseOwn(place), { place, lengthsS });
    });
    const peer = places.map(async place => {
      await delay((place + 0.5) * STAGGER_MS);
      const host = HOSTS[place + RATHOLE_LANES] ?? '';
      const lane = {
        startServer: () => startRatholeServer(host),
        startTunnel: () => startRatholeClient(host, app.port),
      };
      return await runOutages(bench, lane, chooseLengths(place));
    });
    const [ours, peers] = await Promise.all([Promise.all(own), Promise.all(peer)]);
    return { rows: compareWithPeer(ours.flat(), peers.flat(), 'rathole', RATHOLE_REACH), notes: [RATHOLE] };
  },
};

const RATHOLE =
  'The time is from the moment the server listens again until the first good visit, as in B10. `rathole` runs with its ' +
  'defaults; its client tries again after one second at most.';

/** `place`: how many lanes start before it. */
async function runLane(
  bench: Bench,
  app: BenchApp,
  host: string,
  name: TunnelName,
  { place, lengthsS }: { place: number; lengthsS: readonly number[] },
): Promise<Outage[]> {
  await delay(place * STAGGER_MS);
  const target = { server: host, port: app.port, fromSource: bench.fromSource };
  const lane = { startServer: () => startBoreServer(host), startTunnel: () => startTunnel(name, target) };
  return await runOutages(bench, lane, lengthsS);
}

/** Alternately raw bytes and the gateway, because both use the same tunnel. */
function chooseOwn(lane: number): OwnName {
  return lane % 2 ? 'raw' : 'gateway';
}

function buildRows(all: readonly Outage[]): Row[] {
  const times = listLengths(all).map((lengthS): Row => {
    const samples = listSeconds(all, lengthS);
    const what = `after ${lengthS} s: from the server's return to the first good visit`;
    const reach = lengthS <= LONG_OUTAGE_S ? 0.6 : 10;
    return { what, samples, unit: 's', take: 'p95', better: 'lower', reach };
  });
  const kept = all.map(({ seconds }) => Number(seconds !== undefined));
  const share = `${kept.filter(Boolean).length} of ${kept.length}`;
  return [
    ...times,
    {
      what: `same URL (${share} outages)`,
      samples: kept,
      unit: '',
      take: 'worst',
      better: 'higher',
      reach: 1,
    },
  ];
}

/** Without a target, they are shown so that the report lists where the peer is better. */
function compareWithPeer(
  ours: readonly Outage[],
  peers: readonly Outage[],
  name: 'wasmrun' | 'rathole',
  reach?: number,
): Row[] {
  return listLengths(peers).map(lengthS => {
    const peer = median(listSeconds(peers, lengthS));
    const own = listSeconds(ours, lengthS);
    return {
      what: `after ${lengthS} s: to the first good visit`,
      samples: own.map(seconds => seconds / peer),
      unit: '×',
      take: 'median',
      better: 'lower',
      peer: name,
      ...(reach !== undefined && { reach }),
      absolute: { ours: median(own), peer, unit: 's' },
    };
  });
}

function describeLost(peers: readonly Outage[]): string[] {
  const lost = peers.filter(({ seconds }) => seconds === undefined).length;
  return lost === 0
    ? []
    : [`${lost} of ${peers.length} times, wasmrun was not back under its URL within ${GIVE_UP_S} s.`];
}

function listLengths(all: readonly Outage[]): number[] {
  return [...new Set(all.map(({ lengthS }) => lengthS))];
}

function listSeconds(all: readonly Outage[], lengthS: number): number[] {
  return all.filter(one => one.lengthS === lengthS).map(one => one.seconds ?? GIVE_UP_S);
}
