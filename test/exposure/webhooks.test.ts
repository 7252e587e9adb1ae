// Webhooks to whole exposures whose app is killed, starts late, or is restarted by somebody else.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import type { AppSpec } from '../../src/app/program.ts';
import { Exposure } from '../../src/exposure/exposure.ts';
import { createLogger } from '../../src/shared/log.ts';
import { startBoreServer } from '../../src/tunnel/server/server.ts';
import { listen } from '../support/listen.ts';
import { OPEN_GATEWAY } from '../support/open-gateway.ts';
import { waitUntil } from '../support/wait-until.ts';
import { WEBHOOK_PROGRAM } from '../support/webhook-program.ts';

/** In `folder`, with WEBHOOK_PROGRAM as app.cjs. */
async function openExposure(makeSpec: (folder: string) => AppSpec) {
  const server = await startBoreServer({ secret: 'a secret' });
  const folder = mkdtempSync(join(tmpdir(), 'webhooks-'));
  writeFileSync(join(folder, 'app.cjs'), WEBHOOK_PROGRAM);
  const log: string[] = [];
  const exposure = new Exposure({
    config: {
      protocol: 'http',
      spec: makeSpec(folder),
      env: {},
      baseEnvironment: { PATH: process.env.PATH ?? '' },
      healthPath: '/',
      startupTimeoutMs: 60_000,
      gateway: { ...OPEN_GATEWAY, queue: true, capture: { kind: 'paths', patterns: ['/hooks/**'] } },
      tunnel: {
        servers: [{ address: { host: '127.0.0.1', port: server.controlPort }, secret: 'a secret' }],
        identity: 'a preview',
        remotePort: { kind: 'random' },
        publicUrl: 'http://{host}:{port}',
      },
    },
    folder: join(folder, 'session'),
    logger: createLogger({ level: 'info', write: line => log.push(line) }),
    onChild: () => {},
  });
  onTestFinished(async () => {
    await exposure.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const post = async (body: Buffer | string, path = '/hooks/a') =>
    (await fetch(`${exposure.state.link}${path}`, { method: 'POST', body })).status;
  const touch = (name: string) => writeFileSync(join(folder, name), '');
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  return { exposure, folder, log, post, touch, read };
}

const runCommand = (path: string): AppSpec => ({ mode: 'port', path, command: 'exec node app.cjs' });

it('a killed app gets all 20 webhooks that were sent meanwhile, in order and byte for byte; a handshake gets 503', async () => {
  const { exposure, folder, log, post, touch, read } = await openExposure(runCommand);
  touch('go');
  await exposure.start();
  rmSync(join(folder, 'go'));
  process.kill(Number(read('pid')), 'SIGKILL');
  await waitUntil(() => exposure.state.app.status === 'restarting', 'the app is restarting');
  const bodies = Array.from({ length: 20 }, (_, index) => Buffer.from([index, 0xff, 0x00, 0xe2, 0x80, 0xa8]));
  for (const [index, body] of bodies.entries()) expect(await post(body, `/hooks/${index}?a=%2F`)).toBe(202);
  expect(await post('{"type":"url_verification","challenge":"c"}')).toBe(503);
  expect(await post('', '/hooks/graph?validationToken=t')).toBe(503);
  expect(existsSync(join(folder, 'got'))).toBe(false);
  touch('go');
  await waitUntil(
    () => log.some(line => line.includes('20 webhooks delivered')),
    'all are delivered',
    60_000,
  );
  expect(read('got').trim().split('\n')).toEqual(
    bodies.map((body, index) => `/hooks/${index}?a=%2F ${body.toString('base64')}`),
  );
  const delivered = exposure.requests.list().filter(({ delivery }) => delivery?.outcome.kind === 'delivered');
  expect(delivered.map(({ body }) => body)).toEqual(bodies);
});

it('a webhook that kills the app kills it once, and those behind it are delivered to the next start', async () => {
  const { exposure, log, post, touch, read } = await openExposure(runCommand);
  const started = exposure.start();
  await waitUntil(() => exposure.state.link !== undefined, 'the address is known');
  for (const body of ['a', 'poison', 'b', 'c']) expect(await post(body)).toBe(202);
  touch('go');
  await started;
  await waitUntil(() => log.some(line => line.includes('2 webhooks delivered')), 'the rest is delivered');
  const line = (body: string) => `/hooks/a ${Buffer.from(body).toString('base64')}\n`;
  expect(read('got')).toBe(['a', 'poison', 'b', 'c'].map(line).join(''));
  expect(exposure.state.restarts).toBe(1);
  expect(exposure.requests.list().map(({ delivery }) => delivery?.outcome)).toMatchObject([
    { kind: 'delivered' },
    { kind: 'dropped', reason: expect.stringMatching(/^the app (closed the connection|stopped before)/) },
    { kind: 'delivered' },
    { kind: 'delivered' },
  ]);
});

it('an app that is still starting gets them when it is up', async () => {
  const { exposure, log, post, touch, read } = await openExposure(runCommand);
  const started = exposure.start();
  await waitUntil(() => exposure.state.link !== undefined, 'the address is known');
  expect(await post('early')).toBe(202);
  touch('go');
  await started;
  await waitUntil(() => log.some(line => line.includes('1 webhook delivered')), 'it is delivered');
  expect(read('got')).toBe(`/hooks/a ${Buffer.from('early').toString('base64')}\n`);
});

it('a start that fails drops what waits, and says so', async () => {
  const { exposure, log, post, folder } = await openExposure(path => ({
    mode: 'port',
    path,
    command: 'while [ ! -e go ]; do sleep 0.05; done; exit 3',
  }));
  const started = exposure.start();
  await waitUntil(() => exposure.state.link !== undefined, 'the address is known');
  expect(await post('early')).toBe(202);
  writeFileSync(join(folder, 'go'), '');
  await expect(started).rejects.toThrow();
  expect(exposure.requests.list()[0]?.delivery?.outcome).toMatchObject({
    kind: 'dropped',
    reason: expect.stringMatching(/the app failed|the preview ended/),
  });
  expect(log.join('\n')).toMatch(/1 webhook dropped: /);
});

it('a service that somebody else restarts gets them, although its state never changes', async () => {
  const got: string[] = [];
  const createService = () =>
    createServer(async (request, response) => {
      const body = await text(request);
      if (body !== '') got.push(body);
      response.end('done');
    });
  const close = (server: Server) => {
    server.closeAllConnections();
    return new Promise(resolve => server.close(resolve));
  };
  const first = createService();
  const port = await listen(first);
  const { exposure, log, post } = await openExposure(path => ({ mode: 'port', path, port }));
  await exposure.start();
  expect(await post('live')).toBe(200);
  await close(first);
  for (const body of ['a', 'b', 'c']) expect(await post(body)).toBe(202);
  expect(exposure.state.app.status).toBe('running');
  const second = createService();
  onTestFinished(() => void close(second));
  await listen(second, { port });
  await waitUntil(() => log.some(line => line.includes('3 webhooks delivered')), 'all are delivered');
  expect(got).toEqual(['live', 'a', 'b', 'c']);
  expect(await post('live again')).toBe(200);
});
