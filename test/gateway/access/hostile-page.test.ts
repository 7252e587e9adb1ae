// Pages that attack, in a real browser: the app's own page attacks the gateway, a page on another port of the host
// attacks the preview, and an earlier preview's service worker attacks the next one.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as ask, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PublicAddress } from '../../../src/gateway/own-address.ts';
import { useClosers } from '../../support/closers.ts';
import { openDoor, runningOn } from '../../support/gateway-door.ts';
import { describeWithReal, requirePart } from '../../support/real-parts.ts';

const KEY = 'K3y-of-this-preview_0123456789';

const closers = useClosers();

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** An app that records its requests, with credentials; upgrades too. */
async function startApp(answer: Handler) {
  const seen: string[] = [];
  const note = (request: IncomingMessage) =>
    seen.push(`${request.method} ${request.url} ${request.headers.cookie ?? ''}`.trim());
  const server = createServer((request, response) => {
    note(request);
    request.resume();
    answer(request, response);
  });
  server.on('upgrade', (request, socket) => {
    note(request);
    socket.destroy();
  });
  const port = await listen(server);
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port, seen };
}

const showPage: Handler = (_, response) =>
  response.setHeader('content-type', 'text/html').end('<!doctype html><title>app</title>secret of the app');

async function startPreview() {
  const app = await startApp(showPage);
  let place: PublicAddress | undefined;
  const rules = { access: { kind: 'link' as const, key: KEY }, publicPaths: [] };
  const door = await openDoor(app.port, { rules, place: () => place });
  place = { url: door.url, host: '127.0.0.1', port: door.port };
  closers.push(door.stop);
  return { app, url: door.url };
}

/** Code that runs in the page. It is text because the tests do not have the types of a page. */
const TRY_OWN_ORIGIN = `(async () => {
      const texts = { cookie: document.cookie, referrer: document.referrer };
      for (const path of [
        '/__expose',
        '/__expose/',
        '/__expose/requests',
        '/__expose/probe',
        '/__expose/key',
      ])
        for (const method of ['GET', 'POST', 'DELETE'])
          texts[\`\${method} \${path}\`] = String((await fetch(path, { method })).status);
      const form = { method: 'POST', body: new URLSearchParams({ key: 'guess' }) };
      texts.guess = String((await fetch('/__expose/sign-in', form)).status);
      return texts;
    })()`;

const TRY_NEIGHBOUR = `(async base => {
      const attempt = async init => {
        try {
          const response = await fetch(\`\${base}/x\`, { credentials: 'include', ...init });
          return \`\${response.type} \${await response.text()}\`;
        } catch {
          return 'blocked';
        }
      };
      const socket = new WebSocket(\`\${base.replace('http', 'ws')}/ws\`);
      const opened = new Promise(resolve => {
        socket.onopen = () => resolve('open');
        socket.onerror = () => resolve('refused');
      });
      const frame = document.createElement('iframe');
      frame.name = 'frame';
      document.body.append(frame);
      const loaded = new Promise(resolve => {
        frame.onload = resolve;
      });
      const form = document.createElement('form');
      Object.assign(form, { method: 'post', action: \`\${base}/form\`, target: 'frame' });
      document.body.append(form);
      form.submit();
      await loaded;
      return [
        await attempt({}),
        await attempt({ mode: 'no-cors' }),
        await attempt({ method: 'POST' }),
        await attempt({ method: 'POST', mode: 'no-cors', body: 'x' }),
        await attempt({ method: 'DELETE' }),
        await opened,
        document.cookie,
      ];
    })`;

describeWithReal(['chromium'], 'a page of the app that attacks', () => {
  let browser: Browser;
  beforeAll(async () => {
    const args = [
      '--no-sandbox',
      '--ignore-certificate-errors',
      '--disable-dev-shm-usage',
      '--no-proxy-server',
    ];
    browser = await puppeteer.launch({ executablePath: requirePart('chromium'), args });
  }, 60_000);
  afterAll(() => browser.close());

  async function openPage(): Promise<Page> {
    const context = await browser.createBrowserContext();
    closers.push(() => context.close());
    return await context.newPage();
  }

  it('gets no authority from /__expose of its own origin', async () => {
    const { app, url } = await startPreview();
    const page = await openPage();
    await page.goto(`${url}/?expose-key=${KEY}`);
    expect(page.url()).toBe(`${url}/`);
    const got = (await page.evaluate(TRY_OWN_ORIGIN)) as Record<string, string>;
    expect(got).toMatchObject({ cookie: '', referrer: '', guess: '401' });
    for (const [name, status] of Object.entries(got)) if (name.includes('/')) expect(status).toBe('404');
    expect(app.seen.join('\n')).not.toMatch(/__expose|expose-session|K3y/);
  }, 60_000);

  it('cannot read or change a preview on another port, nor open its WebSocket (cross-site)', async () => {
    const victim = await startPreview();
    const evil = await startPreview();
    const page = await openPage();
    for (const url of [victim.url, evil.url]) await page.goto(`${url}/?expose-key=${KEY}`);
    victim.app.seen.length = 0;
    const got = await page.evaluate(`${TRY_NEIGHBOUR}(${JSON.stringify(victim.url)})`);
    expect(got).toEqual(['blocked', 'opaque ', 'blocked', 'opaque ', 'blocked', 'refused', '']);
    // A request that only reads arrives, with the visitor's session, but the page cannot read the answer.
    expect(new Set(victim.app.seen)).toEqual(new Set(['GET /x']));
    expect(evil.app.seen.join('\n')).not.toContain('expose-');
  }, 60_000);

  it('does not survive its preview through a service worker: the next commit at the address is shown', async () => {
    const worker = `self.addEventListener('fetch', event => event.respondWith(new Response('old commit')));
      self.addEventListener('activate', event => event.waitUntil(clients.claim()));`;
    const serve =
      (text: string): Handler =>
      ({ url }, response) => {
        const isWorker = url === '/sw.js' && text === 'first';
        response.setHeader('content-type', isWorker ? 'text/javascript' : 'text/html');
        response.end(isWorker ? worker : text);
      };
    const first = await startApp(serve('first'));
    const second = await startApp(serve('second'));
    let door = { port: 0 };
    const proxy = await startTlsProxy(() => door.port);
    const options = { place: () => ({ url: proxy.url, host: '127.0.0.1', port: proxy.port }) };
    const firstDoor = await openDoor(() => runningOn(first.port), options);
    const secondDoor = await openDoor(() => runningOn(second.port), options);
    closers.push(firstDoor.stop, secondDoor.stop);
    door = firstDoor;
    const page = await openPage();
    const read = async (path: string) => {
      await page.goto(`${proxy.url}${path}`);
      return await page.evaluate('document.body.textContent');
    };
    expect(await read('/')).toBe('first');
    await page.evaluate(
      "navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(() => 0)",
    );
    expect(await read('/a')).toBe('old commit'); // it works
    door = secondDoor;
    // The worker answers the navigation itself. The browser's check for a newer worker clears it, but the browser sends
    // that check only while the worker is idle: with a request every half second, the page stayed old.
    await expect.poll(() => read('/'), { timeout: 45_000, interval: 3_000 }).toBe('second');
    expect(await page.evaluate('navigator.serviceWorker.getRegistrations().then(all => all.length)')).toBe(0);
  }, 90_000);
});

/** A proxy with TLS in front, as the documentation recommends. */
async function startTlsProxy(readPort: () => number): Promise<{ url: string; port: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'expose-tls-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', [...kind, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const pair = { key: readFileSync(key), cert: readFileSync(cert) };
  rmSync(folder, { recursive: true });
  const server = createSecureServer(pair, (request, response) => {
    const { method, url: path, headers } = request;
    const onward = ask(
      { host: '127.0.0.1', port: readPort(), method, path, headers, agent: false },
      answer => {
        response.writeHead(answer.statusCode ?? 500, answer.rawHeaders);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  const port = await listen(server);
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `https://127.0.0.1:${port}`, port };
}
