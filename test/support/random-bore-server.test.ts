import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { type Play, startRandomBoreServer } from './random-bore-server.ts';

async function serve(plays: Play[], asksForSecret = false) {
  const server = await startRandomBoreServer(plays, asksForSecret);
  onTestFinished(server.stop);
  const dial = async (): Promise<{ socket: Socket; heard: string[] }> => {
    const socket = connect({ ...server.address, allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    const heard: string[] = [];
    socket.on('data', chunk => heard.push(String(chunk))).on('end', () => heard.push('end'));
    socket.on('error', error => heard.push(error.message));
    await once(socket, 'connect');
    return { socket, heard };
  };
  return { server, dial };
}

const WELL: Play = { start: { opening: 'well' }, steps: [], slice: 0 };

it('gives out the port that is asked for, and says what it has to say behind it', async () => {
  const { server, dial } = await serve([{ ...WELL, steps: [{ do: 'say', text: 'x' }, { do: 'end' }] }]);
  const { socket, heard } = await dial();
  socket.write('{"Hello":4444}\0');
  await expect.poll(() => heard.join('')).toBe('{"Hello":4444}\0xend');
  expect(server.requests).toEqual(['{"Hello":4444}\0']);
});

it('asks for a secret first where it is to, and announces visitors only to who has a port', async () => {
  const { dial } = await serve([{ ...WELL, steps: [{ do: 'announce', count: 2, ids: 'new' }] }], true);
  const [control, data] = [await dial(), await dial()];
  control.socket.write('{"Authenticate":""}\0{"Hello":0}\0');
  data.socket.write('{"Authenticate":""}\0{"Accept":""}\0');
  await expect
    .poll(() => control.heard.join('').match(/\{"(?:Challenge|Hello|Connection)"/g))
    .toHaveLength(4);
  expect(data.heard.join('')).toMatch(/^\{"Challenge":"[^"]+"\}\0$/);
});

it('plays in turn, cuts into pieces, and knows who waits for a word', async () => {
  const say = (text: string, after: 'end' | 'reset'): Play => ({
    ...WELL,
    slice: 2,
    start: { opening: 'say', text, after },
  });
  const mute: Play = { ...WELL, start: { opening: 'mute' } };
  const { server, dial } = await serve([say('abcdef', 'end'), mute]);
  const { socket, heard } = await dial();
  await dial();
  await expect.poll(() => heard.join('')).toBe('abcdefend');
  expect(heard.length).toBeGreaterThan(2);
  await expect.poll(() => [server.waiting, server.held]).toEqual([1, 2]);
  expect(server.played).toHaveLength(2);
  socket.end();
  await expect.poll(() => server.held).toBe(1);
});
