// B16: how long until a built web app runs in a distant browser, and at a second visit. Run by main.ts.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashPublicKey, TestCa } from '../../test/support/test-ca.ts';
import { SERVER_ADDRESS, startTunRig, type TunRig } from '../../test/support/tun-rig.ts';
import type { Bench, Case } from '../case.ts';
import type { Row } from '../results.ts';
import { startBoreServer } from '../rig/bore-server.ts';
import { type AppBrowser, startAppBrowser } from '../rig/browser.ts';
import { readCaddyVersion, startCaddyFiles } from '../rig/caddy.ts';
import { startPlainServer } from '../rig/file-servers.ts';
import { divideRounds, type Figures, measureRounds, pick, type Rounds } from '../rig/rounds.ts';
import { type RunningTunnel, startTunnel } from '../rig/tunnels.ts';
import { APP_OBJECTS, writeWebApp } from '../rig/web-app.ts';
import { median } from '../statistics.ts';

const ROUND_TRIP_MS = 50;
const RATES_MBIT = [20, 100] as const;

const OURS = ['gateway', 'gateway with TLS'] as const;
/** In front of two file servers. */
const PEERS = ['bore local', 'bore local with Caddy'] as const;
type OwnName = (typeof OURS)[number];
type PeerName = (typeof PEERS)[number];
type Name = OwnName | PeerName;

/** Of the first visit. */
const REACH: Readonly<Record<PeerName, number>> = { 'bore local': 0.45, 'bore local with Caddy': 1 };
const SECOND_REACH = 0.2;

export const webApp: Case = {
  id: 'B16',
  title: 'A built web app with 9 MB of WebAssembly, 50 ms away at 20 and 100 Mbit/s, until its main runs',
  minutes: bench => (bench.quick ? 1 : 0.4 + bench.rounds * 0.7),
  run: async bench => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.adopt(await writeWebApp(), one => rmSync(one, { recursive: true }));
    const rig = stack.adopt(await startTunRig({ rttMs: ROUND_TRIP_MS }), one => one.stop());
    stack.adopt(await startBoreServer(SERVER_ADDRESS, rig.server), one => one.kill());
    const ca = stack.adopt(new TestCa(), one => one.remove());
    const identity = ca.issue([`IP:${SERVER_ADDRESS}`]);
    const tls = { cert: join(ca.folder, 'bench.pem'), key: join(ca.folder, 'bench.key') };
    writeFileSync(tls.cert, identity.cert);
    writeFileSync(tls.key, identity.key, { mode: 0o600 });
    const caddy = readCaddyVersion();
    const peers = PEERS.filter(name => name === 'bore local' || caddy !== undefined);
    const urls = new Map<Name, string>();
    for (const name of [...OURS, ...peers]) {
      const tunnel = await startOne(name, { bench, rig, folder, tls, stack });
      urls.set(name, `${tunnel.url}/`);
    }
    const browser = stack.adopt(await startAppBrowser(rig.server, hashPublicKey(identity.cert)), one =>
      one.stop(),
    );
    const rows: Row[] = [];
    for (const rate of RATES_MBIT) {
      await rig.setRate(rate);
      const measured = await measureVisits(bench, browser, urls);
      rows.push(...OURS.flatMap(own => buildRows(own, peers, measured, rate)));
    }
    return { rows, notes: describeConditions(browser, caddy) };
  },
};

interface Setting {
  bench: Bench;
  rig: TunRig;
  /** The web app. */
  folder: string;
  tls: { cert: string; key: string };
  /** What is started is added here. */
  stack: AsyncDisposableStack;
}

async function startOne(name: Name, { bench, rig, folder, tls, stack }: Setting): Promise<RunningTunnel> {
  const common = { server: SERVER_ADDRESS, fromSource: bench.fromSource, namespace: rig.runner };
  const start = async () => {
    if (name === 'gateway') return await startTunnel('gateway', { ...common, port: 0, folder });
    if (name === 'gateway with TLS') return await startTunnel('gateway', { ...common, port: 0, folder, tls });
    const startServer = name === 'bore local' ? startPlainServer : startCaddyFiles;
    const { port } = stack.adopt(await startServer(folder, rig.runner), one => one.stop());
    return await startTunnel('bore local', { ...common, port });
  };
  return stack.adopt(await start(), one => one.stop());
}

async function measureVisits(
  bench: Bench,
  browser: AppBrowser,
  urls: ReadonlyMap<Name, string>,
): Promise<Rounds<Name>> {
  const visit = async (name: Name): Promise<Figures> => {
    const [first = Number.NaN, second = Number.NaN] = await browser.visitTwice(
      urls.get(name) ?? '',
      APP_OBJECTS,
    );
    return { first, second };
  };
  for (const name of urls.keys()) await visit(name);
  return await measureRounds([...urls.keys()], bench.rounds, visit);
}

function buildRows(own: OwnName, peers: readonly PeerName[], measured: Rounds<Name>, rate: number): Row[] {
  const common = { unit: '×', take: 'median', better: 'lower' } as const;
  const ours = measured[own];
  const rows: Row[] = peers.flatMap(peer =>
    (['first', 'second'] as const).map(key => ({
      ...common,
      what: `${own}, ${key} visit, ${rate} Mbit/s`,
      samples: divideRounds(pick(ours, key), pick(measured[peer], key)),
      peer,
      ...(key === 'first' && { reach: REACH[peer] }),
      absolute: { ours: median(pick(ours, key)), peer: median(pick(measured[peer], key)), unit: 'ms' },
    })),
  );
  const samples = divideRounds(pick(ours, 'second'), pick(ours, 'first'));
  const what = `${own}, second visit ÷ first visit, ${rate} Mbit/s`;
  return [...rows, { ...common, what, samples, reach: SECOND_REACH }];
}

function describeConditions(browser: AppBrowser, caddy: string | undefined): string[] {
  const peer =
    caddy === undefined
      ? 'Caddy is not installed.'
      : `Caddy ${caddy} has \`encode zstd gzip\`, also for WebAssembly, which it does not compress by default.`;
  return [
    `${browser.version}, which accepts br and zstd only over TLS. The peers use plain http. ${peer}`,
    'Every server had been visited before, so this tunnel had its compressed files in memory. A first visit has no connection and no cache.',
    'The second visit is a new page with the cache and the connections of the first. The cache of such a browser is too small for 9 MB that are not compressed.',
  ];
}
