import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from './listen.ts';
import { openSoakLink, type SoakLink } from './soak-link.ts';

/** A link to a server that echoes, and a list of how the server's connections ended. */
async function open(): Promise<{ link: SoakLink; ends: string[] }> {
  const ends: string[] = [];
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', error => ends.push(error.message)).on('end', () => ends.push('end'));
    socket.pipe(socket);
  });
  const port = await listen(server);
  const link = await openSoakLink({ host: '127.0.0.1', port });
  onTestFinished(async () => {
    await link.stop();
    server.close();
  });
  return { link, ends };
}

async function send(link: SoakLink, text: string): Promise<{ socket: Socket; received: () => string }> {
  const socket = connect(link.address);
  onTestFinished(() => void socket.destroy());
  let received = '';
  socket.on('error', error => {
    received += error.message;
  });
  socket.on('data', chunk => {
    received += String(chunk);
  });
  socket.on('end', () => {
    received += '|end';
  });
  await once(socket, 'connect');
  socket.write(text);
  return { socket, received: () => received };
}

it('passes bytes both ways, and cuts only connections of the requested kind', async () => {
  const { link, ends } = await open();
  const [control, data] = [await send(link, '{"Hello":0}'), await send(link, '{"Accept":1}')];
  await expect.poll(() => [control.received(), data.received()]).toEqual(['{"Hello":0}', '{"Accept":1}']);
  expect(link.cutData(5)).toBe(1);
  await expect.poll(() => data.received()).toContain('ECONNRESET');
  await expect.poll(() => ends).toEqual(['read ECONNRESET']);
  control.socket.write(' lives');
  await expect.poll(() => control.received()).toBe('{"Hello":0} lives');
  link.cutControl('end');
  await expect.poll(() => control.received()).toBe('{"Hello":0} lives|end');
  await expect.poll(() => ends).toEqual(['read ECONNRESET', 'read ECONNRESET']);
});

it('falls silent without ending a connection, and then delivers what was held back', async () => {
  const { link, ends } = await open();
  const old = await send(link, '{"Hello":0}');
  await expect.poll(() => old.received()).toBe('{"Hello":0}');
  link.fallSilent();
  old.socket.write(' still there?');
  const late = await send(link, 'late');
  const gone = await send(link, 'gone');
  gone.socket.resetAndDestroy();
  // Anything that passes the silent link would arrive before this answer on another link.
  const other = await open();
  const { received } = await send(other.link, 'meanwhile');
  await expect.poll(received).toBe('meanwhile');
  expect([old.received(), late.received(), ends]).toEqual(['{"Hello":0}', '', []]);
  link.heal();
  await expect.poll(() => [old.received(), late.received()]).toEqual(['{"Hello":0} still there?', 'late']);
});
