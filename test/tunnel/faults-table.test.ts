import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ERROR_TEXT } from '../../src/tunnel/wire/protocol.ts';
import { greetWith, reply, startBadBoreServer } from '../support/bad-bore-server.ts';
import { startFaultRelay } from '../support/fault-relay.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { closed, exchange, failToOpen, openTunnel, portOf, startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const HOST = '127.0.0.162';
const ID = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';
const errorFrame = (text: string) => `${JSON.stringify({ Error: text })}\0`;

/** A server that refuses the first `count` requests with `text`, and then opens a port. */
function refuse(count: number, text: string) {
  return startBadBoreServer((socket, number) =>
    reply(number < count ? errorFrame(text) : '{"Hello":5000}\0"Heartbeat"\0')(socket, number),
  );
}

describe('a server that refuses the tunnel', () => {
  it.each([
    ERROR_TEXT.bindFailed,
    ERROR_TEXT.noPortFree,
    'timed out waiting for initial message',
    'no room today',
  ])('with "%s" is retried', async text => {
    const { address } = await refuse(2, text);
    const { tunnel, states } = await openTunnel({ server: address });
    expect(portOf(tunnel)).toBe(5_000);
    expect(JSON.stringify(states)).toContain(text);
  });

  it('because it may not open the port is asked for another port if the workflow allows it', async () => {
    const { address } = await refuse(1, ERROR_TEXT.portForbidden);
    const { message } = await failToOpen({ server: address, remotePort: 80 });
    expect(message).toMatch(/may not open port 80 .*: choose a `remote-port` of 1024 or above/);
    const { address: again, received } = await refuse(1, ERROR_TEXT.portForbidden);
    const preferred = { host: again.host, port: 80 };
    const { tunnel } = await openTunnel({ server: again, preferred });
    expect(portOf(tunnel)).toBe(5_000);
    expect(received.slice(0, 2)).toEqual(['{"Hello":80}\0', '{"Hello":0}\0']);
  });

  it('because it requires a secret fails the start', async () => {
    const { address } = await startBadBoreServer(reply(errorFrame(ERROR_TEXT.secretRequired)));
    const { message } = await failToOpen({ server: address });
    expect(message).toMatch(/requires a secret: set the `secret` input/);
  });

  it('and resets the connection at once still has its reason reported', async () => {
    const { address } = await startBadBoreServer(socket => {
      socket.once('data', () =>
        socket.write(errorFrame(ERROR_TEXT.invalidSecret), () => socket.resetAndDestroy()),
      );
      greetWith(`{"Challenge":"${ID}"}\0`)(socket, 0);
    });
    const { message } = await failToOpen({ server: address, secret: 'not it' });
    expect(message).toMatch(/refused the secret/);
  });
});

it('looks a name up again after a temporary failure', async () => {
  const { address } = await refuse(0, '');
  let asked = 0;
  const { tunnel, states } = await openTunnel({
    server: { host: 'bore.example', port: address.port },
    lookup: async () => {
      asked += 1;
      if (asked < 5) throw Object.assign(new Error('getaddrinfo EAI_AGAIN'), { code: 'EAI_AGAIN' });
      return [{ address: address.host }];
    },
  });
  expect(portOf(tunnel)).toBe(5_000);
  expect(JSON.stringify(states)).toContain('EAI_AGAIN');
});

describeWithReal(['bore'], 'a tunnel through the real server', () => {
  it('waits for a server that was restarted without its secret', async () => {
    const first = await startRealServer(HOST, { secret: 'sesame' });
    const { tunnel } = await openTunnel({ server: first.address, secret: 'sesame' });
    const port = portOf(tunnel);
    await first.kill();
    const second = await startRealServer(HOST);
    await waitUntil(
      () => JSON.stringify(tunnel.state).includes('requires no secret'),
      'the missing secret is noticed',
    );
    expect(tunnel.state.status).toBe('Reconnecting');
    await second.kill();
    await startRealServer(HOST, { secret: 'sesame' });
    await waitUntil(() => tunnel.state.status === 'Connected', 'the tunnel is back');
    expect(portOf(tunnel)).toBe(port);
    expect(await exchange(HOST, port, 'again')).toBe('again');
  });

  it('fetches a visitor when the server can be reached again, or gives up in time', async () => {
    const { address } = await startRealServer(HOST);
    const relay = await startFaultRelay(address);
    onTestFinished(() => relay.stop());
    const patient = await openTunnel({ server: relay.address });
    const hasty = await openTunnel({ server: relay.address, timings: { visitor: 500 } });
    await relay.refuse();
    const late = exchange(HOST, portOf(patient.tunnel), 'late');
    const lost = closed(connect(portOf(hasty.tunnel), HOST));
    await waitUntil(
      () => hasty.log.some(line => line.startsWith('debug a visitor was lost')),
      'the lost visitor is logged',
    );
    expect(hasty.log.join()).toContain('ECONNREFUSED');
    await relay.admit();
    expect(await late).toBe('late');
    expect([patient, hasty].map(({ tunnel }) => tunnel.state.status)).toEqual(['Connected', 'Connected']);
    expect(await exchange(HOST, portOf(hasty.tunnel), 'next')).toBe('next');
    await lost; // the server drops it ten seconds after it came
  });
});

it('logs no warning when it drops a visitor who has already left', async () => {
  const { address, received } = await startBadBoreServer((socket, number) => {
    if (number === 0) reply(`{"Hello":5000}\0{"Connection":"${ID}"}\0`)(socket, number);
    else socket.once('data', () => socket.end());
  });
  let ended = 0;
  const { tunnel, log } = await openTunnel({
    server: address,
    destination: visitor => {
      void once(visitor.resume(), 'end').then(() => {
        ended += 1;
        visitor.end();
      });
    },
  });
  await waitUntil(() => ended === 1 && tunnel.openVisitors === 0, 'they are gone');
  expect(received[1]).toBe(`{"Accept":"${ID}"}\0`);
  expect(log.filter(line => !line.startsWith('debug'))).toEqual([]);
  expect(tunnel.state.status).toBe('Connected');
});
