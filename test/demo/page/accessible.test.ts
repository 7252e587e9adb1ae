// The demo's page and axe, in each of its states and in both colour schemes.

import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'puppeteer-core';
import { expect, it } from 'vitest';
import { comment, LIVE_DEMO, openDemoPage } from '../../support/demo-page.ts';

const AXE = createRequire(import.meta.url).resolve('axe-core');
const AT = '2026-05-04T10:00:00.000Z';

/** What axe finds, as `rule: element`. */
async function findFaults(page: Page, state: string): Promise<string[]> {
  const { violations } = (await page.evaluate('axe.run({ iframes: false })')) as AxeResults;
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${state}: ${id}: ${html}`));
}

it.each(['light', 'dark'])('axe finds nothing in the %s scheme', async scheme => {
  const body =
    '### 🟢 live\n\n> [!WARNING]\n> Care.\n\n<details><summary>QR</summary>\n\n```\n▄▀\n```\n\n</details>\n\n<sub>`a1b2c3d` · [run](https://example.com)</sub>';
  const { page, feed } = await openDemoPage({
    comments: [comment('### starting', body)],
    deployments: [{ id: 1, environment: 'preview/pr-7', state: 'success', url: 'http://127.0.0.1:1' }],
    deliveries: [{ number: 1, at: AT, isSigned: true, answer: 200 }],
    recorded: [{ id: 1, at: AT, method: 'POST', target: '/x', status: 401, refusal: 'not signed' }],
  });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.setBypassCSP(true);
  await page.reload();
  await page.waitForSelector('#content:not([hidden])');
  await page.addScriptTag({ path: AXE });
  feed.addLine({ step: 'main', at: AT, kind: 'group', text: 'Inputs' });
  feed.addLine({ step: 'main', at: AT, kind: 'command', text: '::stop-commands::x' });
  for (const kind of ['notice', 'warning', 'error'] as const)
    feed.addLine({ step: 'main', at: AT, kind, text: '\x1b[31mred\x1b[0m' });
  const faults: string[] = [];
  const lookAtTabs = async (state: string) => {
    for (const tab of ['conversation', 'run', 'webhooks']) {
      await page.click(`#tab-${tab}`);
      faults.push(...(await findFaults(page, `${state}, ${tab}`)));
    }
  };
  await lookAtTabs('live');
  await page.click('.honest summary');
  faults.push(...(await findFaults(page, 'what is real')));
  await page.click('.honest summary');
  feed.change({ server: { address: '', isUp: false, cutAt: AT } });
  await page.waitForSelector('#count:not([hidden])');
  faults.push(...(await findFaults(page, 'away')));
  await page.click('#tab-conversation');
  await page.click('[aria-label="Earlier version"]');
  faults.push(...(await findFaults(page, 'an earlier version')));
  await page.setViewport({ width: 360, height: 740 });
  feed.change({ run: { ...LIVE_DEMO.run, phase: 'over', conclusion: 'cancelled', summary: body } });
  await page.waitForSelector('#again:not([hidden])');
  await lookAtTabs('ended on a phone');
  expect(faults).toEqual([]);
});
