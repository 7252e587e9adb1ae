// B8: how long until somebody far away has a page. Run by main.ts.

import type { Case } from '../case.ts';
import { compare } from '../compare.ts';
import { type Browser, startBrowser } from '../rig/browser.ts';
import { type FarLink, type FarName, startFarLink } from '../rig/far-link.ts';
import { measureRounds } from '../rig/rounds.ts';
import { runVisitor } from '../rig/visitors.ts';
import { FAR_NAMES, trackSilence } from './distance.ts';

const ROUND_TRIP_MS = 50;
const REACH = { 'bore local': { reach: 0.85 } };

export const page: Case = {
  id: 'B8',
  title: 'A page of 30 objects, six connections, 50 ms away',
  minutes: bench => (bench.quick ? 0.4 : 0.2 + bench.rounds * 0.15),
  run: async bench => {
    await using stack = new AsyncDisposableStack();
    const link = stack.use(await startFarLink(bench, ROUND_TRIP_MS, FAR_NAMES));
    const browser = await startBrowser(link.rig.server);
    stack.defer(async () => await browser?.stop());
    for (const name of FAR_NAMES) await loadPage(link, browser, name);
    const awaitSilence = trackSilence();
    const measured = await measureRounds(FAR_NAMES, bench.rounds, async name => {
      await awaitSilence(name);
      return { millis: await loadPage(link, browser, name) };
    });
    const rows = compare({
      what: `a page of 30 objects, ${ROUND_TRIP_MS} ms away`,
      measured,
      key: 'millis',
      unit: 'ms',
      better: 'lower',
      targets: { raw: REACH, gateway: REACH },
    });
    return { rows, notes: [describeVisitor(browser), SECOND_HALF] };
  },
};

const SECOND_HALF = 'The other half of this case, HTTP/2 over TLS of our own (≤ 0.5): not built yet.';

function describeVisitor(browser: Browser | undefined): string {
  if (browser !== undefined)
    return `${browser.version} beside the server; with no connection open, nothing cached, and no visitor in the 4 s before.`;
  return 'There is no Chromium here: a small HTTP/1.1 client took its place, which does as browsers do.';
}

async function loadPage(link: FarLink, browser: Browser | undefined, name: FarName): Promise<number> {
  const { url } = link.tunnel(name);
  if (browser !== undefined) return await browser.loadPage(`${url}/page`);
  const options = { namespace: link.rig.server };
  return (await runVisitor<{ millis: number }>('load', ['-url', url], options)).millis;
}
