// The inspector's page and axe, in each of its states and in both colour schemes.

import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'puppeteer-core';
import { expect, it } from 'vitest';
import { openInspector } from '../../support/inspector.ts';

const AXE = createRequire(import.meta.url).resolve('axe-core');

/** What axe finds serious or critical, as `rule: element`. */
async function findFaults(page: Page, state: string): Promise<string[]> {
  const { violations } = (await page.evaluate('axe.run()')) as AxeResults;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${state}: ${id}: ${html}`));
}

it.each(['light', 'dark'])('axe finds nothing serious in the %s scheme', async scheme => {
  const { page, requests, consoleLines } = await openInspector();
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.setBypassCSP(true);
  await page.reload();
  await page.addScriptTag({ path: AXE });
  await page.waitForSelector('#empty:not([hidden])');
  const faults = await findFaults(page, 'empty');
  requests.add({ body: Buffer.from('{"a":[1,null,"x"]}'), verified: 'github', duplicateOf: 1 });
  requests.add({ target: '/b?c=d', refusal: 'no signature', answer: { status: 401, durationMs: 1 } });
  requests.add({ body: Buffer.from([0, 1, 2, 255]) });
  for (let line = 0; line < 200; line += 1) consoleLines.add(`line ${line}`);
  for (const id of [1, 2, 3]) {
    await page.waitForSelector(`#request-${id}`);
    await page.click(`#request-${id}`);
    await page.waitForFunction(`document.querySelector('#detail').innerText.includes('#${id} ')`);
    faults.push(...(await findFaults(page, `request ${id}`)));
  }
  await page.click('#link .small:last-child');
  await page.waitForSelector('#qr-dialog[open] svg');
  faults.push(...(await findFaults(page, 'QR code')));
  await page.keyboard.press('Escape');
  await page.setViewport({ width: 360, height: 740 });
  faults.push(...(await findFaults(page, 'details on a phone')));
  await page.click('.close');
  await page.waitForSelector('body:not(.is-open)');
  faults.push(...(await findFaults(page, 'list on a phone')));
  await page.click('#pause');
  await page.type('#search', 'nothing');
  await page.waitForSelector('#empty:not([hidden])');
  faults.push(...(await findFaults(page, 'no match')));
  await page.click('#console-tab');
  faults.push(...(await findFaults(page, 'console')));
  await page.click('#help-button');
  faults.push(...(await findFaults(page, 'help')));
  await page.evaluate('sessionStorage.clear()');
  await page.goto(page.url().replace(/#.*/, '#'));
  await page.reload();
  await page.addScriptTag({ path: AXE });
  await page.waitForSelector('#key-page:not([hidden])');
  faults.push(...(await findFaults(page, 'key')));
  expect(faults).toEqual([]);
});
