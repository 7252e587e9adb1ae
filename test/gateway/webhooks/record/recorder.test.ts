// What is recorded of the requests on captured paths, and that recording changes nothing.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHandler } from '../../../../src/app/web/web.ts';
import type { VisitorLimits } from '../../../../src/gateway/downstream/visitor-server.ts';
import type { GatewayOptions } from '../../../../src/gateway/gateway.ts';
import { RequestRecorder } from '../../../../src/gateway/webhooks/record/recorder.ts';
import type { CapturedRequest } from '../../../../src/shared/captured-request.ts';
import type { AppState } from '../../../../src/shared/state.ts';
import { useClosers } from '../../../support/closers.ts';
import { type Door, openDoor, runningOn, sendRaw } from '../../../support/gateway-door.ts';
import { listen } from '../../../support/listen.ts';
import { startRawApp } from '../../../support/raw-app.ts';
import { TestCa, type TestCertificate } from '../../../support/test-ca.ts';
import { waitUntil } from '../../../support/wait-until.ts';

const KEY = 'K'.repeat(32);
const HOST = 'Host: bore.example:4321\r\n';
const CLOSE = 'Connection: close\r\n\r\n';

const closers = useClosers();
let ca: TestCa;
let tls: TestCertificate;
beforeAll(() => {
  ca = new TestCa();
  tls = ca.issue(['DNS:localhost']);
});
afterAll(() => ca.remove());

interface Options {
  app?: AppState;
  rules?: Partial<GatewayOptions['rules']>;
  limits?: Partial<VisitorLimits>;
  secure?: boolean;
  /** As for startRawApp. */
  answer?: (socket: Socket, count: number) => void;
}

async function open({ app: state, rules = {}, limits = {}, secure = false, answer }: Options = {}) {
  const app = await startRawApp(answer);
  closers.push(app.stop);
  const recorder = new RequestRecorder(
    { kind: 'paths', patterns: ['/hooks/**'] },
    { secrets: [KEY, 'hunter2hunter2'] },
  );
  const door = await openDoor(() => state ?? runningOn(app.port), {
    rules,
    limits,
    recorder,
    ...(secure && { tls, publicUrl: 'https://localhost:4321' }),
  });
  closers.push(door.stop);
  return { app, door, recorder };
}

/** Resolves when this many requests are recorded, each with its answer or without its sender. */
async function finished(recorder: RequestRecorder, count = 1): Promise<readonly CapturedRequest[]> {
  await waitUntil(() => recorder.list().filter(one => one.isFinished).length === count, `${count} finished`);
  return recorder.list();
}

function openSession(door: Door): ClientHttp2Session {
  const session = connectHttp2(`https://localhost:${door.port}`, { ca: ca.pem });
  session.on('error', () => {});
  closers.push(() => session.destroy());
  return session;
}

/** Opens a connection, sends the bytes, and leaves it open. */
async function send(port: number, bytes: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  closers.push(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(bytes, 'latin1');
  return socket;
}

describe('a request that is let in', () => {
  it('is kept with method, target, header order and case, and body as they came, and the status of its answer', async () => {
    const { door, recorder } = await open();
    const head = `POST /hooks/gh?a=%20b HTTP/1.1\r\n${HOST}X-Second: 2\r\nx-First: 1\r\nContent-Length: 5\r\n`;
    await sendRaw(door.port, `${head}${CLOSE}\xff\x00\r\n.`);
    const [request] = await finished(recorder);
    expect(request).toMatchObject({
      id: 1,
      method: 'POST',
      target: '/hooks/gh?a=%20b',
      httpVersion: '1.1',
      bodyBytes: 5,
      refusal: undefined,
      problem: undefined,
      answer: { status: 200 },
    });
    const wanted = ['Host', 'bore.example:4321', 'X-Second', '2', 'x-First', '1'];
    expect(request?.rawHeaders.slice(0, 6)).toEqual(wanted);
    expect(request?.body).toEqual(Buffer.from([0xff, 0, 0x0d, 0x0a, 0x2e]));
  });

  it('is listed before its answer, as soon as it has come whole', async () => {
    const { app, door, recorder } = await open({ answer: () => {} });
    await send(door.port, `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi`);
    await waitUntil(() => recorder.lastId === 1, 'it is recorded');
    expect(recorder.find(1)).toMatchObject({ answer: undefined, isFinished: false });
    await waitUntil(() => app.requestLines.length === 1, 'the app has it');
  });

  it('may be chunked: its body is kept without the framing', async () => {
    const { door, recorder } = await open();
    const head = `POST /hooks/gh HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n${CLOSE}`;
    await sendRaw(door.port, `${head}2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n`);
    const [request] = await finished(recorder);
    expect(request?.body.toString()).toBe('hello');
  });

  it('may wait for a 100 (Continue), which it gets', async () => {
    const { door, recorder } = await open();
    const socket = await send(
      door.port,
      `POST /hooks/gh HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 2\r\n${CLOSE}`,
    );
    const [first] = await once(socket, 'data');
    expect(String(first)).toMatch(/^HTTP\/1\.1 100/);
    socket.write('hi');
    const [request] = await finished(recorder);
    expect(request).toMatchObject({ body: Buffer.from('hi'), answer: { status: 200 } });
  });

  it('may come over HTTP/2', async () => {
    const { door, recorder } = await open({ secure: true });
    const stream = openSession(door).request({ ':method': 'POST', ':path': '/hooks/gh', 'x-a': '1' });
    stream.end('hello');
    await once(stream.resume(), 'close');
    const [request] = await finished(recorder);
    expect(request).toMatchObject({
      httpVersion: '2.0',
      body: Buffer.from('hello'),
      answer: { status: 200 },
    });
    expect(request?.rawHeaders).toEqual(['host', `localhost:${door.port}`, 'x-a', '1']);
  });

  it('may ask for a WebSocket: then 101 is its answer', async () => {
    const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    const { door, recorder } = await open({ answer: socket => socket.write(switched) });
    const ask = `GET /hooks/live HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    const socket = await send(door.port, ask);
    const [request] = await finished(recorder);
    expect(request).toMatchObject({ bodyBytes: 0, answer: { status: 101 }, problem: undefined });
    socket.destroy();
  });

  it('may be asked with HEAD', async () => {
    const { door, recorder } = await open();
    await sendRaw(door.port, `HEAD /hooks/gh HTTP/1.1\r\n${HOST}${CLOSE}`);
    expect(await finished(recorder)).toMatchObject([{ method: 'HEAD', answer: { status: 200 } }]);
  });

  it('is numbered in the order in which requests were complete', async () => {
    const { door, recorder } = await open();
    const slow = await send(door.port, `POST /hooks/slow HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nh`);
    await sendRaw(door.port, `POST /hooks/fast HTTP/1.1\r\n${HOST}Content-Length: 0\r\n${CLOSE}`);
    await finished(recorder);
    slow.write('i');
    const requests = await finished(recorder, 2);
    expect(requests.map(({ id, target }) => [id, target])).toEqual([
      [1, '/hooks/fast'],
      [2, '/hooks/slow'],
    ]);
    expect(recorder.list(1)).toEqual([recorder.find(2)]);
  });

  it('is kept whole if the app answers before the end of the body', async () => {
    const { app, door, recorder } = await open();
    const head = `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: 200000\r\n\r\n`;
    const socket = await send(door.port, `${head}${'a'.repeat(1_000)}`);
    await once(socket, 'data');
    expect(app.requestLines).toHaveLength(1);
    expect(recorder.lastId).toBe(0);
    socket.write('b'.repeat(199_000));
    const [request] = await finished(recorder);
    expect(request).toMatchObject({ bodyBytes: 200_000, problem: undefined, answer: { status: 200 } });
    expect(request?.body.toString()).toBe('a'.repeat(1_000) + 'b'.repeat(199_000));
  });

  it('says so if its body ended early because the app had answered', async () => {
    const { door, recorder } = await open();
    const socket = await send(
      door.port,
      `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: 200000\r\n\r\n${'a'.repeat(1_000)}`,
    );
    await once(socket, 'data');
    socket.destroy();
    const [request] = await finished(recorder);
    expect(request).toMatchObject({ bodyBytes: 1_000, refusal: undefined, answer: { status: 200 } });
    expect(request?.problem).toMatch(/answered before the end of its body/);
  });

  it('says so if the app gives no answer', async () => {
    const { door, recorder } = await open({ answer: socket => socket.destroy() });
    await sendRaw(door.port, `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: 2\r\n${CLOSE}hi`);
    const [request] = await finished(recorder);
    expect(request).toMatchObject({ refusal: undefined, answer: { status: 502 } });
    expect(request?.problem).toMatch(/^the app gave no answer: /);
  });

  it('says so if the answer breaks off', async () => {
    const { door, recorder } = await open({
      answer: socket => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
    });
    await sendRaw(door.port, `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi`);
    const [request] = await finished(recorder);
    expect(request).toMatchObject({
      problem: 'the answer broke off before its end',
      answer: { status: 200 },
    });
  });

  it('says so if its sender leaves before the answer', async () => {
    const { app, door, recorder } = await open({ answer: () => {} });
    const socket = await send(door.port, `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi`);
    await waitUntil(() => app.requestLines.length === 1, 'the app has it');
    socket.destroy();
    const [request] = await finished(recorder);
    expect(request).toMatchObject({ problem: 'its sender left before the answer', answer: undefined });
  });

  it('is kept with its body where only files are served, though nobody reads that', async () => {
    const { app } = await open();
    const handle = createHandler({ mode: 'web', path: '/nowhere', spa: false, crossOriginIsolation: false });
    const { door, recorder } = await open({
      app: { status: 'running', upstream: { kind: 'handler', handle } },
    });
    const answer = await sendRaw(
      door.port,
      `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: 5\r\n${CLOSE}hello`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 405/);
    const [request] = await finished(recorder);
    expect(request).toMatchObject({
      body: Buffer.from('hello'),
      refusal: undefined,
      answer: { status: 405 },
    });
    expect(app.requestLines).toEqual([]);
  });

  it('may be far longer than what is kept of it', async () => {
    const length = 40 * 1024 ** 2;
    const app = createServer(async (request, response) => {
      let bytes = 0;
      for await (const chunk of request) bytes += chunk.length;
      response.end(String(bytes));
    });
    closers.push(() => app.close());
    const { door, recorder } = await open({
      app: runningOn(await listen(app)),
      rules: { maxBodyBytes: length },
    });
    const head = `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: ${length}\r\n${CLOSE}`;
    expect(await sendRaw(door.port, head + 'x'.repeat(length))).toMatch(/41943040/);
    const [request] = await finished(recorder);
    expect(request).toMatchObject({ bodyBytes: length, answer: { status: 200 } });
    expect(request?.body).toHaveLength(25 * 1024 ** 2);
  });
});

describe('a request that is refused', () => {
  const link = { access: { kind: 'link', key: KEY }, publicPaths: [] } as const;
  const basic = { access: { kind: 'basic', user: 'ada', password: 'hunter2hunter2' } } as const;
  const away: AppState = { status: 'starting' };

  it.each<[string, Options, string, RegExp]>([
    [
      'without the key',
      { rules: link },
      `POST /hooks/gh HTTP/1.1\r\n${HOST}\r\n`,
      /no key.*\(401\).*public-paths/,
    ],
    ['to another Host', {}, 'POST /hooks/gh HTTP/1.1\r\nHost: other\r\n\r\n', /Host.*\(421\).*output `url`/],
    ['with two slashes', {}, `POST //hooks/gh HTTP/1.1\r\n${HOST}\r\n`, /malformed \(400\).*single slash/],
    ['to a proxy', {}, `POST http://x/hooks/gh HTTP/1.1\r\n${HOST}\r\n`, /malformed \(400\).*must be a path/],
    [
      'with a body above max-body',
      { rules: { maxBodyBytes: 10 } },
      `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: 11\r\n\r\nhello world`,
      /longer than the 10 bytes.*\(413\).*raise `max-body`/,
    ],
    [
      'with a chunked body above max-body',
      { rules: { maxBodyBytes: 10 } },
      `POST /hooks/gh HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n`,
      /longer than the 10 bytes.*\(413\)/,
    ],
    [
      'over http where there is https',
      { secure: true },
      'POST /hooks/gh HTTP/1.1\r\nHost: localhost:4321\r\n\r\n',
      /sent over http: register the https address/,
    ],
    [
      'that is too slow',
      { limits: { stalledMs: 100, requestTimeoutMs: 200 }, answer: () => {} },
      `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: 9\r\n\r\nh`,
      /too slowly \(408\)/,
    ],
    [
      'while the app starts',
      { app: away },
      `GET /hooks/gh HTTP/1.1\r\n${HOST}${CLOSE}`,
      /app was not running: .*again/,
    ],
  ])('is kept with the reason and the remedy: %s', async (_, options, bytes, reason) => {
    const { app, door, recorder } = await open(options);
    await sendRaw(door.port, bytes);
    const [request] = await finished(recorder);
    expect(request?.refusal).toMatch(reason);
    expect(request?.refusal).not.toMatch(/\.$/);
    expect(app.requestLines.join()).not.toMatch(/world/);
  });

  it('is kept with the bytes that came if its sender breaks off', async () => {
    const { app, door, recorder } = await open({ answer: () => {} });
    const socket = await send(door.port, `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: 9\r\n\r\nhell`);
    await waitUntil(() => app.seen.endsWith('hell'), 'the app has the beginning');
    socket.destroy();
    const [request] = await finished(recorder);
    expect(request).toMatchObject({ body: Buffer.from('hell'), bodyBytes: 4, answer: undefined });
    expect(request?.refusal).toMatch(/left after 4 bytes of its body/);
  });

  it('is kept without the key, the password and the cookies of the preview, even before access was checked', async () => {
    const secrets = [
      `Cookie: a=1; expose-session-4321=1.${'x'.repeat(43)}; b=2\r\n`,
      `Referer: http://bore.example:4321/?expose-key=${KEY}&y=2\r\n`,
      `Authorization: Bearer ${KEY}\r\n`,
      `X-Forwarded-Uri: /hooks?expose-key=${KEY}\r\n`,
    ].join('');
    const { door, recorder } = await open({ rules: link });
    const target = `/hooks/gh?a=1&expose-key=${KEY}&b=2`;
    await sendRaw(door.port, `POST ${target} HTTP/1.1\r\nHost: other\r\n${secrets}\r\n`);
    await sendRaw(door.port, `POST //x/..${target} HTTP/1.1\r\n${HOST}${secrets}\r\n`);
    await sendRaw(door.port, `POST ${target} HTTP/1.1\r\n${HOST}${secrets}Content-Length: 0\r\n${CLOSE}`);
    await sendRaw(door.port, `GET ${target} HTTP/1.1\r\n${HOST}${secrets}${CLOSE}`);
    const requests = await finished(recorder, 3);
    expect(requests.map(({ refusal }) => refusal?.match(/\d{3}/)?.[0])).toEqual(['421', undefined, '303']);
    for (const request of requests) {
      const text = JSON.stringify([request.target, request.rawHeaders]);
      expect(text).not.toContain(KEY);
      expect(text).not.toContain('x'.repeat(43));
      expect(request.target).toBe('/hooks/gh?a=1&b=2');
      expect(text).toContain('a=1; b=2');
    }
  });

  it('is kept without the password of basic access', async () => {
    const { door, recorder } = await open({ rules: basic });
    const password = Buffer.from('ada:hunter2hunter2').toString('base64');
    const fields = `Authorization: Basic ${password}\r\nX-Copy: hunter2hunter2\r\nContent-Length: 0\r\n`;
    await sendRaw(door.port, `POST /hooks/gh HTTP/1.1\r\nHost: other\r\n${fields}\r\n`);
    const [request] = await finished(recorder);
    const text = JSON.stringify(request?.rawHeaders);
    expect(text).not.toContain(password);
    expect(text).not.toContain('hunter2');
  });

  it('pushes out no request that was let in, however many there are', async () => {
    const { door, recorder } = await open({ rules: { ...link, publicPaths: ['/hooks/open'] } });
    await sendRaw(door.port, `POST /hooks/open HTTP/1.1\r\n${HOST}Content-Length: 0\r\n${CLOSE}`);
    await finished(recorder);
    const refused = `POST /hooks/gh HTTP/1.1\r\n${HOST}\r\n`;
    for (let sent = 0; sent < 600; sent += 50)
      await Promise.all(Array.from({ length: 50 }, () => sendRaw(door.port, refused)));
    await waitUntil(() => recorder.lastId === 601, 'all are recorded');
    expect(recorder.list()).toHaveLength(501);
    expect(recorder.find(1)).toMatchObject({ target: '/hooks/open', refusal: undefined });
    expect(recorder.find(2)).toBeUndefined();
  });
});

it('keeps nothing of other paths, and nothing of the gateway itself', async () => {
  const { app, door } = await open();
  const recorder = new RequestRecorder({ kind: 'unsafe methods' });
  const all = await openDoor(app.port, { recorder, rules: { access: { kind: 'link', key: KEY } } });
  closers.push(all.stop);
  const form = `key=${KEY}`;
  const head = `POST /__expose/sign-in HTTP/1.1\r\n${HOST}Content-Length: ${form.length}\r\n`;
  await sendRaw(all.port, `${head}${CLOSE}${form}`);
  await sendRaw(door.port, `GET /other HTTP/1.1\r\n${HOST}${CLOSE}`);
  expect(app.requestLines).toHaveLength(1);
  expect(recorder.list()).toEqual([]);
});

it('tells its listeners of each request once it is visible, and of each change; a broken listener harms nobody', async () => {
  const { door, recorder } = await open();
  const seen: unknown[] = [];
  recorder.subscribe(() => {
    throw new Error('broken');
  });
  const unsubscribe = recorder.subscribe(({ id, answer }) => void seen.push([id, answer?.status]));
  const bytes = `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: 0\r\n${CLOSE}`;
  expect(await sendRaw(door.port, bytes)).toMatch(/^HTTP\/1\.1 200/);
  await finished(recorder);
  expect(seen).toEqual([
    [1, undefined],
    [1, 200],
  ]);
  unsubscribe();
  await sendRaw(door.port, bytes);
  await finished(recorder, 2);
  expect(seen).toHaveLength(2);
});

it('does not use an id twice, also after everything was forgotten', async () => {
  const { door, recorder } = await open();
  const bytes = `POST /hooks/gh HTTP/1.1\r\n${HOST}Content-Length: 0\r\n${CLOSE}`;
  await sendRaw(door.port, bytes);
  await finished(recorder);
  recorder.clear();
  expect(recorder.list()).toEqual([]);
  await sendRaw(door.port, bytes);
  expect(await finished(recorder)).toMatchObject([{ id: 2 }]);
});

it.each<[string, string, string | undefined]>([
  ['/hooks/s', '{"type":"url_verification","challenge":"c"}', 'slack'],
  ['/hooks/g?validationToken=t', '', 'graph'],
  ['/hooks/s', '{"type":"event_callback"}', undefined],
])('marks a handshake also where no rule of `verify` is: POST %s %s', async (target, body, handshake) => {
  const { door, recorder } = await open();
  await sendRaw(
    door.port,
    `POST ${target} HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n${CLOSE}${body}`,
  );
  expect(recorder.list()).toMatchObject([{ handshake, refusal: undefined }]);
});
