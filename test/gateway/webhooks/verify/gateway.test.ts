// Signed webhooks through the gateway, over real connections: what is signed rightly reaches the app as it came, and
// nothing else does.

import { once } from 'node:events';
import { createServer, type IncomingMessage, request as sendRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { RequestRecorder } from '../../../../src/gateway/webhooks/record/recorder.ts';
import { parseRules } from '../../../../src/gateway/webhooks/verify/parse-rules.ts';
import { openSigner } from '../../../../src/gateway/webhooks/verify/providers.ts';
import type { Fields } from '../../../../src/gateway/webhooks/verify/signer.ts';
import { useClosers } from '../../../support/closers.ts';
import { openDoor, PUBLIC_URL, sendRaw } from '../../../support/gateway-door.ts';
import { TestCa } from '../../../support/test-ca.ts';
import { makeRule, SAMPLE_LINES } from './sample-rules.ts';

const closers = useClosers();
const KEY = 'K3y-of-this-preview_0123456789';
const BYTES = Buffer.from('{"emoji":"🎉","line":"\u2028"}\xff\xfe\r\n', 'latin1');

interface Seen {
  method: string | undefined;
  target: string | undefined;
  rawHeaders: string[];
  body: Buffer;
}

/** An app that keeps what it sees. */
async function startApp() {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const { method, url: target, rawHeaders } = request;
    seen.push({ method, target, rawHeaders, body: await buffer(request) });
    response.end('from the app');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, seen, stop };
}

async function open(lines: readonly string[], access: 'open' | 'link' = 'link') {
  const app = await startApp();
  const recorder = new RequestRecorder({ kind: 'paths', patterns: ['/hooks/**'] });
  const door = await openDoor(app.port, {
    rules: {
      access: access === 'link' ? { kind: 'link', key: KEY } : { kind: 'open' },
      verify: parseRules(lines.join('\n')),
    },
    recorder,
  });
  closers.push(app.stop, door.stop);
  return { app, door, recorder, last: () => recorder.list().at(-1) };
}

interface Sending {
  method?: string;
  target: string;
  fields?: Fields;
  body?: Buffer;
  host?: string;
}

/** Sends one request; resolves with the status and the body of the answer. */
async function send(port: number, { method = 'POST', target, fields = [], body, host }: Sending) {
  const request = sendRequest({ port, host: '127.0.0.1', method, path: target, agent: false });
  request.setHeader('Host', host ?? new URL(PUBLIC_URL).host);
  for (const [name, value] of fields) request.setHeader(name, value);
  request.end(body);
  const [response]: IncomingMessage[] = await once(request, 'response');
  if (response === undefined) throw new Error('no answer');
  return { status: response.statusCode, text: (await buffer(response)).toString() };
}

/** What a provider sends: the body, and the fields of its signature. */
function signFor(
  line: string,
  {
    target,
    body = Buffer.alloc(0),
    nowS = Math.floor(Date.now() / 1000),
  }: {
    target: string;
    body?: Buffer;
    nowS?: number;
  },
): Fields {
  const type: Fields = line.startsWith('twilio')
    ? [['Content-Type', 'application/x-www-form-urlencoded']]
    : [];
  const signed = openSigner(makeRule(line)).sign(
    { method: 'POST', target, rawHeaders: type.flat(), body, origins: [PUBLIC_URL] },
    nowS,
  );
  return [...type, ...signed];
}

const pathOf = (line: string) => makeRule(line).path;

describe.each(Object.keys(SAMPLE_LINES))('a webhook of %s', provider => {
  const line = SAMPLE_LINES[provider] ?? '';
  const body = provider === 'twilio' ? Buffer.from('To=%2B1&Body=%F0%9F%8E%89') : BYTES;
  const target = `${pathOf(line)}?b=%20&a=1`;

  it('reaches the app byte for byte without the key if its signature is right', async () => {
    const { app, door, last } = await open([line]);
    const fields: Fields = [['X-Case-Kept', 'Yes'], ...signFor(line, { target, body })];
    expect(await send(door.port, { target, fields, body })).toEqual({ status: 200, text: 'from the app' });
    const [seen] = app.seen;
    expect(seen).toMatchObject({ method: 'POST', target, body });
    const sent = fields.flat();
    expect(seen?.rawHeaders.join('\n')).toContain(sent.join('\n'));
    expect(last()).toMatchObject({ verified: provider, refusal: undefined, body });
  });

  it('gets 401 and never reaches the app with one flipped byte, another secret, or no signature', async () => {
    const { app, door, last } = await open([line]);
    const flipped = Buffer.from(body);
    flipped[3] = (flipped[3] ?? 0) ^ 1;
    const fields = signFor(line, { target, body });
    const forged = signFor(line.replace(/ \S+(?= header| *$)/, ' whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaXXXX'), {
      target,
      body,
    });
    expect((await send(door.port, { target, fields, body: flipped })).status).toBe(401);
    expect(last()?.refusal).toContain('does not match');
    expect((await send(door.port, { target, fields: forged, body })).status).toBe(401);
    expect(last()?.refusal).toContain('does not match');
    expect((await send(door.port, { target, body })).status).toBe(401);
    expect(last()?.refusal).toMatch(/^it is not signed: it has no X?-?[A-Za-z]/i);
    expect(app.seen).toEqual([]);
  });

  it('gets 401 without a signature also with the key, and in an open preview', async () => {
    const keyed = await open([line]);
    const fields: Fields = [['Authorization', `Bearer ${KEY}`]];
    expect((await send(keyed.door.port, { target, body, fields })).status).toBe(401);
    const everybody = await open([line], 'open');
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND'])
      expect((await send(everybody.door.port, { method, target })).status).toBe(401);
    expect([...keyed.app.seen, ...everybody.app.seen]).toEqual([]);
  });
});

it.each(['stripe', 'slack', 'standard-webhooks'])(
  'refuses a webhook of %s whose timestamp is stale',
  async provider => {
    const line = SAMPLE_LINES[provider] ?? '';
    const target = pathOf(line);
    const { app, door, last } = await open([line]);
    const nowS = Math.floor(Date.now() / 1000) - 302;
    const fields = signFor(line, { target, body: BYTES, nowS });
    expect((await send(door.port, { target, fields, body: BYTES })).status).toBe(401);
    expect(last()?.refusal).toMatch(/signature is right, but its timestamp is 5m \ds old/);
    expect(app.seen).toEqual([]);
  },
);

it('refuses WebSockets on a verified path, also with the key', async () => {
  const { app, door, last } = await open(['github /hooks/gh secret-one']);
  const answer = await sendRaw(
    door.port,
    `GET /hooks/gh HTTP/1.1\r\nHost: ${new URL(PUBLIC_URL).host}\r\nAuthorization: Bearer ${KEY}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  expect(last()?.refusal).toBe('a request for a WebSocket cannot be signed');
  expect(app.seen).toEqual([]);
});

describe('several rules for one path', () => {
  it('let either secret and either provider in', async () => {
    const lines = [
      'github /hooks/x secret-one',
      'github /hooks/* secret-two',
      'shopify /hooks/x secret-three',
    ];
    const { app, door, recorder } = await open(lines);
    const target = '/hooks/x';
    for (const line of lines)
      expect(
        (await send(door.port, { target, body: BYTES, fields: signFor(line, { target, body: BYTES }) }))
          .status,
      ).toBe(200);
    expect(app.seen).toHaveLength(3);
    expect(recorder.list().map(({ verified }) => verified)).toEqual(['github', 'github', 'shopify']);
  });

  it('are all named in the reason of a refusal', async () => {
    const { door, last } = await open(['github /hooks/x secret-one', 'github /hooks/x secret-two']);
    const fields = signFor('github /hooks/x secret-three', { target: '/hooks/x', body: BYTES });
    await send(door.port, { target: '/hooks/x', body: BYTES, fields });
    expect(last()?.refusal).toMatch(/any of the 2 secrets \(github\) of this path/);
  });

  it('say if the signature is that of another path', async () => {
    const { door, last } = await open(['github /hooks/x secret-one', 'github /hooks/y secret-two']);
    const fields = signFor('github /hooks/y secret-two', { target: '/hooks/x', body: BYTES });
    expect((await send(door.port, { target: '/hooks/x', body: BYTES, fields })).status).toBe(401);
    expect(last()?.refusal).toBe('it is signed with the github secret of another path (/hooks/y)');
  });
});

it('marks a delivery that comes again, and passes it on', async () => {
  const line = 'github /hooks/gh secret-one';
  const { app, door, recorder } = await open([line]);
  const target = '/hooks/gh';
  const deliver = (...ids: Fields) =>
    send(door.port, { target, body: BYTES, fields: [...ids, ...signFor(line, { target, body: BYTES })] });
  await deliver(['X-GitHub-Delivery', 'a'], ['X-GitHub-Hook-ID', '1']);
  await deliver(['X-GitHub-Delivery', 'a'], ['X-GitHub-Hook-ID', '2']);
  await deliver(['X-GitHub-Delivery', 'a'], ['X-GitHub-Hook-ID', '1']);
  await deliver();
  await deliver();
  expect(recorder.list().map(({ duplicateOf }) => duplicateOf)).toEqual([
    undefined,
    undefined,
    1,
    undefined,
    undefined,
  ]);
  expect(app.seen).toHaveLength(5);
});

describe('handshakes', () => {
  const line = 'hmac-sha256 /hooks/graph secret-one header=X-S handshake=graph,head';

  it('pass unsigned if the rule names them, and are marked', async () => {
    const { app, door, last } = await open([line]);
    const target = '/hooks/graph?validationToken=a%20b';
    expect((await send(door.port, { target })).status).toBe(200);
    expect(last()).toMatchObject({ handshake: 'graph', verified: undefined, refusal: undefined });
    expect((await send(door.port, { method: 'HEAD', target: '/hooks/graph' })).status).toBe(200);
    expect(last()?.handshake).toBe('head');
    expect(app.seen.map(seen => seen.target)).toEqual([target, '/hooks/graph']);
  });

  it('pass in no other form', async () => {
    const { app, door } = await open([line, 'github /hooks/other secret-two']);
    for (const sending of [
      { target: '/hooks/graph?validationToken=a', body: Buffer.from('{}') },
      { target: '/hooks/graph?validationToken=' },
      { target: '/hooks/graph?validationToken=a', method: 'PUT' },
      { target: '/hooks/graph', method: 'GET' },
      { target: '/hooks/graph?validationToken=a', fields: [['Cookie', 'a=b']] satisfies Fields },
      { target: '/hooks/other?validationToken=a' },
    ])
      expect((await send(door.port, sending)).status).toBe(401);
    expect(app.seen).toEqual([]);
  });

  it('of Slack pass by their signature, and are marked', async () => {
    const slack = SAMPLE_LINES.slack ?? '';
    const target = pathOf(slack);
    const { door, last } = await open([slack]);
    const body = Buffer.from('{"type":"url_verification","challenge":"x"}');
    await send(door.port, { target, body, fields: signFor(slack, { target, body }) });
    expect(last()).toMatchObject({ handshake: 'slack', verified: 'slack' });
  });
});

describe('another spelling of a verified path', () => {
  it.each([
    '/hooks/g%68',
    '/HOOKS/gh',
    '/hooks/gh/',
    '/hooks//gh',
    '/hooks/./gh',
    '/hooks/x/../gh',
    '/hooks/%2e/gh',
    '/hooks%2fgh',
    '/hooks\\gh',
    '/hooks/gh;a=b',
    '/hooks/%2567h',
    '/hooks/gh.json',
    '/hooks/%zz/../gh',
    '/hooks//../gh',
    '/x%2fy/../hooks/g%68',
    '/hooks/gh%0a',
    '/hooks/gh%3fx',
    '/hooks/gh%00.png',
  ])('does not lead around the check in an open preview: %s', async target => {
    const { app, door } = await open(['github /hooks/gh secret-one'], 'open');
    const answer = await sendRaw(
      door.port,
      `POST ${target} HTTP/1.1\r\nHost: ${new URL(PUBLIC_URL).host}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401/);
    expect(app.seen).toEqual([]);
  });

  it.each(['/hooks/a%2fhigh', '/hooks/x/../a/high'])(
    'does not make the secret of one rule count for the path of another: %s',
    async target => {
      const low = 'github /hooks/* secret-of-the-low-path';
      const { app, door } = await open([low, 'github /hooks/a/high secret-of-the-high-path'], 'open');
      const signed = openSigner(makeRule(low)).sign(
        { method: 'POST', target, rawHeaders: [], body: Buffer.from('{}'), origins: [] },
        0,
      );
      const fields = signed.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      const host = new URL(PUBLIC_URL).host;
      const send = (to: string) =>
        sendRaw(
          door.port,
          `POST ${to} HTTP/1.1\r\nHost: ${host}\r\n${fields}Content-Length: 2\r\nConnection: close\r\n\r\n{}`,
        );
      expect(await send('/hooks/low')).toMatch(/^HTTP\/1\.1 200/);
      expect(await send(target)).toMatch(/^HTTP\/1\.1 401/);
      expect(app.seen.map(seen => seen.target)).toEqual(['/hooks/low']);
    },
  );

  it('is left alone if it is another path', async () => {
    const { app, door } = await open(['github /hooks/gh secret-one'], 'open');
    for (const target of ['/', '/hooks', '/hooks/ghx', '/hooks/gh/x', '/xhooks/gh', '/100%'])
      expect((await send(door.port, { target, body: BYTES })).status).toBe(200);
    expect(app.seen).toHaveLength(6);
  });
});

it('signs for the name that the sender has called, with and without the port', async () => {
  const line = SAMPLE_LINES.twilio ?? '';
  const target = pathOf(line);
  const { app, door } = await open([line]);
  const { hostname, host } = new URL(PUBLIC_URL);
  for (const origin of [`http://${host}`, `http://${hostname}`]) {
    const fields = openSigner(makeRule(line)).sign(
      { method: 'GET', target, rawHeaders: [], body: Buffer.alloc(0), origins: [origin] },
      0,
    );
    expect((await send(door.port, { method: 'GET', target, fields })).status).toBe(200);
  }
  const fields = openSigner(makeRule(line)).sign(
    { method: 'GET', target, rawHeaders: [], body: Buffer.alloc(0), origins: ['http://other.example'] },
    0,
  );
  expect((await send(door.port, { method: 'GET', target, fields })).status).toBe(401);
  expect(app.seen).toHaveLength(2);
  // It was read to be verified, but has no body all the same.
  for (const { rawHeaders } of app.seen)
    expect(rawHeaders.join(' ')).not.toMatch(/content-length|transfer-encoding|connection close/i);
});

it('checks requests over HTTP/2, too', async () => {
  const line = SAMPLE_LINES.github ?? '';
  const target = pathOf(line);
  const ca = new TestCa();
  const app = await startApp();
  const publicUrl = 'https://preview.test:4321';
  const door = await openDoor(app.port, {
    publicUrl,
    tls: ca.issue(['DNS:localhost', 'IP:127.0.0.1']),
    rules: { access: { kind: 'link', key: KEY }, verify: parseRules(line) },
  });
  closers.push(app.stop, door.stop, () => ca.remove());
  // A refused visitor's connection is closed.
  const post = async (fields: Fields, body: Buffer) => {
    const session = connectHttp2(`https://localhost:${door.port}`, { ca: ca.pem });
    closers.push(() => session.destroy());
    const stream = session.request({
      ':method': 'POST',
      ':path': target,
      ':authority': new URL(publicUrl).host,
      ...Object.fromEntries(fields),
    });
    stream.end(body);
    const [head] = await once(stream, 'response');
    stream.resume();
    return head[':status'];
  };
  const fields = signFor(line, { target, body: BYTES });
  expect(await post(fields, BYTES)).toBe(200);
  expect(await post(fields, Buffer.concat([BYTES, BYTES]))).toBe(401);
  expect(await post([], BYTES)).toBe(401);
  expect(app.seen.map(({ body }) => body)).toEqual([BYTES]);
});
