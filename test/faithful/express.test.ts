// An Express app behind tunnel and gateway, as a browser uses it: sign-in with a session, form and redirect, static
// files with ranges, events; and what it knows of its own address.

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express, { type Express, type Response } from 'express';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listen } from '../support/listen.ts';
import { Noise } from '../support/noise.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { waitUntil } from '../support/wait-until.ts';
import { type Exposed, expose, openBrowser } from './exposed.ts';
import { openHttp1Visitor } from './http1-visitor.ts';
import { type Ask, readAnswer } from './visitor.ts';

interface Rig {
  app: Express;
  /** Those who listen to /events. */
  listeners: Response[];
}

const SIGN_IN = `<!doctype html><form method="post" action="/sign-in"><input name="user"><button>in</button></form>`;
const HOME = `<!doctype html><p id="user"></p><ul id="events"></ul><img src="/static/dot.svg"><script>
  fetch('/whoami').then(answer => answer.text()).then(name => { document.querySelector('#user').textContent = name; });
  const source = new EventSource('/events');
  source.onmessage = ({ data, lastEventId }) => {
    document.querySelector('#events').append(Object.assign(document.createElement('li'), { textContent: lastEventId + data }));
  };
</script>`;

function buildApp(folder: string): Rig {
  const app = express();
  const sessions = new Map<string, string>();
  const listeners: Response[] = [];
  // What Express needs to know its public address behind any proxy.
  app.set('trust proxy', 'loopback');
  app.use(express.urlencoded({ extended: false }));
  app.use('/static', express.static(folder));
  const readUser = (cookie = '') => sessions.get(/sid=([\w-]+)/.exec(cookie)?.[1] ?? '');
  app.get('/', (request, response) => {
    if (readUser(request.headers.cookie) === undefined) response.redirect('sign-in');
    else response.send(HOME);
  });
  app.get('/sign-in', (_, response) => void response.send(SIGN_IN));
  app.post('/sign-in', (request, response) => {
    const id = randomUUID();
    sessions.set(id, request.body.user);
    response.cookie('sid', id, { httpOnly: true, sameSite: 'lax', path: '/' }).cookie('theme', 'dark ü');
    response.redirect(303, '/');
  });
  app.get('/whoami', (request, response) => void response.send(readUser(request.headers.cookie) ?? 'nobody'));
  app.get('/address', ({ protocol, host, hostname, secure }, response) => {
    response.json({ protocol, host, hostname, secure });
  });
  app.get('/events', (_, response) => {
    response.set({ 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }).flushHeaders();
    listeners.push(response);
  });
  app.post(
    '/json',
    express.json({ limit: '1mb' }),
    ({ body }, response) => void response.json({ got: body }),
  );
  app.get('/fail', () => {
    throw Object.assign(new Error('not here'), { status: 409, expose: true });
  });
  return { app, listeners };
}

describeWithReal(['bore', 'chromium'], 'an Express app', () => {
  let [folder, server, rig]: [string, Server | undefined, Rig | undefined] = ['', undefined, undefined];
  let exposed: Exposed;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'expose-express-'));
    writeFileSync(join(folder, 'dot.svg'), '<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"/>');
    writeFileSync(join(folder, 'noise.bin'), new Noise(5).take(300_000));
    rig = buildApp(folder);
    server = createServer(rig.app);
    const port = await listen(server);
    [exposed, browser] = await Promise.all([expose({ port }, '127.0.0.67'), openBrowser()]);
    page = await browser.newPage();
  });
  afterAll(async () => {
    await browser?.close();
    await exposed?.stop();
    server?.close();
    server?.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });

  it('signs a visitor in: redirect to the form, post, cookie, redirect back', async () => {
    await page.goto(exposed.url.href);
    expect(page.url()).toBe(new URL('/sign-in', exposed.url).href);
    await page.type('input', 'Zoë');
    await Promise.all([page.waitForNavigation(), page.click('button')]);
    expect(page.url()).toBe(exposed.url.href);
    await page.waitForSelector('#user::-p-text(Zoë)');
    expect((await browser.cookies()).map(({ name, value }) => name === 'sid' || value).sort()).toEqual([
      'dark%20%C3%BC',
      true,
    ]);
    expect(
      await page.$eval('img', image => (image as unknown as { naturalWidth: number }).naturalWidth),
    ).toBe(7);
  });

  it('sends events to the page, one by one', async () => {
    await waitUntil(() => rig?.listeners.length === 1, 'the page listens');
    for (const id of [1, 2, 3]) {
      rig?.listeners[0]?.write(`id: ${id}\ndata: event ${id}\n\n`);
      await page.waitForSelector(`li::-p-text(${id}event ${id})`);
    }
    expect(await page.$$eval('li', items => items.length)).toBe(3);
  });

  it('sees the page open a broken event stream again, with the last id', async () => {
    rig?.listeners.splice(0)[0]?.write('retry: 10\ndata: soon\n\n');
    await page.waitForSelector('li::-p-text(3soon)');
    server?.closeAllConnections();
    await waitUntil(() => rig?.listeners.length === 1, 'the page listens again');
    expect(rig?.listeners[0]?.req.get('last-event-id')).toBe('3');
  });

  const asks: [string, Ask][] = [
    ['a redirect', { path: '/' }],
    ['a file', { path: '/static/noise.bin' }],
    ['a file’s head', { path: '/static/noise.bin', method: 'HEAD' }],
    ['a part of a file', { path: '/static/noise.bin', headers: [['Range', 'bytes=100-99999']] }],
    ['the end of a file', { path: '/static/noise.bin', headers: [['Range', 'bytes=-5']] }],
    ['a part that is not there', { path: '/static/noise.bin', headers: [['Range', 'bytes=300000-']] }],
    ['several parts', { path: '/static/noise.bin', headers: [['Range', 'bytes=0-1,5-6']] }],
    ['a file that is not there', { path: '/static/nothing' }],
    ['a path out of the folder', { path: '/static/..%2f..%2fetc%2fpasswd' }],
    ['a path that cannot be decoded', { path: '/static/%zz' }],
    ['what may be done', { path: '/json', method: 'OPTIONS' }],
    ['an error', { path: '/fail' }],
    [
      'JSON',
      {
        path: '/json',
        method: 'POST',
        headers: [['Content-Type', 'application/json']],
        body: Buffer.from('{"a":["ü"]}'),
      },
    ],
    [
      'wrong JSON',
      {
        path: '/json',
        method: 'POST',
        headers: [['Content-Type', 'application/json']],
        body: Buffer.from('{'),
      },
    ],
    [
      'too much',
      {
        path: '/json',
        method: 'POST',
        headers: [['Content-Type', 'application/json']],
        body: Buffer.alloc(2_000_000, '1'),
      },
    ],
  ];
  it.each(asks)('answers as it does at its own port: %s', async (_, ask) => {
    const [direct, through] = await Promise.all(
      [new URL(`http://localhost:${exposed.appPort}`), exposed.url].map(async url => {
        const visitor = openHttp1Visitor(url);
        const answer = await readAnswer(visitor.request(ask));
        visitor.close();
        return answer;
      }),
    );
    expect(through).toEqual(direct);
    expect(direct?.status).toBeGreaterThan(0);
  });

  it('knows the address that its visitors type', async () => {
    const { protocol, host, hostname } = exposed.url;
    expect(await (await fetch(new URL('/address', exposed.url))).json()).toEqual({
      protocol: protocol.slice(0, -1),
      host,
      hostname,
      secure: protocol === 'https:',
    });
  });
});
