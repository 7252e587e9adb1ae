// HTTP/2 as browsers and libraries use it: HTTP/2 visitors get what HTTP/1 visitors get.

import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHandler } from '../../../src/app/web/web.ts';
import type { VisitorLimits } from '../../../src/gateway/downstream/visitor-server.ts';
import type { HttpRequest, HttpResponse } from '../../../src/shared/http-message.ts';
import { useClosers } from '../../support/closers.ts';
import { type Door, openDoor, PROOF_KEY } from '../../support/gateway-door.ts';
import { OK, startRawApp } from '../../support/raw-app.ts';
import { TestCa, type TestCertificate } from '../../support/test-ca.ts';
import { waitUntil } from '../../support/wait-until.ts';

const closers = useClosers();
let ca: TestCa;
let tls: TestCertificate;
beforeAll(() => {
  ca = new TestCa();
  tls = ca.issue(['DNS:localhost']);
});
afterAll(() => ca.remove());

type Opened = Door & { session: ClientHttp2Session };

async function openGateway(
  app: Parameters<typeof openDoor>[0],
  limits: Partial<VisitorLimits> = {},
): Promise<Opened> {
  const door = await openDoor(app, { tls, limits, publicUrl: 'https://localhost:4321' });
  closers.push(door.stop);
  return Object.assign(door, { session: openSession(door) });
}

function openSession(door: Door): ClientHttp2Session {
  const session = connect(`https://localhost:${door.port}`, { ca: ca.pem });
  session.on('error', () => {});
  closers.push(() => session.destroy());
  return session;
}

async function openApp(listener: RequestListener): Promise<Opened & { server: Server }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  return Object.assign(await openGateway((server.address() as AddressInfo).port), { server });
}

async function openRaw(...answer: Parameters<typeof startRawApp>) {
  const app = await startRawApp(...answer);
  closers.push(app.stop);
  return { app, door: await openGateway(app.port) };
}

interface Answer {
  status: number | undefined;
  headers: Record<string, unknown>;
  trailers: Record<string, unknown>;
  body: string;
}

async function ask(session: ClientHttp2Session, head: OutgoingHttpHeaders, body?: string): Promise<Answer> {
  const stream = session.request(head, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return await readAnswer(stream);
}

async function readAnswer(stream: ClientHttp2Stream): Promise<Answer> {
  let trailers = {};
  stream.on('trailers', fields => {
    trailers = { ...fields };
  });
  const head = once(stream, 'response');
  const all = text(stream);
  const [headers] = await head;
  const body = await all;
  if (!stream.closed) await once(stream, 'close');
  return { status: headers[':status'], headers: Object.fromEntries(Object.entries(headers)), trailers, body };
}

describe('a request over HTTP/2', () => {
  it('reaches the app as the same request over HTTP/1.1', async () => {
    const { app, door } = await openRaw();
    const { status, body } = await ask(door.session, {
      ':path': '/a?b=%2F',
      'x-a': ['1', '2'],
      accept: '*/*',
    });
    expect([status, body]).toEqual([200, 'ok']);
    expect(app.seen).toBe(
      `GET /a?b=%2F HTTP/1.1\r\nhost: localhost:${app.port}\r\nconnection: keep-alive\r\n` +
        'x-a: 1\r\nx-a: 2\r\naccept: */*\r\n\r\n',
    );
    expect(door.gateway.visits).toBe(1);
  });

  it('has one Cookie field at the app, although HTTP/2 splits it', async () => {
    const { app, door } = await openRaw();
    await ask(door.session, { cookie: ['a=1', 'b=2', 'c=3'] });
    expect(app.seen).toContain('\r\ncookie: a=1; b=2; c=3\r\n');
  });

  it('may have a body, with a length or without', async () => {
    const door = await openApp((request, response) => request.pipe(response));
    const known = await ask(door.session, { ':method': 'POST', 'content-length': '5' }, 'hello');
    const unknown = await ask(door.session, { ':method': 'PUT' }, 'x'.repeat(500_000));
    expect([known.body, unknown.body.length]).toEqual(['hello', 500_000]);
  });

  it('may have an empty body of unknown length', async () => {
    const { door } = await openRaw();
    expect((await ask(door.session, { ':method': 'POST' }, '')).status).toBe(200);
  });

  it('with 100-continue gets its 100 if the app runs, and the final answer if it does not', async () => {
    const door = await openApp((request, response) => request.pipe(response));
    const stream = door.session.request({ ':method': 'POST', expect: '100-continue' });
    stream.once('continue', () => stream.end('after'));
    expect((await readAnswer(stream)).body).toBe('after');
    const away = await openGateway(() => ({ status: 'starting' }));
    const early = away.session.request({ ':method': 'POST', expect: '100-continue' });
    early.once('continue', () => early.end('never'));
    expect((await readAnswer(early)).status).toBe(503);
  });

  it('is read only as fast as the app reads its body', async () => {
    const door = await openApp(() => {});
    const stream = door.session.request({ ':method': 'POST' });
    const piece = Buffer.alloc(64 * 1024);
    let sent = 0;
    const pour = () => {
      while (stream.writable && sent < 200 << 20) {
        sent += piece.length;
        if (!stream.write(piece)) return;
      }
    };
    stream.on('drain', pour).on('error', () => {});
    pour();
    await once(door.server, 'request');
    expect(await settle(() => sent)).toBeLessThan(16 << 20);
    stream.close();
  });

  it('may be answered before the end of its body, and the rest is read and dropped', async () => {
    const door = await openApp((_, response) => response.writeHead(413).end('too much'));
    const stream = door.session.request({ ':method': 'POST', 'content-length': String(20 << 20) });
    stream.write(Buffer.alloc(1 << 20));
    const [[head], body] = await Promise.all([once(stream, 'response'), text(stream)]);
    expect([head[':status'], body]).toEqual([413, 'too much']);
    for (let sent = 1; sent < 20; sent += 1)
      if (!stream.write(Buffer.alloc(1 << 20))) await once(stream, 'drain');
    stream.end();
    if (!stream.closed) await once(stream, 'close');
    expect(stream.rstCode).toBe(0);
  });

  it('whose body continues long after its answer is stopped without an error (RFC 9113, 8.1)', async () => {
    const app = await startRawApp();
    closers.push(app.stop);
    const door = await openGateway(app.port, { lingerMs: 100 });
    const stream = door.session.request({ ':method': 'POST' });
    stream.write('first');
    expect((await readAnswer(stream)).body).toBe('ok');
    expect([stream.rstCode, door.session.closed]).toEqual([0, false]);
  });

  it('whose body comes too slowly is ended after a while, here and at the app (R-U-D-Y)', async () => {
    const app = await startRawApp(() => {});
    closers.push(app.stop);
    const door = await openGateway(app.port, { headersTimeoutMs: 300, requestTimeoutMs: 300 });
    const stream = door.session.request({ ':method': 'POST' });
    const timer = setInterval(() => stream.write('a'), 50);
    closers.push(() => clearInterval(timer));
    stream.on('error', () => {});
    await once(stream, 'close');
    expect([stream.rstCode, app.requestLines]).toEqual([8, ['POST / HTTP/1.1']]);
  });

  it.each(['before', 'after'])(
    'that the visitor cancels ends at the app: %s its answer began',
    async when => {
      const door = await openApp((_, response) => void (when === 'after' && response.write('first')));
      const gone = once(door.server, 'request').then(([request]) => once(request.socket, 'close'));
      const arrived = once(door.server, 'request');
      const stream = door.session.request({});
      await arrived;
      if (when === 'after') await once(stream, 'data');
      stream.close(8);
      await gone;
      expect(door.session.closed).toBe(false);
    },
  );

  it('ends at the app when its visitor leaves, as do all other requests of that visitor', async () => {
    const { app, door } = await openRaw(() => {});
    for (const path of ['/1', '/2', '/3']) door.session.request({ ':path': path }).on('error', () => {});
    await waitUntil(() => app.requestLines.length === 3, 'the app has them');
    door.session.destroy();
    const other = openSession(door);
    other.request({ ':path': '/4' });
    await waitUntil(() => app.requestLines.length === 4, 'another visitor is served');
  });

  it('that is refused does not end the other requests of its connection', async () => {
    const { app, door } = await openRaw();
    const answers = await Promise.all(
      ['//evil', '/a', '/b#c', '/d'].map(path => ask(door.session, { ':path': path })),
    );
    expect(answers.map(({ status }) => status)).toEqual([400, 200, 400, 200]);
    expect(app.requestLines).toHaveLength(2);
  });

  it('to the gateway’s own pages never reaches the app', async () => {
    const { app, door } = await openRaw();
    expect((await ask(door.session, { ':path': '/__expose/x' })).status).toBe(404);
    expect((await ask(door.session, { ':path': `/__expose/probe?challenge=${'a'.repeat(32)}` })).status).toBe(
      200,
    );
    expect([app.connections, PROOF_KEY.length]).toEqual([0, 32]);
  });
});

describe('an answer over HTTP/2', () => {
  it('is passed on unchanged, without hop-by-hop fields, with repeated fields', async () => {
    const head =
      'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nVary: a\r\nVary: b\r\nX-Odd: \xe4\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nContent-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 2';
    const { door } = await openRaw(socket =>
      socket.write(`HTTP/1.1 418 Teapot\r\n${head}\r\n\r\nok`, 'latin1'),
    );
    const { status, headers, body } = await ask(door.session, {});
    expect([status, body]).toEqual([418, 'ok']);
    expect({ ...headers }).toEqual({
      ':status': 418,
      'set-cookie': ['a=1', 'b=2'],
      vary: 'a, b',
      'x-odd': '\xe4',
      'content-type': 'a/b',
      'content-length': '2',
      date: expect.any(String),
    });
  });

  it('keeps its trailers, without those that are not allowed', async () => {
    const { door } = await openRaw(socket =>
      socket.write(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 42\r\nSet-Cookie: a\r\n\r\n',
      ),
    );
    const { body, trailers } = await ask(door.session, {});
    expect([body, trailers]).toEqual(['body', expect.objectContaining({ 'x-sum': '42' })]);
  });

  it.each(['Te', 'HTTP2-Settings', 'Upgrade', 'Proxy-Connection', 'Connection'])(
    'loses %s, which HTTP/2 forbids, from its head and its trailers, and never breaks another answer',
    async name => {
      const { door } = await openRaw(socket =>
        socket.write(
          `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${name}: x\r\n\r\n2\r\nok\r\n0\r\n${name}: x\r\nX-Sum: 1\r\n\r\n`,
        ),
      );
      const { body, headers, trailers } = await ask(door.session, {});
      expect([body, headers[name.toLowerCase()]]).toEqual(['ok', undefined]);
      expect(Object.entries(trailers)).toEqual([['x-sum', '1']]);
    },
  );

  it('with status 205 has no body, whatever the app sends after its head', async () => {
    const { door } = await openRaw(socket =>
      socket.write('HTTP/1.1 205 Reset\r\nContent-Length: 4\r\nX-A: b\r\n\r\nbody'),
    );
    const { status, headers, body } = await ask(door.session, {});
    expect([status, headers['x-a'], headers['content-length'], body]).toEqual([205, 'b', undefined, '']);
  });

  it('of a handler in this process has the fields that the gateway adds', async () => {
    const handle = (_: HttpRequest, response: HttpResponse) => void response.end('web');
    const door = await openGateway(() => ({ status: 'running', upstream: { kind: 'handler', handle } }));
    const { status, headers, body } = await ask(door.session, { 'sec-fetch-dest': 'document' });
    expect([status, headers['clear-site-data'], body]).toEqual([200, '"storage"', 'web']);
    expect(headers['set-cookie']).toHaveLength(1);
  });

  it('with an invalid head is reset, and no other is', async () => {
    const handle = (request: HttpRequest, response: HttpResponse) =>
      void (request.url === '/odd' ? response.writeHead(999).end() : response.end('ok'));
    const door = await openGateway(() => ({ status: 'running', upstream: { kind: 'handler', handle } }));
    const stream = door.session.request({ ':path': '/odd' });
    const closed = new Promise(resolve => stream.once('close', resolve));
    stream.on('error', () => {}).resume();
    await closed;
    expect(stream.rstCode).toBe(2);
    expect((await ask(door.session, {})).body).toBe('ok');
  });

  it('without a body ends with its head: HEAD, 204, 304', async () => {
    const door = await openApp((request, response) => {
      const status = Number(request.url?.slice(1));
      response.writeHead(status, status === 200 ? { 'content-length': 7 } : { etag: '"a"' }).end();
    });
    const head = await ask(door.session, { ':method': 'HEAD', ':path': '/200' });
    expect([head.status, head.headers['content-length'], head.body]).toEqual([200, '7', '']);
    for (const status of [204, 304]) {
      const answer = await ask(door.session, { ':path': `/${status}` });
      expect([answer.status, answer.body]).toEqual([status, '']);
    }
    const away = await openGateway(() => ({ status: 'starting' }));
    expect((await ask(away.session, { ':method': 'HEAD' })).body).toBe('');
  });

  it('that breaks off is reset, and does not look complete', async () => {
    const half = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n';
    const { door } = await openRaw(socket => socket.write(half, () => socket.destroy()));
    const stream = door.session.request({});
    const closed = new Promise(resolve => stream.once('close', resolve));
    stream.on('error', () => {}).resume();
    await closed;
    expect([stream.rstCode, door.session.closed]).toEqual([2, false]);
  });

  it('delivers server-sent events one by one, the head before the first', async () => {
    let send: (text: string) => void = () => {};
    const door = await openApp((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      send = chunk => void response.write(chunk);
    });
    const stream = door.session.request({});
    await once(stream, 'response');
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      send(event);
      expect(String((await once(stream, 'data'))[0])).toBe(event);
    }
  });

  it('stays in the app while the visitor does not read, and other answers overtake it', async () => {
    const piece = Buffer.alloc(1 << 20);
    let written = 0;
    const door = await openApp((request, response) => {
      if (request.url === '/small') return response.end('small');
      const pour = () => {
        while (written < 200) {
          written += 1;
          if (!response.write(piece)) return;
        }
      };
      response.on('drain', pour);
      pour();
    });
    const slow = door.session.request({ ':path': '/big' });
    await once(slow, 'response');
    expect(await settle(() => written)).toBeLessThan(64);
    expect((await ask(door.session, { ':path': '/small' })).body).toBe('small');
  });

  it('is not mixed up with others of the same session', async () => {
    const door = await openApp((request, response) => response.end(`${request.url}`.repeat(3_000)));
    const paths = Array.from({ length: 100 }, (_, index) => `/${index}`);
    const answers = await Promise.all(paths.map(path => ask(door.session, { ':path': path })));
    expect(answers.map(({ body }) => body)).toEqual(paths.map(path => path.repeat(3_000)));
  });

  it('may come from web mode: files, ranges, 304, redirects', async () => {
    const spec = { mode: 'web', path: 'examples/web-hello', spa: false, crossOriginIsolation: true } as const;
    const handle = createHandler(spec);
    const { session } = await openGateway(() => ({
      status: 'running',
      upstream: { kind: 'handler', handle },
    }));
    const page = await ask(session, {});
    expect([page.status, page.headers['cross-origin-opener-policy']]).toEqual([200, 'same-origin']);
    expect(page.body).toContain('<!doctype html>');
    const part = await ask(session, { range: 'bytes=0-8' });
    expect([part.status, part.body]).toEqual([206, page.body.slice(0, 9)]);
    expect((await ask(session, { 'if-none-match': page.headers.etag as string })).status).toBe(304);
    expect((await ask(session, { ':path': '/nothing' })).status).toBe(404);
    expect((await ask(session, { ':method': 'POST' }, 'x')).status).toBe(405);
    const image = session.request({});
    expect((await buffer(image)).length).toBe(Buffer.byteLength(page.body));
  });

  it('is a page of the gateway while the app is away', async () => {
    const { session } = await openGateway(() => ({ status: 'starting' }));
    const { status, headers, body } = await ask(session, { accept: 'text/html' });
    expect([status, headers['retry-after'], headers.connection]).toEqual([503, '2', undefined]);
    expect(body).toContain('The app is starting');
  });
});

describe('a session', () => {
  it('offers no WebSockets, so that browsers open HTTP/1.1 for them', async () => {
    const { door } = await openRaw();
    await once(door.session, 'remoteSettings');
    expect(door.session.remoteSettings).toMatchObject({
      enableConnectProtocol: false,
      maxConcurrentStreams: 100,
    });
  });

  it('without a request is closed after a while, later if it has had one', async () => {
    const app = await startRawApp();
    closers.push(app.stop);
    const door = await openGateway(app.port, { headersTimeoutMs: 100, keepAliveMs: 300 });
    await once(door.session, 'close');
    const used = openSession(door);
    expect((await ask(used, {})).status).toBe(200);
    await once(used, 'close');
  });

  it('with a request under way is not idle', async () => {
    const { app, door } = await (async () => {
      const raw = await startRawApp(() => {});
      closers.push(raw.stop);
      return { app: raw, door: await openGateway(raw.port, { headersTimeoutMs: 50, keepAliveMs: 50 }) };
    })();
    const stream = door.session.request({});
    await waitUntil(() => app.requestLines.length === 1, 'the app has it');
    let [turns, isClosed] = [0, false];
    door.session.once('close', () => {
      isClosed = true;
    });
    await waitUntil(() => ++turns > 20, 'some time has passed');
    expect([isClosed, stream.destroyed]).toEqual([false, false]);
  });

  it('may finish its answers when the gateway stops, and begins no new ones', async () => {
    let finish: () => void = () => {};
    const { app, door } = await openRaw(socket => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf');
      finish = () => void socket.write('half');
    });
    const answer = ask(door.session, {});
    await waitUntil(() => app.requestLines.length === 1, 'the app has it');
    const idle = openSession(door);
    await once(idle, 'remoteSettings');
    const goaway = once(door.session, 'goaway');
    const stopped = door.gateway.stop(10_000);
    await goaway;
    const late = door.session.destroyed ? undefined : tryRequest(door.session);
    finish();
    expect((await answer).body).toBe('halfhalf');
    await stopped;
    await late;
    expect(app.requestLines).toHaveLength(1);
  });

  it('that does not end in time when the gateway stops is cut', async () => {
    const { app, door } = await openRaw(() => {});
    const stream = door.session.request({});
    stream.on('error', () => {});
    await waitUntil(() => app.requestLines.length === 1, 'the app has it');
    const closed = once(door.session, 'close');
    await door.gateway.stop(100);
    await closed;
  });

  it('needs few connections to the app: they are kept between requests', async () => {
    const { app, door } = await openRaw(socket => socket.write(OK));
    for (let count = 0; count < 5; count += 1) await ask(door.session, {});
    expect([app.requestLines.length, app.connections]).toEqual([5, 1]);
  });
});

async function tryRequest(session: ClientHttp2Session): Promise<void> {
  try {
    const stream = session.request({ ':path': '/late' });
    stream.on('error', () => {}).resume();
    await once(stream, 'close');
  } catch {
    // the session is already closed, which is fine too
  }
}

/** Resolves with the value once it has not changed for a while. */
async function settle(read: () => number): Promise<number> {
  let [last, same] = [-1, 0];
  await waitUntil(() => {
    same = read() === last ? same + 1 : 0;
    last = read();
    return same > 30;
  }, 'the value no longer changes');
  return last;
}
