// The public inspector, behind a real bore server: who may read what, and that the preview does not depend on it.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ROUTE_NAMES } from '../../src/control/api.ts';
import { PUBLIC_ROUTE_NAMES } from '../../src/control/inspector/public.ts';
import type { ExposureConfig } from '../../src/exposure/config.ts';
import { createLogger } from '../../src/shared/log.ts';
import { startSupervision } from '../../src/supervisor/supervision.ts';
import { startBoreServer } from '../../src/tunnel/server/server.ts';
import { openChromium } from '../support/chromium.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { TestCa } from '../support/test-ca.ts';
import { accepts, launchRealServer, type RealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const HOST = '127.0.0.192';
const SECRET = 'a secret of the tests';
const CONTROL_TOKEN = 'c0ffee'.repeat(10);
const KEY = 'K'.repeat(32);

interface Rig {
  control: string;
  preview: string;
  /** Its address, without a trailing slash; '' if it is not published. */
  inspector: string;
  log: string[];
  supervision: Awaited<ReturnType<typeof startSupervision>>;
}

async function start(changes: Partial<ExposureConfig> = {}, port = 7835, host = HOST): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'inspector-'));
  const site = mkdtempSync(join(tmpdir(), 'inspector-site-'));
  writeFileSync(join(site, 'index.html'), 'the preview');
  const log: string[] = [];
  const supervision = await startSupervision(
    {
      folder,
      name: 'inspected',
      controlToken: CONTROL_TOKEN,
      logLevel: 'info',
      exposure: {
        protocol: 'http',
        spec: { mode: 'web', path: site, spa: false, crossOriginIsolation: false },
        env: {},
        baseEnvironment: { PATH: process.env.PATH ?? '' },
        healthPath: '/',
        startupTimeoutMs: 30_000,
        gateway: {
          access: { kind: 'open' },
          publicPaths: [],
          maxBodyBytes: 1024 ** 2,
          compress: true,
          capture: { kind: 'unsafe methods' },
        },
        tunnel: {
          servers: [{ address: { host, port }, secret: SECRET }],
          identity: `a preview for ${expect.getState().currentTestName}`,
          remotePort: { kind: 'auto', min: 20_000, max: 65_535 },
          publicUrl: 'http://{host}:{port}',
        },
        inspector: { key: KEY, isPublished: true, remotePort: { kind: 'auto', min: 20_000, max: 65_535 } },
        ...changes,
      },
    },
    createLogger({ level: 'info', write: line => log.push(line) }),
  );
  const { exposure } = supervision;
  onTestFinished(async () => {
    await exposure.stop();
    await supervision.finished;
    for (const left of [folder, site]) rmSync(left, { recursive: true, force: true });
  });
  await waitUntil(() => exposure.state.phase.kind !== 'starting', 'the preview is live');
  const { link = '', inspectorLink = '' } = exposure.state;
  return {
    control: supervision.controlUrl,
    preview: link,
    inspector: inspectorLink.split('/#')[0] ?? '',
    log,
    supervision,
  };
}

/** A command whose app runs `script` first, and answers everything with 200. */
const serve = (script: string) =>
  `node -e "${script}require('http').createServer((q, r) => q.resume().on('end', () => r.end())).listen(process.env.PORT, '127.0.0.1')"`;

const withKey = (key = KEY) => ({ headers: { Authorization: `Bearer ${key}` } });

/** Reads a stream of events until one of them contains `text`; resolves with all that came. */
async function readUntil(response: Response, wanted: string): Promise<string> {
  let all = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    all += decoder.decode(chunk, { stream: true });
    if (all.includes(wanted)) return all;
  }
  throw new Error(`the stream ended before '${wanted}': ${all}`);
}

describeWithReal(['bore', 'chromium'], 'the public inspector', () => {
  let server: RealServer;
  beforeAll(async () => {
    server = await launchRealServer(HOST, { secret: SECRET });
  });
  afterAll(() => server.kill());

  it('has a port of its own, which is the same in the next run, and its page needs no key', async () => {
    const first = await start();
    expect(first.inspector).toMatch(/^http:\/\/127\.0\.0\.192:\d+$/);
    expect(new URL(first.inspector).port).not.toBe(new URL(first.preview).port);
    const page = await fetch(first.inspector);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers.get('set-cookie')).toBeNull();
    expect((await fetch(first.inspector, { method: 'HEAD' })).status).toBe(200);
    await first.supervision.exposure.stop();
    expect((await start()).inspector).toBe(first.inspector);
  });

  it('answers every request for data without its key with the same 401, whatever else it carries', async () => {
    const { inspector } = await start();
    const attempts: [string, Record<string, string>][] = [
      ['nothing', {}],
      ['a wrong key', { Authorization: `Bearer ${KEY.slice(1)}` }],
      ['the control token', { Authorization: `Bearer ${CONTROL_TOKEN}` }],
      ['a password', { Authorization: `Basic ${btoa(`user:${KEY}`)}` }],
      ['cookies', { Cookie: `key=${KEY}; token=${KEY}; expose-key=${KEY}; expose_session=${KEY}` }],
    ];
    const answers = new Set<string>();
    for (const route of [
      ...PUBLIC_ROUTE_NAMES,
      ...ROUTE_NAMES,
      'GET /api/nothing',
      'POST /',
      'OPTIONS /api/events',
    ]) {
      const [method = '', path = ''] = route.split(' ');
      for (const [, headers] of attempts) {
        const answer = await fetch(`${inspector}${path}?key=${KEY}&token=${KEY}`, { method, headers });
        const fields = [...answer.headers].filter(([name]) => name !== 'date');
        answers.add(JSON.stringify([answer.status, fields, await answer.text()]));
      }
    }
    expect(answers.size).toBe(1);
    expect([...answers][0]).toMatch(/^\[401,/);
    expect([...answers][0]).not.toMatch(/access-control|set-cookie/);
  });

  it('has none of the routes that end the preview or change its tunnel, and says nothing of the control token', async () => {
    const { control, inspector, preview, supervision } = await start();
    const said: string[] = [];
    for (const route of ROUTE_NAMES) {
      const [method = '', path = ''] = route.split(' ');
      if (PUBLIC_ROUTE_NAMES.includes(route)) continue;
      const answer = await fetch(inspector + path, { method, ...withKey() });
      // 'wait' is not the id of a request.
      expect([route, answer.status]).toEqual([route, path.endsWith('/wait') ? 400 : 404]);
      said.push(await answer.text());
    }
    await fetch(`${preview}/hooks`, { method: 'POST', body: 'hello' });
    for (const path of ['/api/inspector', '/api/app', '/api/requests', '/api/requests/1']) {
      const answer = await fetch(inspector + path, withKey());
      expect([path, answer.status]).toEqual([path, 200]);
      said.push(JSON.stringify([...answer.headers]), await answer.text());
    }
    const events = await fetch(`${inspector}/api/events?types=state,request,console`, withKey());
    said.push(await readUntil(events, 'event: request'));
    expect(said.join()).not.toContain(CONTROL_TOKEN);
    expect(said.join()).not.toContain(new URL(control).port);
    expect(said.join()).toContain('"is_public":true');
    expect(supervision.exposure.state.phase.kind).toBe('live');
  });

  it('sends events at once, and the end of the preview before its own', async () => {
    const { inspector, preview, supervision } = await start();
    const events = await fetch(`${inspector}/api/events?types=state,request`, withKey());
    const seen = readUntil(events, '"phase":"ended"');
    await fetch(`${preview}/hooks/one`, { method: 'POST', body: 'hello' });
    const again = await fetch(`${inspector}/api/events?types=request`, withKey());
    expect(await readUntil(again, '"status":')).toContain('/hooks/one');
    await supervision.exposure.stop();
    const all = await seen;
    expect(all).toContain('/hooks/one');
    const { hostname, port } = new URL(inspector);
    await waitUntil(async () => !(await accepts(hostname, Number(port))), 'the port is free again');
  });

  it('sends a request to the app again, as it came, and nothing else', async () => {
    const { inspector, preview } = await start({
      spec: { mode: 'port', path: tmpdir(), command: serve('') },
      gateway: {
        access: { kind: 'link', key: 'G'.repeat(32), isGenerated: true },
        publicPaths: ['/hooks/**'],
        maxBodyBytes: 1024 ** 2,
        compress: true,
        capture: { kind: 'paths', patterns: ['/**'] },
      },
    });
    const { origin } = new URL(preview);
    await fetch(`${origin}/hooks/one`, { method: 'POST', body: 'let in' });
    await fetch(`${origin}/other`, { method: 'POST', body: 'refused: it has no key' });
    const replay = (id: number, body = '') =>
      fetch(`${inspector}/api/requests/${id}/replay`, { method: 'POST', body, ...withKey() });
    const sent = await replay(1);
    expect([sent.status, await sent.json()]).toEqual([200, expect.objectContaining({ status: 200 })]);
    expect((await replay(1, '{"to":"http://127.0.0.1:1/"}')).status).toBe(403);
    expect((await replay(1, '{"re_sign":true}')).status).toBe(403);
    expect(await (await replay(2)).json()).toEqual({
      success: false,
      error: 'the public inspector does not send again what was refused',
    });
  });

  it('removes requests for those who have the key', async () => {
    const { control, inspector, preview } = await start();
    await fetch(`${preview}/hooks`, { method: 'POST', body: 'hello' });
    expect((await fetch(`${inspector}/api/requests`, { method: 'DELETE', ...withKey() })).status).toBe(200);
    const left = await fetch(`${control}/api/requests`, withKey(CONTROL_TOKEN));
    expect(await left.json()).toMatchObject({ requests: [], last_id: 1 });
  });

  it('is refused under another host name (DNS rebinding)', async () => {
    const { inspector } = await start();
    const { hostname, port } = new URL(inspector);
    const socket = connect(Number(port), hostname);
    socket.end('GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 421 /);
  });

  it('hides the secrets that the app prints, and the values of its env', async () => {
    const command = serve("console.log(process.env.PASSWORD + ' ' + process.env.BORE); ");
    const { inspector } = await start({
      spec: { mode: 'port', path: tmpdir(), command },
      env: { PASSWORD: 'a password of the app', BORE: SECRET },
    });
    const app = await (await fetch(`${inspector}/api/app`, withKey())).text();
    const events = await fetch(`${inspector}/api/events?types=console`, withKey());
    for (const shown of [app, await readUntil(events, 'event: console')]) {
      expect(shown).toContain('*** ***');
      expect(shown).not.toContain('password of the app');
    }
  });

  it('is published nowhere if a given key or a password protects the preview, and is told to the job alone', async () => {
    const { control, inspector, log, supervision } = await start({
      gateway: {
        access: { kind: 'link', key: 'G'.repeat(32), isGenerated: false },
        publicPaths: [],
        maxBodyBytes: 1024 ** 2,
        compress: true,
      },
      inspector: { key: KEY, isPublished: false, remotePort: { kind: 'random' } },
    });
    expect(inspector).toBe('');
    expect(JSON.stringify(supervision.exposure.state)).not.toContain(KEY);
    expect(log.join('\n')).not.toContain(KEY);
    const document = (await (await fetch(`${control}/api/inspector`, withKey(CONTROL_TOKEN))).json()) as {
      public_inspector_url: string;
    };
    expect(document.public_inspector_url).toMatch(new RegExp(`^http://127\\.0\\.0\\.192:\\d+/#key=${KEY}$`));
    expect((await fetch(document.public_inspector_url)).status).toBe(200);
  });

  it('works over HTTP/2 where TLS ends on the runner, and in a browser', async () => {
    const ca = new TestCa();
    onTestFinished(() => ca.remove());
    const { inspector, preview, supervision } = await start({
      tls: ca.issue([`IP:${HOST}`]),
      tunnel: {
        servers: [{ address: { host: HOST, port: 7835 }, secret: SECRET }],
        identity: 'a preview with TLS',
        remotePort: { kind: 'random' },
        publicUrl: 'https://{host}:{port}',
      },
      inspector: { key: KEY, isPublished: true, remotePort: { kind: 'random' } },
    });
    expect(preview).toMatch(/^https:/);
    const session = connectHttp2(inspector, { ca: ca.pem });
    onTestFinished(() => session.destroy());
    const file = session.request({ ':path': '/' });
    expect(await text(file)).toContain('<!doctype html>');
    const refused = session.request({ ':path': '/api/app' });
    expect(await text(refused)).toContain('bearer token');
    const events = session.request({ ':path': '/api/events', authorization: `Bearer ${KEY}` });
    const [first] = await new Promise<[Buffer]>(resolve => events.once('data', chunk => resolve([chunk])));
    expect(String(first)).toContain('event: state');

    const browser = await openChromium(['--ignore-certificate-errors']);
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on('pageerror', error => faults.push(String(error)));
    page.on('console', message => message.type() === 'error' && faults.push(message.text()));
    await page.goto(supervision.exposure.state.inspectorLink ?? '');
    await page.waitForSelector('#app:not([hidden])');
    const sender = requestHttps(`${preview}/hooks/one`, { method: 'POST', ca: ca.pem }).end('hello');
    const [answer] = await once(sender, 'response');
    answer.resume();
    const showsIt = "document.querySelector('#count').innerText.includes('1 request')";
    await page.waitForFunction(showsIt);
    expect(page.url()).not.toContain(KEY);
    // The first page over https clears the storage of an earlier preview; this one keeps its key.
    await page.reload();
    await page.waitForFunction(showsIt);
    expect(faults).toEqual([]);
  });
});

describe('behind a proxy of the user', () => {
  it('the inspector has the address of the template', async () => {
    const server = await startBoreServer({ secret: SECRET });
    onTestFinished(() => server.stop());
    const { inspector } = await start({
      tunnel: {
        servers: [{ address: { host: '127.0.0.1', port: server.controlPort }, secret: SECRET }],
        identity: 'a preview',
        remotePort: { kind: 'random' },
        publicUrl: 'http://localhost:{port}',
      },
      inspector: { key: KEY, isPublished: true, remotePort: { kind: 'random' } },
    });
    expect(inspector).toMatch(/^http:\/\/localhost:\d+$/);
    expect((await fetch(inspector)).status).toBe(200);
  });
});

describe('a preview without a port for its inspector', () => {
  const PORT = 23_456;
  const serve = (controlPort = 0, maxPort = PORT) =>
    startBoreServer({ secret: SECRET, controlPort, minPort: PORT, maxPort });
  const startOn = ({ controlPort }: { controlPort: number }) =>
    start({
      tunnel: {
        servers: [{ address: { host: '127.0.0.1', port: controlPort }, secret: SECRET }],
        identity: 'a preview',
        remotePort: { kind: 'fixed', port: PORT },
        publicUrl: 'http://{host}:{port}',
      },
      inspector: { key: KEY, isPublished: true, remotePort: { kind: 'auto', min: PORT, max: PORT + 1 } },
    });

  it('is live without it, with one warning', async () => {
    const server = await serve();
    onTestFinished(() => server.stop());
    const { inspector, log, preview, supervision } = await startOn(server);
    expect(inspector).toBe('');
    expect(await (await fetch(preview)).text()).toBe('the preview');
    expect(supervision.exposure.state.warnings).toEqual([
      expect.stringMatching(/^there is no public inspector: .*; the preview itself goes on$/),
    ]);
    expect(log.filter(line => line.includes('no public inspector'))).toHaveLength(1);
  });

  it('goes on when the port is lost later', async () => {
    const first = await serve(0, PORT + 1);
    const { inspector, preview, supervision } = await startOn(first);
    const { exposure } = supervision;
    expect(inspector).toBe(`http://127.0.0.1:${PORT + 1}`);
    const { controlPort } = first;
    await first.stop();
    const second = await serve(controlPort);
    onTestFinished(() => second.stop());
    await waitUntil(() => exposure.state.inspectorLink === undefined, 'the inspector is given up');
    await waitUntil(() => exposure.state.tunnel.status === 'Connected', 'the preview is back');
    expect(await (await fetch(preview)).text()).toBe('the preview');
    expect(exposure.state.phase.kind).toBe('live');
    expect(exposure.state.warnings).toHaveLength(1);
  });
});
