// Which clients see credentials and signatures, by every route that shows requests.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { expect, it } from 'vitest';
import { startControlApi } from '../../../src/control/api.ts';
import type { Controls } from '../../../src/control/call.ts';
import { openPublicInspector } from '../../../src/control/inspector/public.ts';
import { useClosers } from '../../support/closers.ts';
import { controlsWith } from '../../support/controls.ts';
import { listen } from '../../support/listen.ts';
import { FakeRequestLog } from '../../support/request-log.ts';

const KEY = 'a-key-of-this-test';
const closers = useClosers();

const ROUTES = [
  'GET /api/requests',
  'GET /api/requests/1',
  'GET /api/events?types=request',
  'POST /api/requests/1/replay',
];

/** An exposure with one captured request, whose app answers a replay with a cookie. */
function inspect(redacts: boolean): Controls {
  const requests = new FakeRequestLog({ kind: 'unsafe methods' });
  requests.add({
    target: '/login?token=s3cret',
    rawHeaders: ['Authorization', 'Bearer s3cret', 'Content-Type', 'application/json'],
    body: Buffer.from('{"password":"s3cret"}'),
  });
  return controlsWith({
    requests,
    inspection: { redacts, signingRules: [], publicLink: undefined },
    replay: async () => ({
      id: 2,
      status: 200,
      headers: ['Set-Cookie', 'session=s3cret', 'Content-Type', 'application/json'],
      body: Buffer.from('{"access_token":"s3cret"}'),
      bodyBytes: 25,
      durationMs: 1,
      hint: undefined,
    }),
  });
}

/** The first that comes of the answer: that of an event stream does not end. */
async function read(base: string, route: string, query = ''): Promise<string> {
  const [method = '', path = ''] = route.split(' ');
  const mark = path.includes('?') ? '&' : '?';
  const response = await fetch(`${base}${path}${query && mark + query}`, {
    method,
    headers: { Authorization: `Bearer ${KEY}` },
  });
  expect([route, response.status]).toEqual([route, 200]);
  for await (const chunk of response.body ?? []) return Buffer.from(chunk).toString();
  return '';
}

async function startControl(redacts: boolean): Promise<string> {
  const api = await startControlApi(inspect(redacts), KEY);
  closers.push(() => api.stop());
  return api.url;
}

async function startPublic(redacts: boolean): Promise<string> {
  const inspector = openPublicInspector(inspect(redacts), KEY, text => text);
  const server = createServer((request: IncomingMessage, response: ServerResponse) =>
    inspector.handle(request, response),
  );
  const port = await listen(server);
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${port}`;
}

it.each(ROUTES)('%s shows clients on the runner everything, unless they ask otherwise', async route => {
  const base = await startControl(true);
  for (const query of ['', 'redact=false']) expect(await read(base, route, query)).toContain('s3cret');
  for (const query of ['redact=true', 'redact=auto']) {
    const text = await read(base, route, query);
    expect(text).toContain('[redacted]');
    expect(text).not.toContain('s3cret');
  }
});

it.each(ROUTES)('%s hides it in the public inspector, whatever the client asks', async route => {
  const base = await startPublic(true);
  for (const query of ['', 'redact=false', 'redact=auto'])
    expect(await read(base, route, query)).not.toContain('s3cret');
});

it.each(ROUTES)('%s shows it in pages with `redact: false`', async route => {
  expect(await read(await startControl(false), route, 'redact=auto')).toContain('s3cret');
  expect(await read(await startPublic(false), route)).toContain('s3cret');
});

it('a word that is not known is refused', async () => {
  const base = await startControl(true);
  for (const route of ROUTES) {
    const [method = '', path = ''] = route.split(' ');
    const answer = await fetch(`${base}${path}${path.includes('?') ? '&' : '?'}redact=yes`, {
      method,
      headers: { Authorization: `Bearer ${KEY}` },
    });
    expect([answer.status, await answer.json()]).toEqual([
      400,
      { success: false, error: "`redact` is 'yes': write true, false or auto" },
    ]);
  }
});
