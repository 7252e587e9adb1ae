// The demo's whole story as a visitor sees it, in Chromium, from the built action.

import type { Page } from 'puppeteer-core';
import { expect, it } from 'vitest';
import { openChromium } from '../support/chromium.ts';
import { DemoProcess } from '../support/demo-process.ts';

/** An outage shows in the comment after 15 s. */
const OUTAGE_MS = 40_000;

const read = (page: Page, selector: string) =>
  page.$eval(selector, element => element.textContent ?? '').catch(() => '');

/** Resolves when the element's text fits. */
async function awaitText(page: Page, selector: string, pattern: RegExp, timeout = 20_000): Promise<void> {
  const check = `${pattern}.test(document.querySelector(${JSON.stringify(selector)})?.textContent ?? '')`;
  await page.waitForFunction(check, { timeout }).catch(async () => {
    throw new Error(`${selector} is ${JSON.stringify(await read(page, selector))}, not like ${pattern}`);
  });
}

const awaitMoment = (page: Page, pattern: RegExp) => awaitText(page, '#now', pattern);
const COMMENT = '[data-comment]';

it('shows a pull request from the first comment to the end of a second run', {
  timeout: 180_000,
}, async () => {
  const demo = new DemoProcess();
  const browser = await openChromium();
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on('pageerror', error => faults.push(String(error)));
  await page.goto(await demo.link('pull request'));

  await awaitMoment(page, /is live/);
  await awaitText(page, COMMENT, /is live.*Open the preview/s);
  expect(await page.$eval(`${COMMENT} a[href*="expose-key"]`, link => link.getAttribute('href'))).toBe(
    await demo.link('preview'),
  );
  await page.click('[aria-label="Earlier version"]');
  await awaitText(page, COMMENT, /is starting/);
  await page.click('[aria-label="Later version"]');

  // The link opens the app in a second tab, through the tunnel.
  const opened = new Promise<Page | null>(done =>
    browser.once('targetcreated', target => done(target.page())),
  );
  await page.click('#open');
  const app = await opened;
  await app?.waitForFunction(`/million/.test(document.querySelector('#rate')?.textContent)`);
  const address = new URL(app?.url() ?? '').origin;
  await app?.close();

  await page.click('#tab-webhooks');
  await page.click('#signed');
  await awaitText(page, '#deliveries', /right200/);
  await page.click('#unsigned');
  await awaitText(page, '#deliveries', /none401/);
  await awaitText(page, '#recorded', /401 .*signed.*200 signed by github/s);
  const inspector = await browser.newPage();
  await inspector.goto((await page.$eval('#inspector', link => link.getAttribute('href'))) ?? '');
  await inspector.waitForSelector('#request-1');
  await inspector.close();

  await page.click('#tab-run');
  await awaitText(page, '#log', /Run wasmrun\/expose-action@v1.*secret: \*\*\*/s);
  expect(await read(page, '#no-summary')).toContain('when the step has ended');
  await page.click('#tab-conversation');

  await page.click('#cut');
  await awaitMoment(page, /server is down/);
  await awaitText(page, COMMENT, /away for a moment/, OUTAGE_MS);
  await page.click('#restore');
  await awaitMoment(page, /Live again, at the same address/);
  await awaitText(page, COMMENT, new RegExp(`is live.*${address}`, 's'));

  await page.click('#end');
  await awaitMoment(page, /The preview has ended/);
  await awaitText(page, COMMENT, /has ended/);
  expect(await page.$$(`${COMMENT} a[href*="expose-key"]`)).toEqual([]);
  await page.click('#tab-run');
  await awaitText(page, '#summary', /has ended.*1 tunnel reconnect/s);
  await awaitText(page, '#log', /the preview has ended/);
  await page.click('#tab-conversation');

  await page.click('#again');
  await awaitMoment(page, /is live/);
  await awaitText(page, COMMENT, new RegExp(`is live.*${address}`, 's'));
  expect(await page.$$(COMMENT)).toHaveLength(1);
  await page.click('#cancel');
  await awaitMoment(page, /was cancelled/);
  await awaitText(page, COMMENT, /has ended/);
  await awaitText(page, '#check-text', /run 2 was cancelled/);

  demo.child.kill('SIGINT');
  await awaitMoment(page, /The demo has ended/);
  expect(await demo.ended).toBe(0);
  expect(demo.files()).toEqual([]);
  expect(demo.err).toBe('');
  expect(faults).toEqual([]);
});
