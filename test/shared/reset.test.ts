// Resetting a connection in each of its states.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { resetSocket } from '../../src/shared/reset.ts';
import { closed } from '../support/tunnel-rig.ts';

/** A connection, with a list of the errors of both ends and the end of the far one. */
async function open(): Promise<{ near: Socket; far: Socket; events: string[] }> {
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
  const events: string[] = [];
  for (const socket of [near, far]) socket.resume();
  near.on('error', error => events.push(`near ${error.message}`));
  far.on('error', error => events.push(error.message)).on('end', () => events.push('end'));
  return { near, far, events };
}

it('an open connection is reset', async () => {
  const { near, far, events } = await open();
  const gone = closed(far);
  resetSocket(near);
  await gone;
  expect(events).toEqual(['read ECONNRESET']);
});

it('a connection with a FIN under way is closed, too', async () => {
  const { near, far, events } = await open();
  const gone = [closed(near), once(far, 'end')];
  near.end();
  resetSocket(near);
  await Promise.all(gone);
  expect(events).toEqual(['end']);
});

it('a connection that is still being opened is closed at once', async () => {
  const { near } = await open();
  const { remotePort: port = 0 } = near;
  const dialled = connect({ port, host: '127.0.0.1' });
  resetSocket(dialled);
  expect(dialled.destroyed).toBe(true);
});
