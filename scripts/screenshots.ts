// Makes the pictures in docs/images from the built demo: `npm run pictures`, after `npm run build`. Needs Chromium,
// and a font with emoji such as Noto Color Emoji.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { requirePart } from '../test/support/real-parts.ts';

const FOLDER = 'docs/images';
const WAIT_MS = 60_000;
const WIDE = { width: 1280, height: 860 };
const PHONE = { width: 390, height: 844, deviceScaleFactor: 1.5 };
/** Sharp on most screens. */
const CLOSE = { width: 900, height: 900, deviceScaleFactor: 1.5 };
const SCHEMES = ['light', 'dark'] as const;

async function takePictures(browser: Browser, link: string): Promise<void> {
  const page = await browser.newPage();
  await page.goto(link);
  await awaitText(page, '[data-comment]', /is live/);
  await awaitText(page, '#deployments', /View deployment/);
  for (const scheme of SCHEMES) {
    await take(page, `demo-${scheme}`, scheme, WIDE);
    await take(page, `demo-phone-${scheme}`, scheme, PHONE);
  }
  await take(page, 'comment', 'light', CLOSE, '#comments .card');
  await press(page, '#tab-webhooks', '#signed', '#unsigned');
  await awaitText(page, '#recorded', /401.*200|200.*401/s);
  await takeInspector(browser, (await page.$eval('#inspector', anchor => anchor.getAttribute('href'))) ?? '');
  await press(page, '#tab-conversation', '#cut');
  await awaitText(page, '[data-comment]', /away for a moment/);
  await press(page, '#restore');
  await awaitText(page, '[data-comment]', /is live/);
  await press(page, '#end', '#tab-run');
  await awaitText(page, '#now', /has ended/);
  await page.waitForFunction(
    `[...document.querySelectorAll('iframe.chart')].every(frame => frame.height !== '240')`,
  );
  await take(page, 'summary', 'light', CLOSE, '#summary');
}

async function takeInspector(browser: Browser, link: string): Promise<void> {
  const page = await browser.newPage();
  await page.setViewport(WIDE);
  await page.goto(link);
  await page.waitForSelector('#request-1');
  await page.click('#request-1');
  await page.waitForFunction(`document.querySelector('#detail').innerText.includes('#1 ')`);
  await take(page, 'inspector', 'light', WIDE);
  await page.close();
}

async function take(
  page: Page,
  name: string,
  scheme: (typeof SCHEMES)[number],
  viewport: typeof WIDE & { deviceScaleFactor?: number },
  selector?: string,
): Promise<void> {
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.setViewport(viewport);
  await page.bringToFront();
  const target = selector === undefined ? page : await page.waitForSelector(selector);
  await target?.screenshot({ path: `${FOLDER}/${name}.png` });
}

async function press(page: Page, ...selectors: string[]): Promise<void> {
  await page.bringToFront();
  for (const selector of selectors) await page.click(selector);
}

async function awaitText(page: Page, selector: string, pattern: RegExp): Promise<void> {
  await page.bringToFront();
  const check = `${pattern}.test(document.querySelector(${JSON.stringify(selector)})?.textContent ?? '')`;
  await page.waitForFunction(check, { timeout: WAIT_MS });
}

async function readLink(demo: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of demo.stderr ?? []) {
    text += chunk;
    const [, link] = /pull request +(\S+)/.exec(text) ?? [];
    if (link !== undefined) return link;
  }
  throw new Error(`the demo printed no link:\n${text}`);
}

mkdirSync(FOLDER, { recursive: true });
const demo = spawn(process.execPath, [join('dist', 'cli', 'index.js'), 'demo', '--web', '--json'], {
  stdio: ['ignore', 'ignore', 'pipe'],
});
const ended = once(demo, 'exit');
const browser = await puppeteer.launch({
  executablePath: requirePart('chromium'),
  args: ['--no-sandbox', '--disable-gpu', '--hide-scrollbars'],
});
try {
  await takePictures(browser, await readLink(demo));
} finally {
  await browser.close();
  demo.kill('SIGINT');
  await ended;
}
