// What strangers send stays text in the inspector: nothing of it runs, is loaded, or hides.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'puppeteer-core';
import { expect, it } from 'vitest';
import type { ExposureState } from '../../../src/shared/state.ts';
import { openInspector } from '../../support/inspector.ts';
import { LIVE } from '../../support/sample-state.ts';

const RUN = 'document.title=`pwned`;window.pwned=1';
const ATTACKS = [
  `<script>${RUN}</script>`,
  `<img src=x onerror="${RUN}">`,
  `"><svg onload='${RUN}'>`,
  `' autofocus onfocus=${RUN} x='`,
  `</style></title></textarea></script><script>${RUN}</script>`,
  '<style>*{background:url(http://evil.example/x)}</style>',
  '<link rel=stylesheet href=http://evil.example/x><iframe src=//evil.example></iframe>',
  '<base href=http://evil.example/><meta http-equiv=refresh content="0;url=http://evil.example/">',
  `{{constructor.constructor('${RUN}')()}}\${${RUN}}`,
  `javascript:${RUN}`,
];
const ALL = ATTACKS.join(' ');

/** Every place of a request that a stranger fills, and some that only our own code does. */
function hostileRequests() {
  const base = {
    method: ALL,
    target: `/${ALL}?${ALL}=${ALL}`,
    rawHeaders: ['Host', ALL, ALL, ALL],
    httpVersion: ALL,
    verified: ALL,
    handshake: ALL,
    refusal: ALL,
  };
  const withBody = (type: string, body: string | Buffer, ...more: string[]) => ({
    ...base,
    rawHeaders: [...base.rawHeaders, 'Content-Type', type, ...more],
    body: Buffer.from(body),
  });
  const part = `--x\r\nContent-Disposition: form-data; name="a"; filename="${ALL.replaceAll('"', '%22')}"\r\n\r\n${ALL}\r\n--x--\r\n`;
  return [
    withBody('text/html', ALL),
    withBody('image/svg+xml', `<svg xmlns="http://www.w3.org/2000/svg" onload="${RUN}"/>`),
    withBody('application/json', JSON.stringify({ [ALL]: ALL, __proto__: ALL, list: ATTACKS })),
    withBody('application/x-www-form-urlencoded', new URLSearchParams({ [ALL]: ALL }).toString()),
    withBody('multipart/form-data; boundary=x', part),
    withBody(ALL, gzipSync(ALL), 'Content-Encoding', 'gzip'),
  ];
}

/** Opens the request, and each of the ways to show its body. */
async function lookAtAll(page: Page, id: number): Promise<string> {
  await page.evaluate(`location.hash = '#request=${id}'`);
  await page.waitForFunction(`document.querySelector('#detail .summary')?.innerText.includes('#${id} ')`);
  const seen: string[] = [];
  for (const choice of await page.$$('#detail .choice')) {
    await choice.evaluate(button => (button as unknown as { click(): void }).click());
    await page.waitForFunction("document.querySelector('#detail .shown').childElementCount > 0");
    seen.push(String(await page.evaluate("document.querySelector('#detail').textContent")));
  }
  return seen.join('\n');
}

it('nothing that a stranger sends runs or loads, and all of it is seen as text', async () => {
  const state: ExposureState = {
    ...LIVE,
    app: { status: 'restarting', reason: ALL, attempt: 1 },
    warnings: [ALL],
    link: `javascript:${RUN}`,
  };
  const { page, faults, requests, consoleLines } = await openInspector(undefined, { state });
  for (const request of hostileRequests()) requests.add(request);
  consoleLines.add(ALL);
  await page.waitForSelector('#request-6');
  for (const { id } of requests.list()) {
    const text = await lookAtAll(page, id);
    for (const attack of ATTACKS) expect(text).toContain(attack);
  }
  for (const place of ['#list', '#facts', '#warnings', '#console']) {
    const text = String(await page.evaluate(`document.querySelector('${place}').textContent`));
    expect(text).toContain(ATTACKS[0]);
  }
  expect(await page.$$('#link a, #app script, #app img, #app iframe, #app style, #app svg[onload]')).toEqual(
    [],
  );
  expect(await page.evaluate('window.pwned')).toBeUndefined();
  expect(faults).toEqual([]);
});

it('characters that hide or turn others are shown as escapes', async () => {
  const { page, requests, consoleLines } = await openInspector();
  requests.add({
    target: '/pay\u202egnp.exe',
    rawHeaders: ['X-Name', 'a\u200bb'],
    body: Buffer.from('one\u2066two\u0007three\u{e0041}\ud83d\udc69\u200d\ud83d\udcbb'),
  });
  consoleLines.add('x\u202ey\rz');
  await page.waitForSelector('#request-1');
  expect(await page.$eval('#request-1', row => row.textContent)).toContain('/pay\\u202egnp.exe');
  const detail = await lookAtAll(page, 1);
  expect(detail).toContain('a\\u200bb');
  expect(detail).toContain('one\\u2066two\\u0007three\\u{e0041}\ud83d\udc69\u200d\ud83d\udcbb');
  expect(await page.$eval('#console', console => console.textContent)).toBe('x\\u202ey\\rz');
});

it('a body of 25 MB, a header bomb and a line without an end are shown in parts', async () => {
  const { page, requests } = await openInspector();
  requests.add({
    target: `/${'long'.repeat(2_000)}`,
    rawHeaders: Array.from({ length: 2_000 }, (_, index) => `X-${index}`),
    body: Buffer.alloc(25_000_000, 'a'),
  });
  await page.waitForSelector('#request-1');
  await lookAtAll(page, 1);
  await page.click('.choice');
  const shown = () =>
    page.evaluate("document.querySelector('.shown pre').textContent.length") as Promise<number>;
  const first = await shown();
  expect(first).toBeLessThan(200_000);
  await page.click('.more');
  expect(await shown()).toBe(2 * first);
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
});

it('the page has no way to turn text into markup or code', () => {
  const folder = join(import.meta.dirname, '../../../src/control/inspector/browser');
  const files = readdirSync(folder);
  expect(files).toContain('dom.ts');
  const forbidden =
    /innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|DOMParser|createContextualFragment|srcdoc|\beval\b|new Function|\bon\w+=|style="|javascript:/;
  for (const file of files)
    expect([file, forbidden.exec(readFileSync(join(folder, file), 'utf8'))]).toEqual([file, null]);
});
