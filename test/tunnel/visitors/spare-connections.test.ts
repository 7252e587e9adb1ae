import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { reply, startBadBoreServer } from '../../support/bad-bore-server.ts';
import { describeWithReal } from '../../support/real-parts.ts';
import {
  type Forwarder,
  openTunnel,
  portOf,
  startForwarder,
  startRealServer,
  type TunnelSettings,
} from '../../support/tunnel-rig.ts';
import { waitUntil } from '../../support/wait-until.ts';

const HOST = '127.0.0.26';
/** Any server counts as far. */
const far = { spareRoundTrip: 0 };

describeWithReal(['bore'], 'spare connections', () => {
  async function open(
    settings: Partial<TunnelSettings> = {},
  ): Promise<{ forwarder: Forwarder; port: number }> {
    const { address } = await startRealServer(HOST, { secret: 'sesame' });
    const forwarder = await startForwarder(address);
    const { tunnel } = await openTunnel({
      server: forwarder.address,
      secret: 'sesame',
      timings: far,
      ...settings,
    });
    return { forwarder, port: portOf(tunnel) };
  }

  async function visit(port: number): Promise<void> {
    const visitor = connect(port, HOST);
    visitor.write('hello');
    await once(visitor, 'data');
    visitor.destroy();
  }

  it('are opened after the first visitor, not before', async () => {
    const { forwarder, port } = await open();
    expect(forwarder.pairs.length).toBe(1);
    await visit(port);
    await waitUntil(
      () => forwarder.pairs.length === 7,
      'five spare connections are open beside the control connection and the first data connection',
    );
    await visit(port);
    // The second visitor used a spare connection, and another was opened in its place.
    await waitUntil(() => forwarder.pairs.length === 8, 'the used spare connection is replaced');
  });

  it('are closed if no visitor comes, before the server closes them, and when the tunnel ends', async () => {
    const { forwarder, port } = await open({ timings: { ...far, spareHold: 200 } });
    await visit(port);
    await waitUntil(() => forwarder.pairs.length === 7, 'five spare connections are open');
    await waitUntil(
      () => forwarder.pairs.slice(1).every(({ near }) => near.destroyed),
      'all spare connections are closed',
    );
    await visit(port);
  });

  it.each([
    ['to a server nearby', { timings: { spareRoundTrip: 60_000 } }],
    ['if they are switched off', { spareConnections: false }],
  ])('are not opened %s', async (_, settings) => {
    const { forwarder, port } = await open(settings);
    await visit(port);
    await visit(port);
    expect(forwarder.pairs.length).toBe(3);
  });
});

it('does not use a spare connection that is too old because its challenge came late', async () => {
  const id = '6ba7b810-9dad-11d1-80b4-00c04fd430c';
  const challenges: (() => void)[] = [];
  let send: ((text: string) => void) | undefined;
  const { address, received } = await startBadBoreServer((socket, number) => {
    const challenge = () => socket.write(`{"Challenge":"${id}0"}\0`);
    if (number === 0) {
      socket.once('data', () => socket.write('{"Hello":5000}\0'));
      send = text => void socket.write(text);
    }
    if (number >= 2 && number <= 6) challenges.push(challenge);
    else challenge();
  });
  const timings = { ...far, spareHold: 50 };
  await openTunnel({ server: address, secret: 'sesame', timings });
  send?.(`{"Connection":"${id}1"}\0`);
  await waitUntil(() => challenges.length === 5, 'five connections wait for their challenge');
  const openedAt = performance.now();
  await waitUntil(() => performance.now() - openedAt > 100, 'the spare connections are too old');
  for (const challenge of challenges) challenge();
  send?.(`{"Connection":"${id}2"}\0`);
  const isFetched = (text: string) => text.includes(`{"Accept":"${id}2"}`);
  await waitUntil(() => received.some(isFetched), 'the visitor is fetched');
  expect(received.findIndex(isFetched)).toBeGreaterThan(6);
});

it('loses no visitor when the server has closed a spare connection', async () => {
  const id = '6ba7b810-9dad-11d1-80b4-00c04fd430c';
  let send: ((text: string) => void) | undefined;
  const { address, received } = await startBadBoreServer((socket, number) => {
    if (number === 0) {
      reply('{"Hello":5000}\0')(socket, number);
      send = text => void socket.write(text);
    } else if (number > 1 && number < 7) socket.end();
  });
  await openTunnel({ server: address, timings: far });
  send?.(`{"Connection":"${id}1"}\0`);
  await waitUntil(() => received.length === 7, 'five spare connections were opened and closed');
  send?.(`{"Connection":"${id}2"}\0`);
  await waitUntil(
    () => received.some(text => text.includes(`{"Accept":"${id}2"}`)),
    'the visitor is fetched',
  );
});
