import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from './listen.ts';
import { openSoakLink, type SoakLink } from './soak-link.ts';

/** A link to a server that repeats what it hears, and keeps a list of how its connections ended. */
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

async function say(link: SoakLink, text: string): Promise<{ socket: Socket; heard: () => string }> {
  const socket = connect(link.address);
  onTestFinished(() => void socket.destroy());
  let heard = '';
  socket.on('error', error => {
    heard += error.message;
  });
  socket.on('data', chunk => {
    heard += String(chunk);
  });
  socket.on('end', () => {
    heard += '|end';
  });
  await once(socket, 'connect');
  socket.write(text);
  return { socket, heard: () => heard };
}

it('passes bytes both ways, and cuts only the kind it is asked to', async () => {
  const { link, ends } = await open();
  const [control, data] = [await say(link, '{"Hello":0}'), await say(link, '{"Accept":1}')];
  await expect.poll(() => [control.heard(), data.heard()]).toEqual(['{"Hello":0}', '{"Accept":1}']);
  expect(link.cutData(5)).toBe(1);
  await expect.poll(() => data.heard()).toContain('ECONNRESET');
  await expect.poll(() => ends).toEqual(['read ECONNRESET']);
  control.socket.write(' lives');
  await expect.poll(() => control.heard()).toBe('{"Hello":0} lives');
  link.cutControl('end');
  await expect.poll(() => control.heard()).toBe('{"Hello":0} lives|end');
  await expect.poll(() => ends).toEqual(['read ECONNRESET', 'read ECONNRESET']);
});

it('falls silent without ending a connection, and then delivers what was held back', async () => {
  const { link, ends } = await open();
  const old = await say(link, '{"Hello":0}');
  await expect.poll(() => old.heard()).toBe('{"Hello":0}');
  link.fallSilent();
  old.socket.write(' still there?');
  const late = await say(link, 'late');
  const gone = await say(link, 'gone');
  gone.socket.resetAndDestroy();
  // What passes at all passes before the answer on a line that is not silent.
  const other = await open();
  const { heard } = await say(other.link, 'meanwhile');
  await expect.poll(heard).toBe('meanwhile');
  expect([old.heard(), late.heard(), ends]).toEqual(['{"Hello":0}', '', []]);
  link.heal();
  await expect.poll(() => [old.heard(), late.heard()]).toEqual(['{"Hello":0} still there?', 'late']);
});
