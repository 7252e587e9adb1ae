// The inspector's page as people use it, in Chromium.

import type { Page } from 'puppeteer-core';
import { expect, it, onTestFinished } from 'vitest';
import { ReplayError } from '../../../src/shared/replay.ts';
import type { ExposureState } from '../../../src/shared/state.ts';
import { startFaultRelay } from '../../support/fault-relay.ts';
import {
  INSPECTOR_KEY,
  openInspector,
  openPage,
  openTab,
  startInspectorApi,
} from '../../support/inspector.ts';
import type { FakeRequestLog } from '../../support/request-log.ts';
import { LIVE } from '../../support/sample-state.ts';

const textOf = (page: Page, selector: string): Promise<string> =>
  page.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`) as Promise<string>;

const waitForText = (page: Page, selector: string, text: string) =>
  page.waitForFunction(
    `document.querySelector(${JSON.stringify(selector)})?.innerText.includes(${JSON.stringify(text)})`,
  );

const rowCount = (page: Page) => page.evaluate("document.querySelectorAll('[role=option]').length");

const FORM = ['Content-Type', 'application/x-www-form-urlencoded'];

/** Three requests: a verified JSON one, a refused one, and one with a form. */
function addThree({ requests }: { requests: FakeRequestLog }): void {
  requests.add({
    target: '/hooks/github?from=test',
    rawHeaders: ['Host', 'bore.example', 'X-GitHub-Event', 'push', 'x-twice', '1', 'X-Twice', '2'],
    body: Buffer.from('{"zen":"Keep it simple","id":12345678901234567890}'),
    verified: 'github',
    visitorAddress: '2001:db8::7',
  });
  requests.add({
    target: '/hooks/stripe',
    refusal: 'the timestamp is too old',
    answer: { status: 401, durationMs: 1 },
  });
  requests.add({
    method: 'PUT',
    target: '/form',
    rawHeaders: FORM,
    body: Buffer.from('From=%2B49123&Body=hello+world'),
  });
}

it('takes the key from the fragment, out of the address, and sends it in no URL', async () => {
  const { page, url, faults } = await openInspector(addThree);
  await waitForText(page, '#count', '3 requests');
  expect(page.url()).toBe(`${url}/`);
  await page.reload();
  await waitForText(page, '#count', '3 requests');
  expect(await page.evaluate('document.cookie')).toBe('');
  expect(faults).toEqual([]);
});

it('asks for the key if there is none, and says that a wrong one is refused', async () => {
  const { url } = await startInspectorApi();
  const page = await openTab();
  await page.goto(`${url}/`);
  await waitForText(page, '#key-page', 'control-token');
  await page.type('#key', 'wrong');
  await page.keyboard.press('Enter');
  await waitForText(page, '#key-page', 'refused this key');
  await page.type('#key', `http://127.0.0.1:1/#${new URLSearchParams({ key: INSPECTOR_KEY })}`);
  await page.keyboard.press('Enter');
  await waitForText(page, '#verdict', 'Live');
});

it('shows the preview, and requests and lines of the console as they come, newest first', async () => {
  const { page, requests, consoleLines, faults } = await openInspector();
  await waitForText(page, '#verdict', 'Live');
  await waitForText(page, '#empty', 'No requests yet');
  expect(await page.evaluate("document.querySelector('#link a').href")).toContain('expose-key=secret');
  expect(await textOf(page, '#link')).not.toContain('secret');
  addThree({ requests });
  await waitForText(page, '#count', '3 requests · 1 refused');
  expect(await textOf(page, '[role=option][aria-posinset="1"]')).toContain('/form');
  const open = requests.add({ target: '/slow', answer: undefined, isFinished: false });
  await waitForText(page, '[role=option][aria-posinset="1"]', '···');
  requests.finish(open, { status: 503, durationMs: 40 });
  await waitForText(page, '[role=option][aria-posinset="1"]', '503');
  consoleLines.add('\x1b[31mred\x1b[0m line');
  await page.click('#console-tab');
  await waitForText(page, '#console', 'red line');
  requests.clear();
  await page.click('#requests-tab');
  await waitForText(page, '#count', '0 requests');
  expect(faults).toEqual([]);
});

it('shows all of a request: JSON indented with its numbers as they came, headers in order, the query', async () => {
  const { page } = await openInspector(addThree);
  await page.waitForSelector('#request-1');
  expect(await textOf(page, '#request-1')).toContain('· 2001:db8::7');
  expect(await textOf(page, '#request-2')).not.toContain('null');
  await page.click('#request-1');
  await waitForText(page, '#detail', '"id": 12345678901234567890');
  const detail = await textOf(page, '#detail');
  expect(detail).toContain('from 2001:db8::7');
  expect(detail).toMatch(/verified github.*Keep it simple.*from\s+test.*x-twice\s+1\s+X-Twice\s+2/s);
  await page.click('#request-3');
  await waitForText(page, '#detail', '+49123');
  expect(await textOf(page, '#detail')).toContain('hello world');
  await page.click('#request-2');
  await waitForText(page, '#detail', 'the timestamp is too old');
});

it('finds requests by words, method, status and refusal', async () => {
  const { page } = await openInspector(addThree);
  await waitForText(page, '#count', '3 requests');
  await page.keyboard.press('/');
  await page.keyboard.type('PUSH hooks');
  await waitForText(page, '#count', '1 of 3 requests');
  expect(await textOf(page, '#list')).toContain('/hooks/github');
  await page.keyboard.type(' 2001:DB8::7');
  await waitForText(page, '#count', '1 of 3 requests');
  await page.keyboard.type(' nothing');
  await waitForText(page, '#empty', 'No request matches');
  await page.click('#empty button');
  await waitForText(page, '#count', '3 requests');
  await page.select('#method', 'PUT');
  await waitForText(page, '#count', '1 of 3 requests');
  await page.select('#method', '');
  await page.select('#status', '4');
  await waitForText(page, '#count', '1 of 3 requests');
  await page.select('#status', '');
  await page.click('#refused');
  await waitForText(page, '#count', '1 of 3 requests · 1 refused');
});

it('the list is used with keys: j and k move, Enter opens, Escape closes', async () => {
  const { page } = await openInspector(addThree);
  await waitForText(page, '#count', '3 requests');
  await page.focus('#list');
  await page.keyboard.press('j');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('k');
  expect(await page.$eval('#list', list => list.getAttribute('aria-activedescendant'))).toBe('request-2');
  await page.keyboard.press('Enter');
  await waitForText(page, '#detail h2', '/hooks/stripe');
  expect(await page.evaluate('document.activeElement.tagName')).toBe('H2');
  await page.keyboard.press('j');
  await waitForText(page, '#detail h2', '/hooks/github');
  await page.keyboard.press('Escape');
  await waitForText(page, '#detail', 'Choose a request');
  expect(await page.evaluate('document.activeElement.id')).toBe('list');
  await page.keyboard.press('?');
  expect(await page.evaluate("document.querySelector('#help').open")).toBe(true);
  await page.click('#letters');
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  expect(await page.$eval('#list', list => list.getAttribute('aria-activedescendant'))).toBe('request-1');
  await page.keyboard.press('ArrowUp');
  expect(await page.$eval('#list', list => list.getAttribute('aria-activedescendant'))).toBe('request-2');
});

it('the first press of j marks the newest request, wherever the focus is, and Enter opens it', async () => {
  const { page } = await openInspector(addThree);
  await waitForText(page, '#count', '3 requests');
  await page.keyboard.press('j');
  expect(await page.$eval('#list', list => list.getAttribute('aria-activedescendant'))).toBe('request-3');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await waitForText(page, '#detail h2', '/hooks/stripe');
});

it('has its chart as soon as its rows: they do not move under a finger', async () => {
  const { page, requests } = await openInspector();
  await waitForText(page, '#empty', 'No requests yet');
  await page.evaluate(`new MutationObserver(() => {
    document.body.dataset.chart ??= String(!document.querySelector('#chart').hidden);
  }).observe(document.querySelector('#count'), { childList: true })`);
  addThree({ requests });
  await waitForText(page, '#count', '3 requests');
  expect(await page.evaluate('document.body.dataset.chart')).toBe('true');
});

it('cuts no badge off on a phone', async () => {
  const { page, requests } = await openInspector();
  await page.setViewport({ width: 390, height: 844 });
  for (const duplicateOf of [undefined, 1])
    requests.add({ target: '/hooks/github', verified: 'github', duplicateOf, body: Buffer.alloc(194) });
  await waitForText(page, '#count', '2 requests');
  const overflow = `[...document.querySelectorAll('[role=option] .second, [role=option] .badge')]
    .filter(one => one.scrollWidth > one.clientWidth).length`;
  expect(await page.evaluate(overflow)).toBe(0);
});

it('holds new requests back while it is paused, and hides earlier ones when it is cleared', async () => {
  const { page, requests } = await openInspector(addThree);
  await waitForText(page, '#count', '3 requests');
  await page.click('#pause');
  requests.add();
  await waitForText(page, '#count', '3 requests · 1 refused · paused, 1 waiting');
  await page.click('#pause');
  await waitForText(page, '#count', '4 requests');
  await page.click('#clear');
  await waitForText(page, '#count', '0 requests');
  requests.add();
  await waitForText(page, '#count', '1 request');
  expect(requests.list()).toHaveLength(5);
  await page.click('#clear');
  await waitForText(page, '#empty', 'Show 5 earlier requests');
  await page.click('#empty button');
  await waitForText(page, '#count', '5 requests');
  await page.click('#clear');
  await page.waitForSelector('#empty .danger');
  await page.click('#empty .danger');
  await waitForText(page, '#empty', 'No requests yet');
  expect(requests.list()).toEqual([]);
});

it('holds few rows however many requests there are, and keeps those in view in place', async () => {
  const { page, requests } = await openInspector(api => {
    for (let index = 0; index < 2_000; index += 1) api.requests.add({ target: `/n/${index}` });
  });
  await waitForText(page, '#count', '2,000 requests');
  // It is drawn once a second, and moves the list down when it appears.
  await page.waitForSelector('#chart:not([hidden])');
  await page.evaluate("document.querySelector('#list').scrollTop = 52 * 1000");
  await page.waitForSelector('#request-1000');
  expect(await rowCount(page)).toBeLessThan(60);
  const before = await page.$eval('#request-1000', row => row.getBoundingClientRect().top);
  for (let index = 0; index < 10; index += 1) requests.add();
  await waitForText(page, '#count', '2,010 requests');
  await page.waitForSelector('#request-1000[aria-setsize="2010"]');
  expect(await page.$eval('#request-1000', row => row.getBoundingClientRect().top)).toBe(before);
});

it('on a phone the details cover the list, and Back leads to the list again', async () => {
  const { page } = await openInspector(addThree);
  await page.setViewport({ width: 360, height: 740, isMobile: true, hasTouch: true });
  await page.waitForSelector('#request-1');
  await page.tap('#request-1');
  await waitForText(page, '#detail', 'Keep it simple');
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  await page.goBack();
  await page.waitForFunction("!document.body.classList.contains('is-open')");
  expect(await textOf(page, '#list')).toContain('/hooks/github');
});

it('shows that it is disconnected, and goes on where it was when the preview answers again', async () => {
  const api = await startInspectorApi();
  const relay = await startFaultRelay({ host: '127.0.0.1', port: Number(new URL(api.url).port) });
  onTestFinished(() => relay.stop());
  const { page } = await openPage(`http://127.0.0.1:${relay.address.port}`);
  addThree(api);
  const slow = api.requests.add({ target: '/slow', answer: undefined, isFinished: false });
  await waitForText(page, '#count', '4 requests');
  await relay.refuse();
  const heal = relay.inject({ fault: { kind: 'cut' } });
  await waitForText(page, '#offline', 'Disconnected');
  expect(await textOf(page, '#list')).toContain('/hooks/github');
  api.requests.finish(slow, { status: 503, durationMs: 1 });
  api.requests.add({ target: '/meanwhile' });
  heal();
  await relay.admit();
  await page.click('#offline button');
  await waitForText(page, '#count', '5 requests');
  expect(await textOf(page, '#request-4')).toContain('503');
  await page.waitForSelector('#offline[hidden]');
});

it('says that the preview has ended, and keeps what it shows', async () => {
  let tell = (_: ExposureState) => {};
  const api = await startInspectorApi({
    subscribe: listener => {
      tell = listener;
      return () => {};
    },
  });
  addThree(api);
  const { page } = await openPage(api.url);
  await waitForText(page, '#count', '3 requests');
  const phase = { kind: 'ended', reason: 'duration over', endedAt: new Date() } as const;
  tell({ ...LIVE, phase, address: { kind: 'unverified', url: 'http://bore.example:1', reason: 'silent' } });
  await waitForText(page, '#verdict', 'Ended: duration over');
  await waitForText(page, '#facts', 'not verified (silent)');
  await api.stop();
  await waitForText(page, '#offline', 'The preview has ended.');
  expect(await textOf(page, '#list')).toContain('/hooks/github');
});

it('replays a request to the app, signed again if its rule is known, and shows the answer', async () => {
  const orders: [number, boolean][] = [];
  const { page } = await openInspector(addThree, {
    inspection: { redacts: true, signingRules: ['github'], publicLink: undefined },
    replay: async ({ id }, { reSign }) => {
      orders.push([id, reSign]);
      if (id === 3) throw new ReplayError('app away', 'the app is starting: try again soon');
      const body = Buffer.from('thanks <b>');
      return {
        id: 4,
        status: 201,
        headers: [],
        body,
        bodyBytes: body.length,
        durationMs: 12,
        hint: 'a hint',
      };
    },
  });
  await page.waitForSelector('#request-1');
  await page.click('#request-1');
  await page.waitForSelector('.check input[type=checkbox]:not(#refused)');
  // Found and pressed in one step, because the details may be drawn again in between.
  await page.evaluate("document.querySelector('.check input:not(#refused)').click()");
  await page.evaluate("document.querySelector('#detail .primary').click()");
  await waitForText(page, '#detail .result', 'The app answered 201 after 12 ms with 10 B.');
  expect(await textOf(page, '#detail .result')).toMatch(/a hint\s+thanks <b>/);
  await page.click('#request-3');
  await waitForText(page, '#detail h2', '/form');
  await page.click('#detail .primary');
  await waitForText(page, '#detail .result', 'Not replayed: the app is starting: try again soon');
  expect(orders).toEqual([
    [1, true],
    [3, false],
  ]);
});

it('shows the link as a QR code, and offers the link of the public inspector', async () => {
  const publicLink = 'http://bore.example:2/#key=public';
  const { page, faults } = await openInspector(addThree, {
    inspection: { redacts: true, signingRules: [], publicLink },
  });
  await waitForText(page, '#share', 'Share');
  await page.evaluate(
    "[...document.querySelectorAll('#link button')].find(one => one.innerText === 'QR code').click()",
  );
  await page.waitForSelector('#qr-dialog[open] svg[role=img] path');
  await page.keyboard.press('Escape');
  await page.waitForSelector('#qr-dialog:not([open])');
  expect(faults).toEqual([]);
});

it('copies a request as a curl command for the public link', async () => {
  const { page } = await openInspector(addThree);
  await page.waitForSelector('#request-3');
  await page.click('#request-3');
  await waitForText(page, '#detail', 'Copy as curl');
  await page.evaluate('navigator.clipboard.writeText = async text => { window.copied = text; }');
  await page.evaluate(
    "[...document.querySelectorAll('#detail button')].find(one => one.innerText === 'Copy as curl').click()",
  );
  await waitForText(page, '#said', 'Copied');
  expect(await page.evaluate('window.copied')).toContain(`'http://bore.example:12345/form'`);
});

it('says of a body whether only its beginning was kept, also if a secret in it is shorter when redacted', async () => {
  const { page } = await openInspector(({ requests }) => {
    requests.add({ body: Buffer.from(`password=${'p'.repeat(50)}&other=1`), rawHeaders: FORM });
    requests.add({ body: Buffer.from('{"a":'), bodyBytes: 2_000 });
  });
  await page.waitForSelector('#request-1');
  await page.click('#request-1');
  await waitForText(page, '#detail', '[redacted]');
  expect(await textOf(page, '#detail')).not.toContain('were kept');
  expect(await textOf(page, '#detail .choice')).toBe('Fields');
  await page.click('#request-2');
  await waitForText(page, '#detail', 'only the first 5 B were kept');
});
