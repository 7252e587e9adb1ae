// What a reviewer sees in a browser: from the link in the comment to an app with everything apps have.

import { createServer } from 'node:http';
import type { Page } from 'puppeteer-core';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { openChromium } from '../support/chromium.ts';
import { listen } from '../support/listen.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createPreview, goLive, type Preview, SECRET } from './job-rig.ts';

const PAGE = `<!doctype html><title>the app</title><link rel="stylesheet" href="/style.css">
<h1>the app</h1><form method="post" action="/say"><input name="word" value="hello"><button>Say</button></form>
<script>
  const socket = new WebSocket(location.href.replace('http', 'ws').replace(/[^/]*$/, 'socket'));
  socket.onopen = () => socket.send('ping');
  socket.onmessage = ({ data }) => { document.title = data; };
</script>`;

/** An app with a page, a style sheet, a form and a WebSocket. `seen` is every head it got. */
async function startApp(): Promise<{ port: number; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.rawHeaders.join(' ')}`);
    if (request.url === '/style.css')
      return response.writeHead(200, { 'content-type': 'text/css' }).end('h1{color:rgb(1,2,3)}');
    response.writeHead(200, { 'content-type': 'text/html' });
    if (request.method !== 'POST') return response.end(PAGE);
    request.setEncoding('utf8').on('data', body => response.end(`<p id="said">${body}</p>`));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, request) => {
    seen.push(`WS ${request.url} ${request.rawHeaders.join(' ')}`);
    socket.on('message', () => socket.send('pong'));
  });
  const port = await listen(server);
  onTestFinished(() => {
    sockets.close();
    server.closeAllConnections();
    server.close();
  });
  return { port, seen };
}

async function startPreview(host: string): Promise<Preview & { seen: string[] }> {
  await startRealServer(host, { secret: SECRET });
  const { port, seen } = await startApp();
  const inputs = { server: host, port: String(port) };
  const preview = await createPreview(inputs, {}, {}, undefined, { private: true });
  onTestFinished(async () => void (await preview.job.post()));
  await goLive(preview);
  return { ...preview, seen };
}

/** Everything of the app works: page, style sheet, WebSocket, form. */
async function useApp(page: Page): Promise<void> {
  await page.waitForFunction("document.title === 'pong'");
  expect(await page.evaluate("getComputedStyle(document.querySelector('h1')).color")).toBe('rgb(1, 2, 3)');
  await Promise.all([page.waitForNavigation(), page.click('button')]);
  expect(await page.$eval('#said', said => said.textContent)).toBe('word=hello');
}

describeWithReal(['bore', 'chromium'], 'a reviewer', () => {
  it('clicks the link in the comment and uses the app, which never sees the key', async () => {
    const { job, github, seen } = await startPreview('127.0.2.15');
    const body = () => github.state.comments[0]?.body ?? '';
    await waitUntil(() => body().includes('is live'), 'the comment says that it is live');
    const [, link = ''] = /\[Open the preview\]\(<([^>]+)>\)/.exec(body()) ?? [];
    const { url = '', key = '' } = job.outputs;
    expect(link).toBe(`${url}/?expose-key=${key}`);

    const page = await (await openChromium()).newPage();
    await page.goto(link);
    expect(page.url()).toBe(`${url}/`);
    await useApp(page);
    expect(await page.evaluate('document.cookie')).toBe('');
    expect(seen.join('\n')).toContain('WS /socket');
    expect(seen.join('\n')).not.toContain(key);
    expect(seen.join('\n')).not.toMatch(/expose-session/);
  });

  it('with the address alone pastes the key on a phone, and gets the page that was asked for', async () => {
    const { job, seen } = await startPreview('127.0.0.188');
    const { url = '', key = '' } = job.outputs;
    const page = await (await openChromium()).newPage();
    await page.setViewport({ width: 360, height: 740, isMobile: true, hasTouch: true });
    expect((await page.goto(`${url}/deep/page?a=b`))?.status()).toBe(401);
    expect(seen.filter(head => !head.startsWith('GET / '))).toEqual([]); // the health check came, nobody else
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);

    const submit = async (text: string) => {
      await page.type('input', text);
      await Promise.all([page.waitForNavigation(), page.tap('button')]);
    };
    await submit('wrong');
    expect(await page.$eval('h1', heading => heading.textContent)).toBe('That is not the key');
    await page.goto(`${url}/deep/page?a=b`);
    await submit(` ${key} `);
    expect(page.url()).toBe(`${url}/deep/page?a=b`);
    await useApp(page);
  });
});
