import { createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { listCandidates } from '../../src/tunnel/retry/placement.ts';
import { startBoreServer } from '../../src/tunnel/server/server.ts';
import { startBadBoreServer } from '../support/bad-bore-server.ts';
import { startFaultRelay } from '../support/fault-relay.ts';
import { listen } from '../support/listen.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { scale } from '../support/scale.ts';
import { startTunnelProcess } from '../support/tunnel-process.ts';
import { echo, exchange, openTunnel, portOf, startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

/** Longer than the heartbeat time-out in src/tunnel/timings.ts. */
const STANDSTILL_MS = scale(7_000, 20_000);
const AUTO = { kind: 'auto', min: 20_000, max: 32_000 } as const;

function candidates(count: number): number[] {
  const ports: number[] = [];
  for (const port of listCandidates('a preview', undefined, AUTO)) if (ports.push(port) >= count) break;
  return ports;
}

describeWithReal(['bore'], 'the real server', () => {
  it('holds the port for an old job that died silently: a new run takes the next port', async () => {
    const { address } = await startRealServer('127.0.0.125');
    const relay = await startFaultRelay(address);
    onTestFinished(() => relay.stop());
    const dead = await openTunnel({ server: relay.address, remotePort: AUTO });
    relay.inject({ fault: { kind: 'blackhole' }, connections: 'present' });
    await dead.tunnel.stop({ drainMs: 0 });
    const settings = { server: address, remotePort: AUTO, timings: { portFirst: 700 } };
    const { tunnel, states } = await openTunnel(settings);
    const [first, second] = candidates(2);
    expect(JSON.stringify(states)).toContain(`port ${first} of 127.0.0.125 is in use`);
    expect(portOf(tunnel)).toBe(second);
  });

  it('holds our port for a session whose end it did not notice: the next port is taken and announced', async () => {
    const { address } = await startRealServer('127.0.0.126');
    const relay = await startFaultRelay(address);
    onTestFinished(() => relay.stop());
    const timings = { heartbeat: 1_200, portAgain: 700 };
    const { tunnel, states } = await openTunnel({ server: relay.address, remotePort: AUTO, timings });
    relay.inject({ role: 'control', fault: { kind: 'blackhole' }, connections: 'present' });
    await waitUntil(() => tunnel.reconnects === 1, 'the tunnel is back');
    const [first, second] = candidates(2);
    const host = relay.address.host;
    const connected = states.filter(state => state.status === 'Connected');
    expect(connected).toEqual([first, second].map(port => ({ status: 'Connected', host, port })));
    expect(await exchange('127.0.0.126', second ?? 0, 'moved')).toBe('moved');
  });

  it('keeps the tunnel after this process was stopped for longer than the heartbeat deadline', async () => {
    const { address } = await startRealServer('127.0.0.127', { secret: 'sesame' });
    const app = createServer({ allowHalfOpen: true }, echo);
    const port = await listen(app);
    onTestFinished(() => void app.close());
    const child = await startTunnelProcess([
      { mode: 'stream', server: address, secret: 'sesame', app: port },
    ]);
    onTestFinished(() => child.kill());
    const [publicPort = 0] = child.ports;
    expect(await exchange(address.host, publicPort, 'before')).toBe('before');
    process.kill(child.pid, 'SIGSTOP');
    // A fixed sleep, because the test is about this length of time.
    const end = performance.now() + STANDSTILL_MS;
    await waitUntil(() => performance.now() > end, 'the pause is over', 2 * STANDSTILL_MS);
    process.kill(child.pid, 'SIGCONT');
    expect(await exchange(address.host, publicPort, 'after')).toBe('after');
    const { reconnects } = await child.measure();
    expect({ reconnects, ports: child.ports }).toEqual({ reconnects: [0], ports: [publicPort] });
    expect(child.unhandled).toEqual([]);
    await child.stop();
  });
});

it('retries at growing intervals, with one warning, while a server drops each session at once', async () => {
  let isBroken = false;
  let opened = 0;
  let drop = () => {};
  const { address } = await startBadBoreServer(socket => {
    socket.once('data', () => {
      opened += 1;
      socket.write('{"Hello":25000}\0');
      if (isBroken) socket.end();
      else {
        const heartbeat = setInterval(() => socket.write('"Heartbeat"\0'), 100);
        socket.once('close', () => clearInterval(heartbeat));
        drop = () => socket.destroy();
      }
    });
  });
  const timings = { fastRetry: 1_000, slowRetry: 1_500, heartbeat: 60_000 };
  const { tunnel, log } = await openTunnel({ server: address, timings });
  isBroken = true;
  drop();
  await waitUntil(() => opened > 7, 'the server was tried for some time');
  const logged = () => log.filter(line => !line.startsWith('debug'));
  expect(logged().filter(line => line.startsWith('warn'))).toEqual([
    expect.stringContaining('repeatedly opens the tunnel and drops it at once'),
  ]);
  expect(logged()).toHaveLength(3);
  isBroken = false;
  await waitUntil(() => tunnel.state.status === 'Connected', 'the tunnel is connected again');
});

it('reconnects at once after a session that lasted, however long the pauses were before', async () => {
  const server = await startBoreServer();
  onTestFinished(() => server.stop());
  const relay = await startFaultRelay({ host: server.host, port: server.controlPort });
  onTestFinished(() => relay.stop());
  // With a pause, the test would time out.
  const timings = { goodSession: 200, retry: 60_000 };
  const { tunnel } = await openTunnel({ server: relay.address, timings });
  const isGood = performance.now() + 300;
  await waitUntil(() => performance.now() > isGood, 'the session has lasted');
  relay.inject({ role: 'control', fault: { kind: 'cut' }, connections: 'present' });
  await waitUntil(() => tunnel.reconnects === 1, 'the tunnel is back');
});
