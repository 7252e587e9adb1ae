import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { useClosers } from '../../support/closers.ts';
import { type Door, openDoor, sendRaw } from '../../support/gateway-door.ts';
import { OK, startRawApp } from '../../support/raw-app.ts';

const ASK =
  'Host: bore.example:4321\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
const closers = useClosers();

async function openEcho(): Promise<Door & { server: WebSocketServer }> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    handleProtocols: ([first]) => first ?? false,
  });
  closers.push(() => server.close());
  await once(server, 'listening');
  server.on('connection', socket => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  const address = server.address();
  const door = await openDoor(typeof address === 'object' && address !== null ? address.port : 0);
  closers.push(door.stop);
  return Object.assign(door, { server });
}

async function openRaw(...answer: Parameters<typeof startRawApp>) {
  const app = await startRawApp(...answer);
  const door = await openDoor(app.port);
  closers.push(app.stop, door.stop);
  return { app, door };
}

async function openSocket(door: Door, path = '/', protocols: string[] = []): Promise<WebSocket> {
  const socket = new WebSocket(`${door.url}${path}`, protocols);
  closers.push(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

describe('a WebSocket', () => {
  it('carries text and a megabyte, compressed or not, both ways', async () => {
    const socket = await openSocket(await openEcho());
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('hello');
    const big = Buffer.alloc(1 << 20, 'abc');
    socket.send(big);
    expect(big.equals((await once(socket, 'message'))[0])).toBe(true);
  });

  it('keeps its path, its subprotocol and its close codes, in both directions', async () => {
    const door = await openEcho();
    const arrived = once(door.server, 'connection');
    const socket = await openSocket(door, '/live?x=1', ['chat.v2']);
    const [peer, request] = await arrived;
    expect([request.url, socket.protocol, request.headers.host]).toEqual([
      '/live?x=1',
      'chat.v2',
      `localhost:${request.socket.localPort}`,
    ]);
    peer.close(4001, 'enough');
    const [code, reason] = await once(socket, 'close');
    expect([code, String(reason)]).toEqual([4001, 'enough']);

    const again = once(door.server, 'connection').then(([other]) => once(other, 'close'));
    (await openSocket(door)).close(4002, 'bye');
    const [otherCode, otherReason] = await again;
    expect([otherCode, String(otherReason)]).toEqual([4002, 'bye']);
  });

  it('ends on both sides when either side breaks', async () => {
    const door = await openEcho();
    const arrived = once(door.server, 'connection');
    const socket = await openSocket(door);
    const [peer] = await arrived;
    const ended = once(peer, 'close');
    socket.terminate();
    await ended;

    const next = once(door.server, 'connection');
    const other = await openSocket(door);
    const closed = once(other, 'close');
    (await next)[0].terminate();
    await closed;
  });

  it('ends when the gateway stops', async () => {
    const door = await openEcho();
    const socket = await openSocket(door);
    const closed = once(socket, 'close');
    await door.gateway.stop();
    await closed;
  });

  it('is counted as one visit', async () => {
    const door = await openEcho();
    await openSocket(door);
    expect(door.gateway.visits).toBe(1);
  });
});

describe('an upgrade', () => {
  it('loses no bytes that either side sends early', async () => {
    const { app, door } = await openRaw((socket, count) => {
      if (count === 1) socket.write(`${SWITCH}\r\nearly from the app`);
      socket.on('data', chunk => {
        if (chunk.includes('end')) socket.end(' and late');
      });
    });
    const answer = await sendRaw(door.port, `GET / HTTP/1.1\r\n${ASK}\r\nearly from the visitor, end`);
    expect(answer).toMatch(/^HTTP\/1.1 101 [\s\S]*\r\n\r\nearly from the app and late$/);
    expect(app.seen).toMatch(/\r\n\r\nearly from the visitor, end$/);
  });

  it('passes on the end of one direction, and what the other side still sends', async () => {
    const { door } = await openRaw(socket => {
      socket.allowHalfOpen = true;
      socket.write(`${SWITCH}\r\n`);
      socket.once('end', () => socket.end('last word'));
    });
    const visitor = connect({ port: door.port, host: '127.0.0.1', allowHalfOpen: true }).setEncoding(
      'latin1',
    );
    closers.push(() => visitor.destroy());
    visitor.write(`GET / HTTP/1.1\r\n${ASK}\r\n`);
    let answer = String((await once(visitor, 'data'))[0]);
    visitor.on('data', chunk => {
      answer += chunk;
    });
    visitor.end();
    await once(visitor, 'end');
    expect(answer).toMatch(/last word$/);
  });

  it('lets the visitor send on after the app has ended its side', async () => {
    const { app, door } = await openRaw(socket => socket.end(`${SWITCH}\r\nlast word`));
    const visitor = connect({ port: door.port, host: '127.0.0.1', allowHalfOpen: true });
    closers.push(() => visitor.destroy());
    visitor.resume().write(`GET / HTTP/1.1\r\n${ASK}\r\n`);
    await once(visitor, 'end');
    visitor.end('but I have more');
    await once(visitor, 'close');
    await vi.waitFor(() => expect(app.seen).toMatch(/but I have more$/), { timeout: 10_000 });
  });

  it.each(['visitor', 'app'])('is cut on the other side if the connection of the %s breaks', async side => {
    const joined = Promise.withResolvers<Socket>();
    const { door } = await openRaw(socket => {
      socket.write(`${SWITCH}\r\n`);
      joined.resolve(socket);
    });
    const visitor = connect(door.port, '127.0.0.1').on('error', () => {});
    closers.push(() => visitor.destroy());
    visitor.write(`GET / HTTP/1.1\r\n${ASK}\r\n`);
    await once(visitor, 'data');
    const app = await joined.promise;
    const [broken, other] = side === 'app' ? [app, visitor] : [visitor, app];
    const closed = new Promise(resolve => other.resume().once('close', resolve));
    broken.resetAndDestroy();
    await closed;
  });

  it('that the app refuses closes the connection after the answer, so that a request behind it is not served (WebSocket bypass)', async () => {
    const { app, door } = await openRaw(socket =>
      socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: no\r\n\r\nno'),
    );
    const answer = await sendRaw(
      door.port,
      `GET /ws HTTP/1.1\r\n${ASK}\r\nGET /smuggled HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 403 Forbidden\r\n/);
    expect(answer).toMatch(/X-Why: no\r\n[\s\S]*\r\n\r\nno$/);
    expect(app.seen).not.toContain('smuggled');
  });

  it('that the app refuses with a long answer delivers all of it', async () => {
    const body = 'x'.repeat(5 << 20);
    const { door } = await openRaw(socket =>
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
    );
    const answer = await sendRaw(door.port, `GET /ws HTTP/1.1\r\n${ASK}\r\n`);
    expect(answer.length - answer.indexOf('\r\n\r\n') - 4).toBe(body.length);
  });

  it('to anything but a WebSocket is served as an ordinary request', async () => {
    const { app, door } = await openRaw();
    const ask = 'Host: bore.example:4321\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n';
    expect(await sendRaw(door.port, `GET / HTTP/1.1\r\n${ask}\r\n`)).toMatch(/^HTTP\/1.1 200 /);
    expect(app.seen).not.toMatch(/h2c/i);
  });

  it.each(['GET', 'POST', 'PUT'])(
    'that is not accepted ends the connection with the answer, because Node reads nothing after it: %s',
    async method => {
      const { app, door } = await openRaw(socket => socket.write(OK));
      const offer = `Host: bore.example:4321\r\nConnection: Upgrade\r\nUpgrade: ${method === 'PUT' ? 'websocket' : 'h2c'}\r\n`;
      const next = 'GET /next HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n';
      const answer = await sendRaw(
        door.port,
        `${method} / HTTP/1.1\r\n${offer}Content-Length: 0\r\n\r\n${next}`,
      );
      expect(answer).toMatch(/^HTTP\/1.1 200 [\s\S]*\r\nConnection: close\r\n/i);
      expect(app.requestLines).toEqual([`${method} / HTTP/1.1`]);
    },
  );

  it.each([
    ['a WebSocket', `GET /ws HTTP/1.1\r\n${ASK}\r\n`],
    ['CONNECT', 'CONNECT bore.example:4321 HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n'],
  ])('before the previous answer closes the connection: %s', async (_, second) => {
    const { app, door } = await openRaw(() => {}); // never answers
    const first = 'GET / HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n';
    expect(await sendRaw(door.port, first + second)).toBe('');
    expect(app.requestLines).not.toContain('GET /ws HTTP/1.1');
    expect(door.log.filter(line => !line.startsWith('debug'))).toEqual([]);
  });

  it('before the answer to an unknown expectation closes the connection', async () => {
    const { door } = await openRaw(socket => socket.write(OK));
    const odd = 'GET / HTTP/1.1\r\nHost: bore.example:4321\r\nExpect: foo\r\n\r\n';
    const answer = await sendRaw(door.port, `${odd}GET /c HTTP/1.1\r\n${ASK}\r\n`);
    expect(answer).toMatch(/^(?:HTTP\/1.1 417 [\s\S]*)?$/);
    expect(await (await fetch(`http://127.0.0.1:${door.port}`)).text()).toBe('ok');
  });

  it('after the last answer of a connection closes the connection', async () => {
    const { door } = await openRaw(socket => socket.write(OK));
    const visitor = connect(door.port, '127.0.0.1').on('error', () => {});
    closers.push(() => visitor.destroy());
    const closed = once(visitor, 'close');
    visitor.write('GET //refused HTTP/1.1\r\nHost: bore.example:4321\r\nContent-Length: 10\r\n\r\n');
    await once(visitor, 'data');
    visitor
      .resume()
      .write(`0123456789GET /b HTTP/1.1\r\nHost: bore.example:4321\r\n\r\nGET /c HTTP/1.1\r\n${ASK}\r\n`);
    await closed;
    expect(await (await fetch(`http://127.0.0.1:${door.port}`)).text()).toBe('ok');
  });

  it('to a protocol that was not requested gets a 502', async () => {
    const { door } = await openRaw(socket =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'),
    );
    expect(await sendRaw(door.port, `GET / HTTP/1.1\r\n${ASK}\r\n`)).toMatch(/^HTTP\/1.1 502 /);
  });

  it('gets a 502 if the app does not answer, and a 503 while it starts', async () => {
    const { app, door } = await openRaw();
    await app.stop();
    expect(await sendRaw(door.port, `GET / HTTP/1.1\r\n${ASK}\r\n`)).toMatch(/^HTTP\/1.1 502 /);
    const starting = await openDoor(() => ({ status: 'starting' }));
    closers.push(starting.stop);
    expect(await sendRaw(starting.port, `GET / HTTP/1.1\r\n${ASK}\r\n`)).toMatch(/^HTTP\/1.1 503 /);
  });

  it('never reaches /__expose/', async () => {
    const { app, door } = await openRaw(socket => socket.write(OK));
    expect(await sendRaw(door.port, `GET /__expose/x HTTP/1.1\r\n${ASK}\r\n`)).toMatch(/^HTTP\/1.1 404 /);
    expect(app.connections).toBe(0);
  });
});
