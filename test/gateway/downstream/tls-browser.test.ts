// A real browser, with TLS that ends at the gateway: HTTP/2 for pages, HTTP/1.1 for WebSockets, and the redirect to
// https.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { type Door, openDoor, runningOn } from '../../support/gateway-door.ts';
import { describeWithReal, requirePart } from '../../support/real-parts.ts';
import { hashPublicKey, TestCa, type TestCertificate } from '../../support/test-ca.ts';

const ASSETS = 20;
const PAGE = `<!doctype html><title>app</title><form method="post" action="/form"><input name="word" value="hello">
<button>send</button></form>
${Array.from({ length: ASSETS }, (_, n) => `<script src="/asset-${n}.js"></script>`).join('\n')}`;
/** The protocol of the page and of every asset, as the browser reports it. */
const PROTOCOLS = `[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  .filter(one => !one.name.endsWith('favicon.ico')).map(one => one.nextHopProtocol)`;
const TALK = `new Promise((resolve, reject) => {
  const socket = new WebSocket(location.origin.replace('https', 'wss') + '/socket');
  socket.onopen = () => socket.send('hello');
  socket.onmessage = ({ data }) => resolve(data);
  socket.onerror = () => reject(new Error('no WebSocket'));
})`;

describeWithReal(['chromium'], 'Chromium, with TLS that ends at the gateway', () => {
  let ca: TestCa;
  let tls: TestCertificate;
  let browser: Browser;
  let page: Page;
  const closers: (() => unknown)[] = [];

  beforeAll(async () => {
    ca = new TestCa();
    tls = ca.issue(['DNS:localhost']);
    browser = await puppeteer.launch({
      executablePath: requirePart('chromium'),
      args: ['--no-sandbox', `--ignore-certificate-errors-spki-list=${hashPublicKey(tls.cert)}`],
      pipe: true,
    });
  });
  afterAll(async () => {
    await browser.close();
    ca.remove();
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  /** An app with a page with assets, a form, and a WebSocket that echoes. */
  async function openApp(): Promise<{ door: Door; url: string; upgrades: IncomingMessage[] }> {
    const app = createServer(async (request, response) => {
      if (request.method === 'POST') {
        const parts = await request.toArray();
        response.end(`form: ${Buffer.concat(parts)} by ${request.headers['x-forwarded-proto']}`);
      } else if (request.url?.endsWith('.js'))
        response
          .writeHead(200, { 'content-type': 'text/javascript' })
          .end('window.loaded = (window.loaded ?? 0) + 1');
      else response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
    }).listen(0, '127.0.0.1');
    await once(app, 'listening');
    const upgrades: IncomingMessage[] = [];
    const sockets = new WebSocketServer({ server: app, path: '/socket' });
    sockets.on('connection', (socket, request) => {
      upgrades.push(request);
      socket.on('message', data => socket.send(`echo ${data}`));
    });
    const publicUrl = 'https://localhost:{port}';
    const state = runningOn((app.address() as AddressInfo).port, 'preserve');
    const door = await openDoor(() => state, { tls, publicUrl });
    const url = `https://localhost:${door.port}`;
    closers.push(
      () => app.close(),
      () => app.closeAllConnections(),
      () => sockets.close(),
      door.stop,
    );
    page = await browser.newPage();
    closers.push(() => page.close());
    return { door, url, upgrades };
  }

  it('loads a page and its assets over HTTP/2', async () => {
    const { url } = await openApp();
    await page.goto(`${url}/`);
    expect(await page.evaluate('window.loaded')).toBe(ASSETS);
    expect(await page.evaluate(PROTOCOLS)).toEqual(Array.from({ length: ASSETS + 1 }, () => 'h2'));
  });

  it('opens its WebSocket over HTTP/1.1', async () => {
    const { url, upgrades } = await openApp();
    await page.goto(`${url}/`);
    expect(await page.evaluate(TALK)).toBe('echo hello');
    expect(upgrades[0]?.headers.origin).toBe(url);
  });

  it('posts a form', async () => {
    const { url } = await openApp();
    await page.goto(`${url}/`);
    await Promise.all([page.waitForNavigation(), page.click('button')]);
    expect(await page.evaluate('document.body.textContent')).toBe('form: word=hello by https');
  });

  it('is redirected from http to the same page', async () => {
    const { door, url } = await openApp();
    await page.goto(`http://localhost:${door.port}/there?a=b`);
    expect(page.url()).toBe(`${url}/there?a=b`);
    expect(await page.title()).toBe('app');
  });

  it('says that the connection is not private if the certificate is for another name', async () => {
    await openApp();
    const other = await openDoor(() => ({ status: 'starting' }), { tls: ca.issue(['DNS:localhost']) });
    closers.push(other.stop);
    await expect(page.goto(`https://localhost:${other.port}/`)).rejects.toThrow('ERR_CERT_AUTHORITY_INVALID');
  });
});
