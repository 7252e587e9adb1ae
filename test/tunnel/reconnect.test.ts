import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { startBoreServer } from '../../src/tunnel/server/server.ts';
import { describeWithReal } from '../support/real-parts.ts';
import {
  accepts,
  closed,
  exchange,
  failToOpen,
  openTunnel,
  portOf,
  startForwarder,
  startRealClient,
  startRealServer,
} from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

describeWithReal(['bore'], 'a tunnel through the real bore server', () => {
  it.each([
    ['without a secret', '127.0.0.10', undefined],
    ['with a secret', '127.0.0.11', 'a secret of some length'],
  ])('carries bytes both ways, %s', async (_, host, secret) => {
    const { address } = await startRealServer(host, secret === undefined ? {} : { secret });
    const { tunnel } = await openTunnel({ server: address, ...(secret !== undefined && { secret }) });
    expect(await exchange(host, portOf(tunnel), 'hello')).toBe('hello');
  });

  it.each([
    ['wrong', 'not it', /refused the secret/],
    ['missing', undefined, /requires a secret: set the `secret` input/],
  ])('fails with the reason if the secret is %s', async (_, secret, expected) => {
    const { address } = await startRealServer('127.0.0.12', { secret: 'it' });
    const { message } = await failToOpen({ server: address, ...(secret !== undefined && { secret }) });
    expect(message).toMatch(expected);
  });

  it('fails with the reason if a secret is given that the server does not require', async () => {
    const { address } = await startRealServer('127.0.0.13');
    const { message } = await failToOpen({ server: address, secret: 'unneeded' });
    expect(message).toMatch(/requires no secret, but one was given/);
  });

  it('fails with an error that names the port if it is out of range', async () => {
    const { address } = await startRealServer('127.0.0.14', { minPort: 9_000, maxPort: 9_100 });
    const { message } = await failToOpen({ server: address, remotePort: 8_999 });
    expect(message).toMatch(/does not give out port 8999: choose a `remote-port`/);
    const { tunnel } = await openTunnel({ server: address, preferred: { host: address.host, port: 8_999 } });
    expect(portOf(tunnel)).toBeGreaterThanOrEqual(9_000);
  });

  it('waits for the port of a job that is ending, for a limited time', async () => {
    const { address } = await startRealServer('127.0.0.15');
    const old = await openTunnel({ server: address });
    const settings = { server: address, remotePort: portOf(old.tunnel) };
    const { message } = await failToOpen({ ...settings, timings: { portFirst: 300 } });
    expect(message).toMatch(new RegExp(`port ${settings.remotePort} of 127.0.0.15 is in use`));
    const next = openTunnel(settings);
    await old.tunnel.stop();
    expect(portOf((await next).tunnel)).toBe(settings.remotePort);
  });

  it('gets the same port again after the server was killed and restarted', async () => {
    const first = await startRealServer('127.0.0.16');
    const { tunnel, states, log } = await openTunnel({ server: first.address });
    const port = portOf(tunnel);
    await first.kill();
    await waitUntil(() => tunnel.state.status === 'Reconnecting', 'the loss is noticed');
    await startRealServer('127.0.0.16');
    await waitUntil(() => tunnel.state.status === 'Connected', 'the tunnel is back');
    expect(portOf(tunnel)).toBe(port);
    expect(tunnel.reconnects).toBe(1);
    expect(states.map(state => state.status)).toEqual(expect.arrayContaining(['Connected', 'Reconnecting']));
    expect(log).toContainEqual(expect.stringMatching(/info connected again after .* s/));
    expect(await exchange('127.0.0.16', port, 'again')).toBe('again');
  });

  it('keeps a download running when only the control connection is cut', async () => {
    const { address } = await startRealServer('127.0.0.17');
    const forwarder = await startForwarder(address);
    const { tunnel } = await openTunnel({ server: forwarder.address });
    const visitor = connect(portOf(tunnel), '127.0.0.17');
    visitor.write('one ');
    expect(String((await once(visitor, 'data'))[0])).toBe('one ');
    forwarder.pairs[0]?.near.resetAndDestroy();
    await waitUntil(() => tunnel.reconnects === 1, 'the tunnel is back');
    visitor.end('two');
    expect(String((await once(visitor, 'data'))[0])).toBe('two');
    await once(visitor, 'end');
  });

  it('notices a silent link, keeps its connection open, and gets the port back when the link works again', async () => {
    const { address } = await startRealServer('127.0.0.18');
    const forwarder = await startForwarder(address);
    const { tunnel } = await openTunnel({ server: forwarder.address, timings: { heartbeat: 1_500 } });
    const port = portOf(tunnel);
    const states = () => (tunnel.state.status === 'Reconnecting' ? tunnel.state.reason : '');
    await forwarder.freeze();
    await waitUntil(() => states().includes('ECONNREFUSED'), 'a new connection was tried');
    expect(forwarder.pairs[0]?.near.destroyed).toBe(false);
    await forwarder.thaw();
    await waitUntil(() => tunnel.state.status === 'Connected', 'the tunnel is back');
    expect(portOf(tunnel)).toBe(port);
    expect(await exchange('127.0.0.18', port, 'healed')).toBe('healed');
  });

  it('does not mistake a stall of its own process for a dead link', async () => {
    const { address } = await startRealServer('127.0.0.19');
    const { tunnel, states } = await openTunnel({ server: address, timings: { heartbeat: 1_200 } });
    const stalledUntil = performance.now() + 2_000;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
    expect(performance.now()).toBeGreaterThanOrEqual(stalledUntil - 1);
    expect(await exchange('127.0.0.19', portOf(tunnel), 'awake')).toBe('awake');
    expect(states.map(state => state.status)).toEqual(['Connecting', 'Connected']);
  });

  it('frees its port on stop while a visitor may still finish', async () => {
    const { address } = await startRealServer('127.0.0.20');
    const { tunnel, states } = await openTunnel({ server: address });
    const port = portOf(tunnel);
    const visitor = connect(port, '127.0.0.20');
    visitor.write('before ');
    await once(visitor, 'data');
    const stopped = tunnel.stop();
    expect(states.at(-1)).toEqual({ status: 'Disconnected' });
    await waitUntil(async () => !(await accepts('127.0.0.20', port)), 'the port is free');
    visitor.end('after');
    expect(String((await once(visitor, 'data'))[0])).toBe('after');
    await stopped;
    expect(tunnel.openVisitors).toBe(0);
  });
});

it('cuts visitors off when a second stop shortens the wait', async () => {
  const server = await startBoreServer();
  const { tunnel } = await openTunnel({ server: { host: server.host, port: server.controlPort } });
  const visitor = connect(portOf(tunnel), '127.0.0.1');
  const cut = closed(visitor);
  visitor.write('here');
  await once(visitor, 'data');
  const patient = tunnel.stop({ drainMs: 60_000 });
  await Promise.all([cut, tunnel.stop({ drainMs: 0 }), patient]);
  await server.stop();
});

it('changes to another port, but never with a fixed one', async () => {
  const server = await startBoreServer();
  const address = { host: server.host, port: server.controlPort };
  const { tunnel } = await openTunnel({ server: address });
  const port = portOf(tunnel);
  await Promise.all([tunnel.changePort(), tunnel.changePort()]);
  expect(portOf(tunnel)).not.toBe(port);
  expect(await exchange('127.0.0.1', portOf(tunnel), 'moved')).toBe('moved');
  expect(await accepts('127.0.0.1', port)).toBe(false);
  const fixed = await openTunnel({ server: address, remotePort: port });
  await expect(fixed.tunnel.changePort()).rejects.toThrow(/choose another `remote-port`/);
  await server.stop();
});

it('takes another port after it lost its own only if `remote-port` allows it', async () => {
  const first = await startBoreServer();
  const address = { host: first.host, port: first.controlPort };
  const timings = { portAgain: 300, heartbeat: 60_000 };
  const random = await openTunnel({ server: address, timings });
  const fixedPort = await freePort();
  const fixed = await openTunnel({ server: address, remotePort: fixedPort, timings });
  const lost = portOf(random.tunnel);
  await first.stop();
  await waitUntil(() => random.tunnel.state.status === 'Reconnecting', 'the loss is noticed');
  const squatters = [lost, fixedPort].map(port => createServer().listen(port, '127.0.0.1'));
  await Promise.all(squatters.map(squatter => once(squatter, 'listening')));
  const second = await startBoreServer({ controlPort: address.port });
  await waitUntil(() => random.tunnel.state.status === 'Connected', 'the tunnel has another port');
  expect(portOf(random.tunnel)).not.toBe(lost);
  await waitUntil(
    () => JSON.stringify(fixed.tunnel.state).includes('is in use'),
    'the tunnel with the fixed port waits',
  );
  for (const squatter of squatters) squatter.close();
  await waitUntil(() => fixed.tunnel.state.status === 'Connected', 'the tunnel with the fixed port is back');
  expect(portOf(fixed.tunnel)).toBe(fixedPort);
  await second.stop();
});

describeWithReal(['bore'], 'the real `bore local`', () => {
  it.each([
    ['without a secret', '127.0.0.21', undefined],
    ['with a secret', '127.0.0.22', 'a secret of some length'],
  ])('works with our server, %s', async (_, host, secret) => {
    const server = await startBoreServer({
      host,
      controlPort: 7835,
      ...(secret !== undefined && { secret }),
    });
    const app = createServer({ allowHalfOpen: true }, socket => void socket.pipe(socket));
    await once(app.listen(0, '127.0.0.1'), 'listening');
    const bound = app.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    const text = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
    expect(await exchange(host, await startRealClient(port, host, secret), text)).toBe(text);
    app.close();
    await server.stop();
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const bound = server.address();
  server.close();
  await once(server, 'close');
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}
