// What readers see: the comment as GitHub renders it, in its own style sheet, in Chromium.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import jsqr from 'jsqr';
import { marked } from 'marked';
import type { Browser, Page } from 'puppeteer-core';
import * as v from 'valibot';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { renderComment } from '../../../src/github/comment/markdown.ts';
import { renderMarker } from '../../../src/github/comment/marker.ts';
import type { PreviewState } from '../../../src/github/view.ts';
import { launchChromium } from '../../support/chromium.ts';
import { describeWithReal } from '../../support/real-parts.ts';
import { sampleView } from '../samples.ts';

const STYLE = readFileSync(
  createRequire(import.meta.url).resolve('github-markdown-css/github-markdown.css'),
  'utf8',
);
const MARKER = renderMarker({ key: 'abc123', runId: '100', runAttempt: 1 });
const LINK = 'http://bore.example.com:23456/?expose-key=Zm9vYmFyYmF6cXV4cXV1eGZvbzEyMzQ1';

let browser: Browser;

describeWithReal(['chromium'], 'the comment on GitHub', () => {
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  it.each([
    ['light', 1],
    ['light', 2],
    ['dark', 1],
    ['dark', 2],
  ] as const)(
    'has a QR code that can be scanned, in a %s theme with %i pixels a point',
    async (theme, scale) => {
      const page = await open({ kind: 'live', url: LINK }, { theme, scale, width: 900 });
      await page.click('summary');
      expect(await scan(page)).toBe(LINK);
      await page.close();
    },
  );

  it('is not wider than a phone, also with its QR code open', async () => {
    const live: PreviewState = { kind: 'live', url: LINK, endsAt: new Date() };
    const since = new Date();
    const states: PreviewState[] = [live, { kind: 'reconnecting', url: LINK, outage: 'tunnel', since }];
    for (const state of states) {
      const page = await open(state, { theme: 'light', scale: 1, width: 360 });
      if (state.kind === 'live') await page.click('summary');
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      await page.close();
    }
  });
});

/** A page with the comment in the style of GitHub. */
async function open(
  state: PreviewState,
  { theme, scale, width }: { theme: 'light' | 'dark'; scale: number; width: number },
): Promise<Page> {
  const page = await browser.newPage();
  await page.setViewport({ width, height: 900, deviceScaleFactor: scale });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
  const html = marked.parse(renderComment(sampleView(state), MARKER), { breaks: true, async: false });
  await page.setContent(
    `<style>${STYLE} body { margin: 0; padding: 16px }</style><body class="markdown-body">${html}</body>`,
  );
  return page;
}

/** The text of the QR code on the page, in a picture of it. */
async function scan(page: Page): Promise<string | undefined> {
  const code = await page.waitForSelector('kbd');
  const picture = await code?.screenshot({ encoding: 'base64' });
  const decoded = await page.evaluate(`(async () => {
    const image = new Image();
    image.src = 'data:image/png;base64,${picture}';
    await image.decode();
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: image.width, height: image.height });
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    return { width: image.width, height: image.height, pixels: Array.from(data).join() };
  })()`);
  const { width, height, pixels } = v.parse(Picture, decoded);
  return jsqr.default(Uint8ClampedArray.from(pixels.split(',').map(Number)), width, height)?.data;
}

const Picture = v.object({ width: v.number(), height: v.number(), pixels: v.string() });
