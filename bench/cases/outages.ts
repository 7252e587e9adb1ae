// B10: the server dies and comes back; how long until visitors are served again. Run by main.ts.

import { setTimeout as delay } from 'node:timers/promises';
import type { Bench, Case } from '../case.ts';
import type { Row } from '../results.ts';
import { type BenchApp, startApp } from '../rig/app.ts';
import { HOSTS, startBoreServer } from '../rig/bore-server.ts';
import { GIVE_UP_S, startProbing } from '../rig/first-visit.ts';
import { type RunningTunnel, startTunnel, type TunnelName } from '../rig/tunnels.ts';
import { median } from '../statistics.ts';

const OUTAGES_S = [1, 5, 12, 60];
const QUICK_OUTAGES_S = [1, 5];
/** In shorter outages the tunnel retries several times per second, in longer ones less often. */
const LONG_OUTAGE_S = 30;
/** Service before each outage. The tunnel resets its retry delays only after a session of 5 s. */
const SERVICE_MS = 6_000;
/**
 * Lanes run in parallel, because they spend nearly all of the time waiting. Each is a server, a tunnel and visitors.
 */
const LANES = 10;
const WASMRUN_LANES = 5;
/** Lanes start one after another, so that they do not all work at the same moment. */
const STAGGER_MS = 600;

interface Outage {
  lengthS: number;
  /**
   * From the moment the server listens again until a visitor has a whole answer under the same URL; undefined if nobody
   * got one.
   */
  seconds: number | undefined;
}

export const outages: Case = {
  id: 'B10',
  title: 'The server dies and comes back after 1, 5, 12 and 60 s',
  minutes: bench => (bench.quick ? 0.5 : Math.ceil(bench.runs / LANES) * 1.7),
  run: async bench => {
    await using stack = new AsyncDisposableStack();
    const app = stack.adopt(await startApp(), one => one.stop());
    const ours: Outage[] = [];
    const peers: Outage[] = [];
    for (let done = 0; done < bench.runs; done += LANES) {
      const lanes = HOSTS.slice(0, Math.min(LANES, bench.runs - done));
      // Alternately raw bytes and the gateway, because both use the same tunnel.
      const own = lanes.map((host, lane) => runLane(bench, app, host, lane % 2 ? 'raw' : 'gateway', lane));
      const others = done > 0 ? [] : HOSTS.slice(LANES, LANES + Math.min(WASMRUN_LANES, bench.runs));
      const peer = others.map((host, lane) => runLane(bench, app, host, 'wasmrun', lane + 0.5));
      ours.push(...(await Promise.all(own)).flat());
      peers.push(...(await Promise.all(peer)).flat());
    }
    const notes = ['bore local ends when its server ends.', ...describeLost(peers)];
    return { rows: [...buildRows(ours), ...compareWithPeer(ours, peers)], notes };
  },
};

/** Runs one outage of each length, one after another, on one tunnel. */
async function runLane(
  bench: Bench,
  app: BenchApp,
  host: string,
  name: TunnelName,
  lane: number,
): Promise<Outage[]> {
  await delay(lane * STAGGER_MS);
  await using stack = new AsyncDisposableStack();
  let server = await startBoreServer(host);
  stack.defer(() => server.kill());
  const target = { server: host, port: app.port, fromSource: bench.fromSource };
  const tunnel = stack.adopt(await startTunnel(name, target), one => one.stop());
  const found: Outage[] = [];
  for (const lengthS of bench.quick ? QUICK_OUTAGES_S : OUTAGES_S) {
    await delay(SERVICE_MS);
    await server.kill();
    await delay(lengthS * 1_000);
    const { answered } = startProbing(tunnel);
    server = await startBoreServer(host);
    const at = await answered;
    found.push({ lengthS, seconds: at === undefined ? undefined : (at - server.listeningAt) / 1_000 });
    if (at === undefined) reportLoss(bench, tunnel, lengthS);
  }
  return found;
}

function reportLoss(bench: Bench, tunnel: RunningTunnel, lengthS: number): void {
  bench.log(`${tunnel.name} on ${tunnel.host}: no answer under its URL after an outage of ${lengthS} s`);
  bench.log(`  the last line of its output: ${tunnel.program.lines.at(-1)?.text ?? 'none'}`);
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

/** These rows have no target. They are shown so that the report lists where the peer is better. */
function compareWithPeer(ours: readonly Outage[], peers: readonly Outage[]): Row[] {
  return listLengths(peers).map(lengthS => {
    const peer = median(listSeconds(peers, lengthS));
    const own = listSeconds(ours, lengthS);
    return {
      what: `after ${lengthS} s: to the first good visit`,
      samples: own.map(seconds => seconds / peer),
      unit: '×',
      take: 'median',
      better: 'lower',
      peer: 'wasmrun',
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
