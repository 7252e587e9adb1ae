import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { type Play, startRandomBoreServer } from './random-bore-server.ts';

async function serve(plays: Play[], asksForSecret = false) {
  const server = await startRandomBoreServer(plays, asksForSecret);
  onTestFinished(server.stop);
  const dial = async (): Promise<{ socket: Socket; received: string[] }> => {
    const socket = connect({ ...server.address, allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    const received: string[] = [];
    socket.on('data', chunk => received.push(String(chunk))).on('end', () => received.push('end'));
    socket.on('error', error => received.push(error.message));
    await once(socket, 'connect');
    return { socket, received };
  };
  return { server, dial };
}

const WELL: Play = { start: { opening: 'well' }, steps: [], slice: 0 };

it('opens the port that is asked for, and then performs its steps', async () => {
  const { server, dial } = await serve([{ ...WELL, steps: [{ do: 'send', text: 'x' }, { do: 'end' }] }]);
  const { socket, received } = await dial();
  socket.write('{"Hello":4444}\0');
  await expect.poll(() => received.join('')).toBe('{"Hello":4444}\0xend');
  expect(server.requests).toEqual(['{"Hello":4444}\0']);
});

it('sends a challenge if a secret is required, and announces visitors only on a control connection', async () => {
  const { dial } = await serve([{ ...WELL, steps: [{ do: 'announce', count: 2, ids: 'new' }] }], true);
  const [control, data] = [await dial(), await dial()];
  control.socket.write('{"Authenticate":""}\0{"Hello":0}\0');
  data.socket.write('{"Authenticate":""}\0{"Accept":""}\0');
  await expect
    .poll(() => control.received.join('').match(/\{"(?:Challenge|Hello|Connection)"/g))
    .toHaveLength(4);
  expect(data.received.join('')).toMatch(/^\{"Challenge":"[^"]+"\}\0$/);
});

it('performs plays in turn, writes in pieces, and counts clients that wait', async () => {
  const send = (text: string, after: 'end' | 'reset'): Play => ({
    ...WELL,
    slice: 2,
    start: { opening: 'send', text, after },
  });
  const silent: Play = { ...WELL, start: { opening: 'silent' } };
  const { server, dial } = await serve([send('abcdef', 'end'), silent]);
  const { socket, received } = await dial();
  await dial();
  await expect.poll(() => received.join('')).toBe('abcdefend');
  expect(received.length).toBeGreaterThan(2);
  await expect.poll(() => [server.waiting, server.held]).toEqual([1, 2]);
  expect(server.played).toHaveLength(2);
  socket.end();
  await expect.poll(() => server.held).toBe(1);
});
