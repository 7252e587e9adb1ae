import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { startSilentAddress } from './silent-address.ts';
import { waitUntil } from './wait-until.ts';

it('neither accepts nor refuses, until it is stopped', async () => {
  const silent = await startSilentAddress('127.0.0.113');
  const socket = connect(silent.port, '127.0.0.113');
  onTestFinished(() => void socket.destroy());
  const failed = once(socket, 'error');
  const later = performance.now() + 700;
  await waitUntil(() => performance.now() > later, 'the time has passed in which an answer could come');
  expect(socket.connecting).toBe(true);
  await silent.stop();
  expect(await failed).toMatchObject([{ code: 'ECONNREFUSED' }]);
});
