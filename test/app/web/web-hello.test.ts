// The example of `mode: web`, in Chromium.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { expect, it } from 'vitest';
import { createHandler } from '../../../src/app/web/web.ts';
import { describeWithReal, requirePart } from '../../support/real-parts.ts';

const EXAMPLE = join(import.meta.dirname, '../../../examples', 'web-hello');
/** An empty canvas has one colour. */
const COUNT_COLOURS = `new Set(new Uint32Array(document.querySelector('#picture').getContext('2d')
  .getImageData(0, 0, 400, 300).data.buffer)).size`;

describeWithReal(['chromium'], 'examples/web-hello in a browser', () => {
  it('streams its .wasm, draws, and is isolated if requested', async () => {
    const spec = { mode: 'web', path: EXAMPLE, spa: false, crossOriginIsolation: true } as const;
    const handle = createHandler(spec);
    const server = createServer((request, response) =>
      handle(request, response, status => response.writeHead(status).end()),
    ).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const browser = await puppeteer.launch({
      executablePath: requirePart('chromium'),
      args: ['--no-sandbox'],
      pipe: true,
    });
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      const rate = await page.waitForSelector('#rate::-p-text(million)', { timeout: 30_000 });
      expect(await rate?.evaluate(element => element.textContent)).toMatch(/^[\d,]+ million$/);
      expect(await page.$eval('#isolated', element => element.textContent)).toBe('yes');
      expect(await page.evaluate(COUNT_COLOURS)).toBeGreaterThan(50);
    } finally {
      await browser.close();
      server.close();
    }
  });
});
