import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { type BadBoreServer, flood, greetWith, reply, startBadBoreServer } from './bad-bore-server.ts';

async function dial({ address }: BadBoreServer): Promise<Socket> {
  const socket = connect(address);
  await once(socket, 'connect');
  return socket;
}

it('replies only after the client sent something, and stores what it sent', async () => {
  const server = await startBadBoreServer(reply('"Heartbeat"\0'));
  const socket = await dial(server);
  socket.write('{"Hello":0}\0');
  expect(String((await once(socket, 'data'))[0])).toBe('"Heartbeat"\0');
  expect(server.received).toEqual(['{"Hello":0}\0']);
});

it('greets at once, and counts connections', async () => {
  const server = await startBadBoreServer((socket, number) => greetWith(`${number}\0`)(socket, number));
  for (const expected of ['0\0', '1\0'])
    expect(String((await once(await dial(server), 'data'))[0])).toBe(expected);
});

it('floods the client and never ends a frame', async () => {
  const socket = await dial(await startBadBoreServer(flood));
  let count = 0;
  for await (const chunk of socket) {
    expect(chunk.includes(0)).toBe(false);
    count += chunk.length;
    if (count > 1_000_000) break;
  }
});
