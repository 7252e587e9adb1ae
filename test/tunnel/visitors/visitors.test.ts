import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type BoreServer, startBoreServer } from '../../../src/tunnel/server/server.ts';
import { reply, startBadBoreServer } from '../../support/bad-bore-server.ts';
import { describeWithReal } from '../../support/real-parts.ts';
import { closed, exchange, openTunnel, portOf, startRealServer } from '../../support/tunnel-rig.ts';
import { waitUntil } from '../../support/wait-until.ts';

const ID = '6ba7b810-9dad-11d1-80b4-00c04fd430c';
const addressOf = ({ host, controlPort }: BoreServer) => ({ host, port: controlPort });

describeWithReal(['bore'], 'visitors through the real server', () => {
  it('who send frames of a server lose only their own connection', async () => {
    const { address } = await startRealServer('127.0.0.23', { secret: 'sesame' });
    const { tunnel, log } = await openTunnel({ server: address, secret: 'sesame' });
    const port = portOf(tunnel);
    for (const evil of ['{"Error":"invalid secret"}\0', '"Heartbeat"\0{"Hello":0}\0', '\0'.repeat(600)])
      expect(await exchange(address.host, port, evil)).toBe(evil);
    expect(tunnel.state.status).toBe('Connected');
    expect(log).toEqual([]);
  });

  it('upload 4 × 30 MB at once to a slow reader without a wrong byte', async () => {
    const { address } = await startRealServer('127.0.0.24', { secret: 'sesame' });
    const { tunnel } = await openTunnel({
      server: address,
      secret: 'sesame',
      destination: async visitor => {
        const hash = createHash('sha256');
        let count = 0;
        for await (const chunk of visitor) {
          hash.update(chunk);
          count += 1;
          if (count % 50 === 0) await delay(1);
        }
        visitor.end(hash.digest('hex'));
      },
    });
    const uploads = [1, 2, 3, 4].map(seed => upload(address.host, portOf(tunnel), seed));
    for (const { sent, received } of await Promise.all(uploads)) expect(received).toBe(sent);
  });
});

/** 30 MB without two equal blocks. */
async function upload(host: string, port: number, seed: number): Promise<{ sent: string; received: string }> {
  const socket = connect({ host, port, allowHalfOpen: true });
  const hash = createHash('sha256');
  for (let i = 0; i < 480; i += 1) {
    const block = Buffer.alloc(65_536, createHash('sha512').update(`${seed}/${i}`).digest());
    hash.update(block);
    if (!socket.write(block)) await once(socket, 'drain');
  }
  socket.end();
  let received = '';
  for await (const chunk of socket) received += String(chunk);
  return { sent: hash.digest('hex'), received };
}

it('whose first bytes came with the handshake lose none of them, with an HTTP server too', async () => {
  const http = createServer((request, response) => response.end(`you asked for ${request.url}`));
  http.emit('listening');
  const request = 'GET /early HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
  // Sent in one write with the challenge: the real server does not do that, but these bytes belong to the visitor.
  const { address, received } = await startBadBoreServer((socket, number) => {
    if (number === 0)
      socket.once('data', () => socket.write(`{"Hello":5000}\0{"Connection":"${ID}1"}\0`)).write(challenge());
    else socket.write(`${challenge()}${request}`);
  });
  await openTunnel({
    server: address,
    secret: 'sesame',
    destination: visitor => http.emit('connection', visitor),
  });
  await expect.poll(() => received[1], { timeout: 5_000 }).toContain('you asked for /early');
  expect(received[1]).toMatch(new RegExp(`"\\}\\0\\{"Accept":"${ID}1"\\}\\0HTTP/1.1 200 OK`));
});

function challenge(): string {
  return `{"Challenge":"${ID}0"}\0`;
}

it('who are announced twice are fetched once, and no more visitors than allowed are fetched', async () => {
  const ids = ['1', '1', '2', '3', '4', '5'].map(end => `{"Connection":"${ID}${end}"}\0`).join('');
  const { address, received } = await startBadBoreServer((socket, number) => {
    if (number === 0) reply(`{"Hello":5000}\0${ids}`)(socket, number);
  });
  const { tunnel } = await openTunnel({
    server: address,
    maxVisitors: 4,
    maxDials: 2,
    spareConnections: false,
  });
  await waitUntil(
    () => received.length === 5 && received.every(text => text.endsWith('\0')),
    'the control connection and four data connections have sent their requests',
  );
  expect(received.slice(1).sort()).toEqual(['1', '2', '3', '4'].map(end => `{"Accept":"${ID}${end}"}\0`));
  expect(tunnel.openVisitors).toBe(4);
});

it('wait for their turn if more come than may be dialled at a time', async () => {
  const ids = ['1', '2', '3', '4', '5'].map(end => `{"Connection":"${ID}${end}"}\0`).join('');
  let fetched = 0;
  let open = 0;
  let most = 0;
  const { address } = await startBadBoreServer((socket, number) => {
    if (number === 0) {
      socket.once('data', () => socket.write(`{"Hello":5000}\0${ids}`)).write(challenge());
      return;
    }
    // No challenge comes, so each is given up and dialled again.
    fetched += 1;
    open += 1;
    most = Math.max(most, open);
    socket.once('close', () => {
      open -= 1;
    });
  });
  const timings = { dataConnection: 100, visitor: 60_000 };
  await openTunnel({ server: address, secret: 'sesame', maxDials: 2, spareConnections: false, timings });
  await waitUntil(() => fetched > 6, 'some visitors were dialled again');
  expect(most).toBe(2);
});

it('are fetched again while the server refuses our connection', async () => {
  let refused = 0;
  const { address, received } = await startBadBoreServer((socket, number) => {
    if (number === 0)
      socket.once('data', () => socket.write(`{"Hello":5000}\0{"Connection":"${ID}1"}\0`)).write(challenge());
    else if (number < 3) {
      refused += 1;
      socket.destroy();
    } else socket.write(challenge());
  });
  await openTunnel({ server: address, secret: 'sesame' });
  await expect.poll(() => received[3], { timeout: 5_000 }).toContain(`{"Accept":"${ID}1"}`);
  expect(refused).toBe(2);
});

it('are fetched again at once if the server sends something unexpected and does not hang up', async () => {
  const { address, received } = await startBadBoreServer((socket, number) => {
    if (number === 0)
      socket.once('data', () => socket.write(`{"Hello":5000}\0{"Connection":"${ID}1"}\0`)).write(challenge());
    else socket.write(number === 1 ? '{"Hello":5000}\0' : number === 2 ? 'x'.repeat(300) : challenge());
  });
  // Only the unexpected frame can end such a connection in time.
  await openTunnel({
    server: address,
    secret: 'sesame',
    timings: { dataConnection: 60_000 },
    spareConnections: false,
  });
  await expect.poll(() => received[3], { timeout: 5_000 }).toContain(`{"Accept":"${ID}1"}`);
});

it('loses only the visitor and not the tunnel when a receiver throws', async () => {
  const server = await startBoreServer();
  const { tunnel, log } = await openTunnel({
    server: addressOf(server),
    destination: () => {
      throw new Error('no room');
    },
  });
  await closed(connect(portOf(tunnel), '127.0.0.1'));
  await expect.poll(() => log).toEqual(['error a visitor could not be served: no room']);
  expect(tunnel.state.status).toBe('Connected');
  await server.stop();
});

it('may end one direction and go on reading', async () => {
  const server = await startBoreServer({ secret: 'sesame' });
  const { tunnel } = await openTunnel({
    server: addressOf(server),
    secret: 'sesame',
    destination: visitor => {
      visitor.resume().once('end', () => setImmediate(() => visitor.end('received you out')));
    },
  });
  expect(await exchange('127.0.0.1', portOf(tunnel), 'the end')).toBe('received you out');
  await server.stop();
});
