// With `trusted-proxy`, the connections of one visitor count together: one cannot keep all others out.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { useClosers } from '../../support/closers.ts';
import { type Door, openDoor, sendRaw } from '../../support/gateway-door.ts';
import { waitUntil } from '../../support/wait-until.ts';

const HOST = 'Host: bore.example:4321\r\n';
const KEY = 'K3y-of-this-preview_0123456789';
/** An eighth of it are two. */
const SLOTS = 16;
const closers = useClosers();

async function open(rules: Parameters<typeof openDoor>[1] = {}): Promise<Door> {
  const app = createServer((request, response) => {
    if (request.url === '/endless') response.write('begun');
    else response.end('ok');
  });
  await once(app.listen(0, '127.0.0.1'), 'listening');
  const door = await openDoor((app.address() as AddressInfo).port, { limits: { sockets: SLOTS }, ...rules });
  closers.push(
    () => app.close(),
    () => app.closeAllConnections(),
    door.stop,
  );
  return door;
}

/** One connection of the proxy with a request that does not end. */
async function hold({ port }: Door, address: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  closers.push(() => socket.destroy());
  socket.write(`GET /endless HTTP/1.1\r\n${HOST}X-Forwarded-For: ${address}\r\n\r\n`);
  await once(socket, 'data');
  return socket.resume();
}

function come({ port }: Door, fields: string): Promise<string> {
  return sendRaw(port, `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n${fields}\r\n`);
}

const FROM_OTHER = 'X-Forwarded-For: 203.0.113.8\r\n';

describe('when all connections are busy', () => {
  it.each([
    ['one IPv4 address', () => '203.0.113.7'],
    ['addresses of one IPv6 network', (number: number) => `2001:db8::${number.toString(16)}:1`],
  ])('a visitor of %s loses the newest to another visitor', async (_, choose) => {
    const door = await open({ rules: { trustedProxy: true } });
    const held: Socket[] = [];
    for (let number = 0; number < SLOTS; number += 1) held.push(await hold(door, choose(number)));
    expect(await come(door, FROM_OTHER)).toMatch(/^HTTP\/1\.1 200 /);
    await waitUntil(() => held.at(-1)?.closed === true, 'the newest is closed');
    expect(held.filter(({ closed }) => closed)).toHaveLength(1);
  });

  it('a connection counts for the visitor whose request is the last one', async () => {
    const door = await open({ rules: { trustedProxy: true } });
    const held: Socket[] = [];
    for (let number = 0; number < SLOTS; number += 1) {
      const socket = connect(door.port, '127.0.0.1').on('error', () => {});
      closers.push(() => socket.destroy());
      const next = number === 0 ? FROM_OTHER : '';
      socket.write(`GET / HTTP/1.1\r\n${HOST}X-Forwarded-For: 203.0.113.7\r\n\r\n`);
      await once(socket, 'data');
      socket.write(`GET /endless HTTP/1.1\r\n${HOST}${next}\r\n`);
      await once(socket, 'data');
      held.push(socket.resume());
    }
    expect(await come(door, FROM_OTHER).catch(String)).not.toContain('200');
    expect(held.filter(({ closed }) => closed)).toEqual([]);
  });

  it('nobody loses one if each has few', async () => {
    const door = await open({ rules: { trustedProxy: true } });
    const held: Socket[] = [];
    for (let number = 0; number < SLOTS; number += 1)
      held.push(await hold(door, `2001:db8:0:${(number >> 1).toString(16)}::1`));
    expect(await come(door, FROM_OTHER).catch(String)).not.toContain('200');
    expect(held.filter(({ closed }) => closed)).toEqual([]);
  });

  it('no address counts that visitors claim themselves', async () => {
    const door = await open();
    const held: Socket[] = [];
    for (let number = 0; number < SLOTS; number += 1) held.push(await hold(door, '203.0.113.7'));
    expect(await come(door, FROM_OTHER).catch(String)).not.toContain('200');
    expect(held.filter(({ closed }) => closed)).toEqual([]);
  });
});

it('among visitors without the key, the one with most connections loses one, not the one who came first', async () => {
  const rules = {
    trustedProxy: true,
    access: { kind: 'link', key: KEY },
    publicPaths: ['/endless'],
  } as const;
  const door = await open({ rules, limits: { sockets: 100, strangers: 4 } });
  const first = await hold(door, '203.0.113.8');
  const greedy: Socket[] = [];
  for (let number = 0; number < 3; number += 1) greedy.push(await hold(door, '203.0.113.7'));
  expect(await come(door, `${FROM_OTHER}Authorization: Bearer ${KEY}\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  await waitUntil(() => greedy.at(-1)?.closed === true, 'the newest is closed');
  expect([first, ...greedy].map(({ closed }) => closed)).toEqual([false, false, false, true]);
});
