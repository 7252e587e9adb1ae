// B8: how long a browser takes to load a page over a link with a real round-trip time. Run by main.ts.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashPublicKey, TestCa } from '../../test/support/test-ca.ts';
import { SERVER_ADDRESS } from '../../test/support/tun-rig.ts';
import type { Bench, Case } from '../case.ts';
import { compare } from '../compare.ts';
import { type Browser, startBrowser } from '../rig/browser.ts';
import { type FarLink, type FarName, startFarLink } from '../rig/far-link.ts';
import { measureRounds } from '../rig/rounds.ts';
import { type RunningTunnel, startTunnel } from '../rig/tunnels.ts';
import { runVisitor } from '../rig/visitors.ts';
import { FAR_NAMES, trackSilence } from './distance.ts';

const ROUND_TRIP_MS = 50;
const REACH = { 'bore local': { reach: 0.85 } };
const TLS_REACH = { 'bore local': { reach: 0.5 } };
const WITH_TLS = 'gateway with TLS';

export const page: Case = {
  id: 'B8',
  title: 'A page of 30 objects, six connections or HTTP/2, 50 ms away',
  minutes: bench => (bench.quick ? 0.6 : 0.3 + bench.rounds * 0.32),
  run: async bench => {
    await using stack = new AsyncDisposableStack();
    const link = stack.use(await startFarLink(bench, ROUND_TRIP_MS, FAR_NAMES));
    const ca = stack.adopt(new TestCa(), one => one.remove());
    const identity = ca.issue([`IP:${SERVER_ADDRESS}`]);
    const browser = await startBrowser(link.rig.server, hashPublicKey(identity.cert));
    stack.defer(async () => await browser?.stop());
    const tls = browser && stack.adopt(await startTls(bench, link, ca.folder, identity), one => one.stop());
    const names = [...FAR_NAMES, ...(tls ? [WITH_TLS] : [])];
    const find = (name: string) => (tls && name === WITH_TLS ? tls : link.tunnel(name as FarName));
    for (const name of names) await loadPage(link, browser, find(name));
    const awaitSilence = trackSilence();
    const measured = await measureRounds(names, bench.rounds, async name => {
      await awaitSilence(name);
      return { millis: await loadPage(link, browser, find(name)) };
    });
    const common = { key: 'millis', unit: 'ms', better: 'lower' } as const;
    const rows = compare({
      ...common,
      what: `a page of 30 objects, ${ROUND_TRIP_MS} ms away`,
      measured,
      targets: { raw: REACH, gateway: REACH },
    });
    const { 'bore local': peer = [], [WITH_TLS]: ours } = measured;
    const tlsRows = compare({
      ...common,
      what: `the same over TLS of our own with HTTP/2, ${ROUND_TRIP_MS} ms away`,
      measured: { 'bore local': peer, ...(ours && { gateway: ours }) },
      targets: { gateway: TLS_REACH },
    });
    return { rows: [...rows, ...tlsRows], notes: [describeVisitor(browser)] };
  },
};

/** Starts one more tunnel to the same app, in which TLS ends. */
async function startTls(
  bench: Bench,
  link: FarLink,
  folder: string,
  identity: { cert: string; key: string },
): Promise<RunningTunnel> {
  const tls = { cert: join(folder, 'bench.pem'), key: join(folder, 'bench.key') };
  writeFileSync(tls.cert, identity.cert);
  writeFileSync(tls.key, identity.key, { mode: 0o600 });
  const target = { server: SERVER_ADDRESS, port: link.appPort, fromSource: bench.fromSource, tls };
  return await startTunnel('gateway', { ...target, namespace: link.rig.runner });
}

function describeVisitor(browser: Browser | undefined): string {
  if (browser !== undefined)
    return `${browser.version} runs next to the server. Each load starts without an open connection and without a cache, and no visitor came in the 4 s before. The peer uses plain http.`;
  return 'Chromium is not installed. A small HTTP/1.1 client with six connections replaced it, and TLS was left out.';
}

async function loadPage(
  link: FarLink,
  browser: Browser | undefined,
  { url }: RunningTunnel,
): Promise<number> {
  if (browser !== undefined) return await browser.loadPage(`${url}/page`);
  const options = { namespace: link.rig.server };
  return (await runVisitor<{ millis: number }>('load', ['-url', url], options)).millis;
}
