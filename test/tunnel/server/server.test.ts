import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { type BoreServerOptions, startBoreServer } from '../../../src/tunnel/server/server.ts';
import { closed, failToOpen, openTunnel, portOf } from '../../support/tunnel-rig.ts';
import { waitUntil } from '../../support/wait-until.ts';

async function start(options?: BoreServerOptions) {
  const server = await startBoreServer(options);
  onTestFinished(() => server.stop());
  return { server, address: { host: server.host, port: server.controlPort } };
}

it('frees a port as soon as its tunnel is gone', async () => {
  const { server, address } = await start();
  const { tunnel } = await openTunnel({ server: address });
  expect(server.tunnels).toBe(1);
  await tunnel.stop();
  await waitUntil(() => server.tunnels === 0, 'the port is free');
});

it('opens only ports of its range, and sends an error when none is free', async () => {
  const { address } = await start({ minPort: 30_123, maxPort: 30_123 });
  const { tunnel } = await openTunnel({ server: address });
  expect(portOf(tunnel)).toBe(30_123);
  const { states } = await failToOpen({ server: address, signal: AbortSignal.timeout(500) });
  expect(JSON.stringify(states)).toContain('could not open a port (failed to find an available port)');
});

it('resets visitors beyond its limit', async () => {
  const { server, address } = await start({ maxVisitors: 1 });
  const { tunnel } = await openTunnel({ server: address });
  const first = connect(portOf(tunnel), '127.0.0.1');
  const gone = closed(first);
  first.write('first');
  await once(first, 'data');
  expect(server.visitors).toBe(1);
  await closed(connect(portOf(tunnel), '127.0.0.1'));
  first.destroy();
  await gone;
  await waitUntil(() => server.visitors === 0, 'the first visitor is no longer counted');
});

it('keeps all other connections open when one client sends garbage', async () => {
  const { server, address } = await start({ secret: 'sesame' });
  const { tunnel } = await openTunnel({ server: address, secret: 'sesame' });
  for (const nonsense of ['\0', 'A'.repeat(10_000), '{"Accept":"x"}\0', '{"Authenticate":"00"}\0']) {
    const socket = connect(server.controlPort, server.host).resume();
    socket.write(nonsense);
    await closed(socket);
  }
  expect(tunnel.state.status).toBe('Connected');
});

it('rejects if its port is in use, and can be stopped twice', async () => {
  const { server } = await start();
  await expect(startBoreServer({ controlPort: server.controlPort })).rejects.toThrow('EADDRINUSE');
  await Promise.all([server.stop(), server.stop()]);
});
