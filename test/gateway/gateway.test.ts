import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import type { AppState } from '../../src/shared/state.ts';
import { useClosers } from '../support/closers.ts';
import { openDoor, runningOn, sendRaw } from '../support/gateway-door.ts';
import { OK, startRawApp } from '../support/raw-app.ts';

const closers = useClosers();

async function openApp(...answer: Parameters<typeof startRawApp>) {
  const app = await startRawApp(...answer);
  closers.push(app.stop);
  return app;
}

async function openGateway(...options: Parameters<typeof openDoor>) {
  const door = await openDoor(...options);
  closers.push(door.stop);
  return door;
}

async function openVisitor(port: number): Promise<Socket> {
  const visitor = connect(port, '127.0.0.1');
  closers.push(() => visitor.destroy());
  await once(visitor, 'connect');
  return visitor;
}

describe('a visitor', () => {
  it('can be any stream of bytes, not only a socket', async () => {
    const app = await openApp();
    const door = await openGateway(app.port);
    const [visitor, stream] = duplexPair();
    door.gateway.accept(stream);
    visitor
      .setEncoding('latin1')
      .write('GET / HTTP/1.1\r\nHost: bore.example:4321\r\nConnection: close\r\n\r\n');
    expect((await visitor.toArray()).join('')).toMatch(/^HTTP\/1.1 200 OK[\s\S]*ok$/);
  });

  it('gets small answers at once: Nagle is off, as on connections that a server accepts itself', async () => {
    const { gateway } = await openGateway(() => ({ status: 'starting' }));
    const calls: unknown[] = [];
    class WatchedSocket extends Socket {
      override setNoDelay(on?: boolean): this {
        calls.push(on);
        return super.setNoDelay(on);
      }
    }
    const socket = new WatchedSocket();
    closers.push(() => socket.destroy());
    gateway.accept(socket);
    expect(calls).toEqual([true]);
  });

  it('is counted once for each request', async () => {
    const app = await openApp();
    const door = await openGateway(app.port);
    expect([door.gateway.visits, door.gateway.openVisits]).toEqual([0, 0]);
    await (await fetch(door.url)).text();
    await (await fetch(door.url)).text();
    await (await fetch(`${door.url}/__expose/probe`)).text();
    expect(door.gateway.visits).toBe(2);
    await vi.waitFor(() => expect(door.gateway.openVisits).toBe(0));
  });

  it('is refused while there are too many connections', async () => {
    const app = await openApp(socket => socket.write('HTTP/1.1 200 OK\r\n\r\nbegun'));
    const door = await openGateway(app.port, { limits: { sockets: 2 } });
    const held = [await openVisitor(door.port), await openVisitor(door.port)];
    for (const visitor of held) {
      visitor.write('GET / HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n');
      await once(visitor, 'data');
    }
    const third = await openVisitor(door.port);
    await once(third, 'close');
    expect(app.requestLines).toHaveLength(2);
    held[0]?.destroy();
    await vi.waitFor(async () => expect((await fetch(door.url)).status).toBe(200), { timeout: 10_000 });
  });

  it('without a complete head is closed after a while (slowloris)', async () => {
    const app = await openApp();
    const door = await openGateway(app.port, { limits: { headersTimeoutMs: 100 } });
    expect(await sendRaw(door.port, '')).toMatch(/^HTTP\/1.1 408 /);
    expect(await sendRaw(door.port, 'GET / HTTP/1.1\r\nHost: bore.example:4321\r\nX-')).toMatch(
      /^HTTP\/1.1 408 /,
    );
    expect(app.connections).toBe(0);
  });

  it('with a body that comes too slowly is closed after a while, and so is the app’s request (R-U-D-Y)', async () => {
    const app = await openApp(() => {});
    const door = await openGateway(app.port, { limits: { headersTimeoutMs: 100, requestTimeoutMs: 200 } });
    const answer = await sendRaw(
      door.port,
      'POST / HTTP/1.1\r\nHost: bore.example:4321\r\nContent-Length: 10\r\n\r\na',
    );
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
    expect(app.requestLines).toEqual(['POST / HTTP/1.1']);
  });

  it('with an idle connection is closed after a while', async () => {
    const app = await openApp();
    const door = await openGateway(app.port, { limits: { keepAliveMs: 50 } });
    expect(await sendRaw(door.port, 'GET / HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n')).toMatch(
      /^HTTP\/1.1 200 /,
    );
  });
});

describe('the app', () => {
  it('is looked up at every request: away, back, at another port', async () => {
    const one = await openApp(socket => socket.write(OK.replace('ok', '#1')));
    const two = await openApp(socket => socket.write(OK.replace('ok', '#2')));
    let state: AppState = { status: 'starting' };
    const door = await openGateway(() => state);
    const ask = async () => {
      const response = await fetch(door.url);
      return `${response.status} ${(await response.text()).split('\n')[0]}`;
    };
    expect(await ask()).toBe('503 The app is starting.');
    state = runningOn(one.port);
    expect(await ask()).toBe('200 #1');
    state = { status: 'restarting', reason: 'exit code 1', attempt: 1 };
    expect(await ask()).toBe('503 The app is restarting.');
    state = runningOn(two.port);
    expect(await ask()).toBe('200 #2');
    state = { status: 'failed', reason: 'exit code 1', exitCode: 1, lastLines: ['panic: s3cret'] };
    expect(await ask()).toBe('502 The app has failed.');
    state = { status: 'stopped' };
    expect(await ask()).toBe('503 This preview has ended.');
    expect([one.requestLines.length, two.requestLines.length]).toEqual([1, 1]);
  });

  it('that is away gets nothing at its old address, where another program may listen by now', async () => {
    const app = await openApp();
    let state = runningOn(app.port);
    const door = await openGateway(() => state);
    await (await fetch(door.url)).text();
    state = { status: 'restarting', reason: 'gone', attempt: 1 };
    const seen = app.seen;
    for (const method of ['GET', 'POST', 'OPTIONS'])
      expect((await fetch(door.url, { method })).status).toBe(503);
    expect(app.seen).toBe(seen);
  });

  it('that dies during a request is reported as restarting as soon as that is known', async () => {
    let state: AppState = { status: 'stopped' };
    const app = await openApp(socket => {
      state = { status: 'restarting', reason: 'exit code 3', attempt: 1 };
      socket.destroy();
    });
    state = runningOn(app.port);
    const door = await openGateway(() => state);
    const response = await fetch(door.url, { method: 'POST' });
    expect([response.status, await response.text()]).toEqual([503, expect.stringContaining('exit code 3')]);
  });

  it.each([
    ['moves', 502],
    ['goes away', 503],
  ])(
    'that %s has the connections to its old address cut, requests under way included',
    async (way, status) => {
      const mute = await openApp(() => {});
      const next = await openApp();
      let state = runningOn(mute.port);
      const door = await openGateway(() => state);
      const waiting = fetch(door.url);
      await vi.waitFor(() => expect(mute.requestLines).toHaveLength(1), { timeout: 10_000 });
      state = way === 'moves' ? runningOn(next.port) : { status: 'restarting', reason: 'gone', attempt: 1 };
      await (await fetch(door.url)).text();
      expect((await waiting).status).toBe(status);
      expect(next.requestLines).toHaveLength(way === 'moves' ? 1 : 0);
    },
  );

  it('can be a handler in this process', async () => {
    const door = await openGateway(() => ({
      status: 'running',
      upstream: { kind: 'handler', handle: (request, response) => response.end(`handled ${request.url}`) },
    }));
    expect(await (await fetch(`${door.url}/a?b`)).text()).toBe('handled /a?b');
    expect((await fetch(`${door.url}/__expose/x`)).status).toBe(404);
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
    expect(await sendRaw(door.port, `GET /ws HTTP/1.1\r\nHost: bore.example:4321\r\n${upgrade}\r\n`)).toMatch(
      /handled \/ws$/,
    );
  });

  it('fails one visit, not the gateway, if its handler throws', async () => {
    const door = await openGateway(() => ({
      status: 'running',
      upstream: {
        kind: 'handler',
        handle: () => {
          throw new Error('oops\n::error::x');
        },
      },
    }));
    expect((await fetch(`${door.url}/?key=s3cret`)).status).toBe(500);
    expect((await fetch(door.url)).status).toBe(500);
    expect(door.log[0]).toBe('warn GET / failed: oops\\x0a::error::x');
  });

  it('that cannot be reached is logged, without the query of the request', async () => {
    const app = await openApp();
    await app.stop();
    const door = await openGateway(app.port);
    expect((await fetch(`${door.url}/a?key=s3cret`)).status).toBe(502);
    expect(door.log).toEqual([expect.stringMatching(/^debug no answer to GET \/a: .*ECONNREFUSED/)]);
  });

  it('is reached over IPv6 too', async ({ skip }) => {
    const server = createServer((_, response) => response.end('six')).listen(0, '::1');
    closers.push(
      () => server.closeAllConnections(),
      () => server.close(),
    );
    await once(server, 'listening').catch(() => skip('no IPv6 here'));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const door = await openGateway(() => ({
      status: 'running',
      upstream: { kind: 'address', host: '::1', port },
    }));
    expect(await (await fetch(door.url)).text()).toBe('six');
  });
});

describe('stopping the gateway', () => {
  it('closes every connection, ends the app’s requests, refuses new ones, and may be done twice', async () => {
    const app = await openApp(() => {});
    const door = await openGateway(app.port);
    const visitor = await openVisitor(door.port);
    const closed = new Promise(resolve => visitor.on('error', () => {}).once('close', resolve));
    visitor.write('GET / HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n');
    await vi.waitFor(() => expect(app.requestLines).toHaveLength(1), { timeout: 10_000 });
    await Promise.all([door.gateway.stop(), door.gateway.stop()]);
    await closed;
    const late = await openVisitor(door.port);
    await new Promise(resolve => late.on('error', () => {}).once('close', resolve));
    await door.gateway.stop();
  });
});

describe('pipelining (memory exhaustion over one connection)', () => {
  it('is limited: a connection with a flood of unanswered requests is closed, and few reach the app', async () => {
    const app = await openApp(() => {}); // never answers
    const door = await openDoor(app.port);
    closers.push(door.stop);
    const request = 'GET / HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n';
    await sendRaw(door.port, request.repeat(20_000)).catch(() => {}); // a reset is fine too
    expect(app.requestLines.length).toBeLessThanOrEqual(64);
    expect(door.gateway.visits).toBeLessThanOrEqual(64);
  });
});
