import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { useClosers } from '../../support/closers.ts';
import { openDoor } from '../../support/gateway-door.ts';
import { OPEN_GATEWAY } from '../../support/open-gateway.ts';
import { describeWithReal } from '../../support/real-parts.ts';
import { startVisits } from '../../support/steady-visits.ts';
import { startTunnelProcess } from '../../support/tunnel-process.ts';
import { startRealServer } from '../../support/tunnel-rig.ts';
import { waitUntil } from '../../support/wait-until.ts';

const KEY = 'K3y-of-this-preview_0123456789';
const BEARER = { authorization: `Bearer ${KEY}` };
const KEYED = { ...OPEN_GATEWAY, access: { kind: 'link', key: KEY } } as const;
const SILENT = 2_000;

const closers = useClosers();

async function openApp(): Promise<number> {
  const server = createServer((request, response) => {
    if (request.url === '/endless') response.write('begun');
    else response.end('ok');
  });
  await once(server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }), 'listening');
  closers.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  return (server.address() as AddressInfo).port;
}

/** A connection that sends nothing. */
async function come(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect(port, host);
  socket.on('error', () => {});
  closers.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket.resume();
}

/** A visitor with the key, on a connection that stays open. */
async function signIn(port: number, path = '/'): Promise<Socket> {
  const socket = await come(port);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: bore.example:4321\r\nAuthorization: Bearer ${KEY}\r\n\r\n`);
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1.1 200 /);
  return socket;
}

describe('unauthenticated connections', () => {
  it('are limited in number: the oldest is closed to make room, and no authenticated one is', async () => {
    const door = await openDoor(await openApp(), { rules: KEYED, limits: { strangers: 3 } });
    closers.push(door.stop);
    const authenticated = await signIn(door.port);
    const unauthenticated: Socket[] = [];
    for (let number = 0; number < 5; number += 1) unauthenticated.push(await come(door.port));
    await waitUntil(
      () => unauthenticated[0]?.closed === true && unauthenticated[1]?.closed === true,
      'two are gone',
    );
    expect(unauthenticated.slice(2).map(({ closed }) => closed)).toEqual([false, false, false]);
    expect(authenticated.closed).toBe(false);
  });

  it('are those whose last request had no key, also if a proxy sends requests of others over them', async () => {
    const rules = { ...KEYED, publicPaths: ['/endless'] };
    const door = await openDoor(await openApp(), { rules, limits: { strangers: 2 } });
    closers.push(door.stop);
    const proxied: Socket[] = [];
    for (let number = 0; number < 5; number += 1) {
      const socket = await signIn(door.port);
      socket.write('GET /endless HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n');
      await once(socket, 'data');
      proxied.push(socket);
    }
    await waitUntil(() => proxied.filter(({ closed }) => closed).length === 3, 'only two are left');
    // Each of these takes a connection that a stranger had, and gives it back.
    const another = await come(door.port);
    another.write(
      'POST /__expose/sign-in HTTP/1.1\r\nHost: bore.example:4321\r\nContent-Length: 9\r\n\r\nkey=',
    );
    await waitUntil(() => proxied.filter(({ closed }) => closed).length === 4, 'only one is left');
    const reviewer = await signIn(door.port, '/endless');
    expect(reviewer.closed).toBe(false);
  });

  it('are authenticated from their first request with the key, whoever has used them before', async () => {
    const rules = { ...KEYED, publicPaths: ['/public'] };
    const door = await openDoor(await openApp(), { rules, limits: { strangers: 2 } });
    closers.push(door.stop);
    const proxied = await signIn(door.port);
    for (const [path, fields] of [
      ['/public', ''],
      ['/', `Authorization: Bearer ${KEY}\r\n`],
    ]) {
      proxied.write(`GET ${path} HTTP/1.1\r\nHost: bore.example:4321\r\n${fields}\r\n`);
      await once(proxied, 'data');
    }
    const strangers = [await come(door.port), await come(door.port), await come(door.port)];
    await waitUntil(() => strangers[0]?.closed === true, 'one has made room');
    expect(proxied.closed).toBe(false);
  });

  it.each([
    ['link', KEYED],
    ['open', OPEN_GATEWAY],
  ] as const)(
    'are closed to make room for a new connection when all slots are taken: %s',
    async (_, rules) => {
      const door = await openDoor(await openApp(), { rules, limits: { sockets: 3 } });
      closers.push(door.stop);
      const authenticated = [await signIn(door.port, '/endless')];
      const unauthenticated = [await come(door.port), await come(door.port)];
      authenticated.push(await signIn(door.port, '/endless'), await signIn(door.port, '/endless'));
      await waitUntil(() => unauthenticated.every(({ closed }) => closed), 'both are gone');
      const late = await come(door.port);
      await waitUntil(() => late.closed, 'no connection is left that can be closed');
      expect(authenticated.map(({ closed }) => closed)).toEqual([false, false, false]);
    },
  );

  it.each([
    ['link', KEYED],
    ['open', OPEN_GATEWAY],
  ] as const)(
    'are closed to make room for a new one, the one idle for longest first: %s',
    async (_, rules) => {
      const door = await openDoor(await openApp(), { rules, limits: { sockets: 3 } });
      closers.push(door.stop);
      const [first, busy, last] = [
        await signIn(door.port),
        await signIn(door.port, '/endless'),
        await signIn(door.port),
      ];
      await signIn(door.port);
      await waitUntil(() => first.closed, 'the first one is gone');
      expect([busy.closed, last.closed]).toEqual([false, false]);
    },
  );

  it('stay unauthenticated while they only request public paths, and leave room for visitors with the key', async () => {
    const rules = { ...KEYED, publicPaths: ['/endless', '/hook'] };
    const door = await openDoor(await openApp(), { rules, limits: { sockets: 12, strangers: 4 } });
    closers.push(door.stop);
    const ask = async (path: string) => {
      const socket = await come(door.port);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: bore.example:4321\r\n\r\n`);
      expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 200 /);
      return socket;
    };
    const idle = [await ask('/hook'), await ask('/hook')];
    const busy = [await ask('/endless'), await ask('/endless')];
    busy.push(await ask('/endless'));
    await waitUntil(() => idle[0]?.closed === true, 'between two answers it makes room');
    expect(busy.map(({ closed }) => closed)).toEqual([false, false, false]);
    // If few are idle, the oldest busy one is closed: otherwise new ones would push out one another.
    await signIn(door.port);
    await waitUntil(() => busy[0]?.closed === true, 'one of the busy ones makes room');
    for (let count = 0; count < 5; count += 1) await signIn(door.port);
    expect([idle[1]?.closed, ...busy.slice(1).map(({ closed }) => closed)]).toEqual([false, false, false]);
  });

  it('keep their slot while they hold a WebSocket', async () => {
    const server = createServer();
    server.on('upgrade', (_, socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const door = await openDoor((server.address() as AddressInfo).port, { limits: { sockets: 1 } });
    closers.push(() => server.close(), door.stop);
    const holder = await come(door.port);
    holder.write(
      'GET / HTTP/1.1\r\nHost: bore.example:4321\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    await once(holder, 'data');
    const late = await come(door.port);
    await waitUntil(() => late.closed, 'the next one is turned away');
    expect(holder.closed).toBe(false);
  });
});

describeWithReal(['bore'], '2,000 silent connections without the key', () => {
  it('make no signed-in visit fail, through bore and the tunnel', { timeout: 120_000 }, async () => {
    const { address } = await startRealServer('127.0.1.41');
    const app = await openApp();
    const child = await startTunnelProcess([{ mode: 'gateway', server: address, app, key: KEY }]);
    onTestFinished(child.kill);
    const [port = 0] = child.ports;
    const visits = startVisits({ host: address.host, port, headers: BEARER }, 20);
    const unauthenticated = await Promise.all(Array.from({ length: SILENT }, () => come(port, address.host)));
    const isGone = ({ closed }: Socket) => closed;
    await waitUntil(() => unauthenticated.filter(isGone).length >= SILENT - 256, 'the oldest have made room');
    // The rest are closed when they have sent nothing in time.
    await waitUntil(() => unauthenticated.every(isGone), 'all are gone');
    const { right, lost, p99Ms } = await visits.stop();
    console.log(`${right} visits, the slowest hundredth took ${p99Ms.toFixed(0)} ms or more`);
    expect(lost).toEqual([]);
    expect(right).toBeGreaterThan(100);
    expect(child.unhandled).toEqual([]);
  });
});
