// Vite's development server with its default configuration behind tunnel and gateway, in a browser: hot replacement of
// modules goes over the public address alone.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { type Exposed, expose, openBrowser } from './exposed.ts';
import { openHttp1Visitor } from './http1-visitor.ts';
import { type Field, readAnswer } from './visitor.ts';

const VITE = join(dirname(fileURLToPath(import.meta.resolve('vite/package.json'))), 'bin', 'vite.js');

const FILES = {
  'index.html': `<!doctype html><title>a page</title><link rel="stylesheet" href="/style.css">
    <button id="count">0</button><p id="text"></p><script type="module" src="/main.js"></script>`,
  'main.js': `import { text } from './text.js';
    const show = value => { document.querySelector('#text').textContent = value; };
    const count = document.querySelector('#count');
    count.onclick = () => { count.textContent = Number(count.textContent) + 1; };
    show(text);
    import.meta.hot.accept('./text.js', fresh => fresh && show(fresh.text));`,
  'text.js': `export const text = 'before';`,
  'style.css': '#text { color: rgb(1, 2, 3); }',
  'lazy.js': `export const lazy = 'loaded later';`,
  'public/data.txt': 'as it is',
};

describeWithReal(['bore', 'chromium'], 'a Vite development server', () => {
  let folder: string;
  let exposed: Exposed;
  let browser: Browser;
  let page: Page;
  const sockets: string[] = [];
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'expose-vite-'));
    mkdirSync(join(folder, 'public'));
    for (const [name, text] of Object.entries(FILES)) write(name, text);
    const command = `exec node '${VITE}' --port "$PORT" --strictPort`;
    [exposed, browser] = await Promise.all([expose({ path: folder, command }, '127.0.0.49'), openBrowser()]);
    page = await browser.newPage();
    const session = await page.createCDPSession();
    await session.send('Network.enable');
    session.on('Network.webSocketCreated', ({ url }) => void sockets.push(url));
    await page.goto(exposed.url.href);
    await page.waitForSelector('#text::-p-text(before)');
  });
  afterAll(async () => {
    await browser?.close();
    await exposed?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('replaces a module in the page that is open, and the page keeps its state', async () => {
    await page.click('#count');
    await page.click('#count');
    await page.evaluate('globalThis.mark = "the same page"');
    write('text.js', `export const text = 'after';`);
    await page.waitForSelector('#text::-p-text(after)');
    expect(await page.evaluate('[mark, document.querySelector("#count").textContent]')).toEqual([
      'the same page',
      '2',
    ]);
  });

  it('replaces a style sheet', async () => {
    write('style.css', '#text { color: rgb(9, 8, 7); }');
    await page.waitForFunction('getComputedStyle(document.querySelector("#text")).color === "rgb(9, 8, 7)"');
    expect(await page.evaluate('mark')).toBe('the same page');
  });

  it('shows what is wrong with an edit, and goes on with the next', async () => {
    write('text.js', `import './is-not-there.js'; export const text = 'broken';`);
    await page.waitForSelector('vite-error-overlay');
    // The watcher may miss an edit that follows another at once, also at Vite's own port: it is saved until it is seen.
    for (let isSeen = false; !isSeen; ) {
      write('text.js', `export const text = 'mended';`);
      const seen = page.waitForSelector('#text::-p-text(mended)', { timeout: 1_000 });
      isSeen = await seen.then(
        () => true,
        () => false,
      );
    }
    await page.waitForFunction('document.querySelector("vite-error-overlay") === null');
    expect(await page.evaluate('mark')).toBe('the same page');
  });

  it('loads a module when it is asked for', async () => {
    expect(await page.evaluate('import("/lazy.js").then(module => module.lazy)')).toBe('loaded later');
  });

  it('reloads the page if a module cannot be replaced', async () => {
    write('index.html', FILES['index.html'].replace('a page', 'another page'));
    await page.waitForFunction('document.title === "another page" && globalThis.mark === undefined');
    await page.waitForSelector('#text::-p-text(mended)');
  });

  it('was only reached at the public address, also by WebSockets', () => {
    expect(sockets.length).toBeGreaterThanOrEqual(2);
    expect(new Set(sockets.map(url => new URL(url).host))).toEqual(new Set([exposed.url.host]));
  });

  it.each(['/', '/main.js', '/style.css', '/@vite/client', '/data.txt', '/lazy.js?t=1', '/nothing/here.js'])(
    'answers as it does at its own port: %s, also when it was asked before',
    async path => {
      const visitors = [new URL(`http://localhost:${exposed.appPort}`), exposed.url].map(url =>
        openHttp1Visitor(url),
      );
      const ask = async (headers: Field[]) =>
        await Promise.all(visitors.map(visitor => readAnswer(visitor.request({ path, headers }))));
      const [direct, through] = await ask([['Accept', '*/*']]);
      expect(through).toEqual(direct);
      const etag = direct?.headers.find(([name]) => name === 'etag')?.[1];
      if (etag !== undefined) {
        const [again, throughAgain] = await ask([['If-None-Match', etag]]);
        expect(throughAgain).toEqual(again);
        expect(again?.status).toBe(304);
      }
      for (const visitor of visitors) visitor.close();
    },
  );
});
