import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { FrameReader } from '../../../src/tunnel/wire/frame-reader.ts';

/** The two ends of one connection. */
async function openPair(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ noDelay: true });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const bound = server.address();
  const near = connect(typeof bound === 'object' && bound !== null ? bound.port : 0, '127.0.0.1');
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
    [Socket],
    unknown,
  ];
  onTestFinished(() => {
    for (const socket of [near, far]) socket.destroy();
    server.close();
  });
  return { near: near.on('error', () => {}), far: far.on('error', () => {}) };
}

it('does not mistake a stall of its own process for silence, and loses no byte that came in time', async () => {
  const { near, far } = await openPair();
  const reader = new FrameReader(near);
  const frame = reader.next(100);
  far.write('one\0two\0');
  // The bytes are in the kernel, and the timer will be due before they are read.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
  expect(String(await frame)).toBe('one');
  // The timer that fires early must not consume bytes after the frame.
  await new Promise(resolve => setImmediate(resolve));
  expect(String(await reader.next(100))).toBe('two');
});

it('distinguishes a time-out from an end, and keeps bytes that were not a frame', async () => {
  const { near, far } = await openPair();
  far.write('half a fra');
  await expect(new FrameReader(near).next(100)).rejects.toMatchObject({
    reason: 'timeout',
    received: Buffer.from('half a fra'),
  });
  const reader = new FrameReader(near);
  const frame = reader.next(20_000);
  far.end('me');
  await expect(frame).rejects.toMatchObject({ reason: 'ended', received: Buffer.from('me') });
});

it('reads what was sent before a reset', async () => {
  const { near, far } = await openPair();
  const frame = new FrameReader(near).next(20_000);
  far.write('the reason\0', () => far.resetAndDestroy());
  expect(String(await frame)).toBe('the reason');
});
