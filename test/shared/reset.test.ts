import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { resetSocket } from '../../src/shared/reset.ts';
import { closed } from '../support/tunnel-rig.ts';

/** A connection, and what the far side of it hears. */
async function open(): Promise<{ near: Socket; far: Socket; heard: string[] }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const near = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
    [Socket],
    unknown,
  ];
  onTestFinished(() => void far.destroy());
  const heard: string[] = [];
  for (const socket of [near, far]) socket.resume();
  near.on('error', error => heard.push(`near ${error.message}`));
  far.on('error', error => heard.push(error.message)).on('end', () => heard.push('end'));
  return { near, far, heard };
}

it('an open connection is reset', async () => {
  const { near, far, heard } = await open();
  const gone = closed(far);
  resetSocket(near);
  await gone;
  expect(heard).toEqual(['read ECONNRESET']);
});

it('a connection whose end is on its way is closed all the same', async () => {
  const { near, far, heard } = await open();
  const gone = [closed(near), once(far, 'end')];
  near.end();
  resetSocket(near);
  await Promise.all(gone);
  expect(heard).toEqual(['end']);
});

it('a connection that is not there yet is given up at once', async () => {
  const { near } = await open();
  const { remotePort: port = 0 } = near;
  const dialled = connect({ port, host: '127.0.0.1' });
  resetSocket(dialled);
  expect(dialled.destroyed).toBe(true);
});
