import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import type { TunnelState } from '../../../src/shared/state.ts';
import { listCandidates } from '../../../src/tunnel/retry/placement.ts';
import { MAX_CANDIDATES } from '../../../src/tunnel/retry/port-choice.ts';
import { type BoreServer, startBoreServer } from '../../../src/tunnel/server/server.ts';
import type { RemotePort } from '../../../src/tunnel/tunnel.ts';
import { describeWithReal } from '../../support/real-parts.ts';
import {
  accepts,
  exchange,
  failToOpen,
  openTunnel,
  portOf,
  startRealServer,
} from '../../support/tunnel-rig.ts';
import { waitUntil } from '../../support/wait-until.ts';

// Below the ports that the kernel gives to outgoing connections.
const RANGE = { kind: 'auto', min: 20_000, max: 32_000 } as const;
const addressOf = ({ host, controlPort }: BoreServer) => ({ host, port: controlPort });

function candidates(count: number, identity = 'a preview', secret?: string): number[] {
  const ports: number[] = [];
  for (const port of listCandidates(identity, secret, RANGE)) if (ports.push(port) >= count) break;
  return ports;
}

/** Listens on these ports until the test is finished, or until the returned function is called. */
async function occupy(host: string, ports: readonly number[]): Promise<() => Promise<void>> {
  const listeners = ports.map(port => createServer().listen(port, host));
  await Promise.all(listeners.map(listener => once(listener, 'listening')));
  const free = async () => {
    await Promise.all(listeners.map(listener => new Promise(resolve => listener.close(resolve))));
  };
  onTestFinished(free);
  return free;
}

describeWithReal(['bore'], 'a port of its own, on the real bore server', () => {
  it('is the same in every run of a preview, depends on the secret, and differs for another preview', async () => {
    const { address } = await startRealServer('127.0.0.100', { secret: 'sesame' });
    const settings = { server: address, secret: 'sesame', remotePort: RANGE };
    const [expected] = candidates(1, 'a preview', 'sesame');
    for (let run = 0; run < 3; run += 1) {
      const { tunnel } = await openTunnel(settings);
      expect(portOf(tunnel)).toBe(expected);
      await tunnel.stop({ drainMs: 0 });
    }
    const { tunnel } = await openTunnel({ ...settings, identity: 'another preview' });
    expect(portOf(tunnel)).toBe(candidates(1, 'another preview', 'sesame')[0]);
    expect(await exchange(address.host, portOf(tunnel), 'hello')).toBe('hello');
  });

  it('is waited for while an older job is ending', async () => {
    const { address } = await startRealServer('127.0.0.101');
    const old = await openTunnel({ server: address, remotePort: RANGE });
    const states: TunnelState[] = [];
    const next = openTunnel({
      server: address,
      remotePort: RANGE,
      onState: state => void states.push(state),
    });
    await waitUntil(
      () => JSON.stringify(states).includes('is in use'),
      'the tunnel reports that the port is in use',
    );
    await old.tunnel.stop({ drainMs: 0 });
    expect(portOf((await next).tunnel)).toBe(candidates(1)[0]);
  });

  it('is given up if it stays in use, and the next ones are tried without another wait', async () => {
    const { address } = await startRealServer('127.0.0.102');
    const expected = candidates(4);
    await occupy(address.host, expected.slice(0, 3));
    const timings = { portFirst: 500 };
    const { tunnel, log } = await openTunnel({ server: address, remotePort: RANGE, timings });
    expect(portOf(tunnel)).toBe(expected[3]);
    const [first = 0, ...others] = expected
      .slice(0, 3)
      .map(port => log.filter(line => /^debug/.test(line) && line.includes(`port ${port} of`)).length);
    expect(first).toBeGreaterThan(1);
    expect(others).toEqual([1, 1]);
    const [one, two, three, four] = expected.map(port => `port ${port} of 127.0.0.102`);
    expect(log.filter(line => line.startsWith('info'))).toEqual([
      `info ${one} is in use, perhaps by an older job: waiting for it to be free`,
      `info ${one} is still in use: asking for ${expected[1]}`,
      `info ${two} is still in use: asking for ${expected[2]}`,
      `info ${three} is still in use: asking for ${expected[3]}`,
    ]);
    expect(log.join()).not.toContain(four);
    expect(await exchange(address.host, portOf(tunnel), 'both work')).toBe('both work');
  });

  it('is skipped if the server refuses it, and if all are refused, the message names the input', async () => {
    const { address } = await startRealServer('127.0.0.103', { minPort: 24_000, maxPort: 27_000 });
    const inside = candidates(MAX_CANDIDATES).filter(port => port >= 24_000 && port <= 27_000);
    await occupy(address.host, inside.slice(0, 1));
    // A pause between two candidates would outlast the test.
    const timings = { retry: 60_000 };
    const { tunnel, log } = await openTunnel({ server: address, remotePort: RANGE, timings });
    expect(portOf(tunnel)).toBe(inside[1]);
    expect(log.filter(line => line.includes(`port ${inside[0]} of 127.0.0.103 is in use`))).toHaveLength(1);
    const outside = { kind: 'auto', min: 28_000, max: 32_000 } as const;
    const { message, states } = await failToOpen({ server: address, remotePort: outside });
    expect(message).toMatch(
      /^127\.0\.0\.103:7835 gave none of 32 ports between 28000 and 32000: set `port-range` to the --min-port/,
    );
    expect(states.at(-1)).toMatchObject({ status: 'Failed' });
  });

  it('is replaced by one that the server chooses, with a warning, if the server gives none and no range is set', async () => {
    const { address } = await startRealServer('127.0.0.99', { minPort: 31_990, maxPort: 32_000 });
    const remotePort = { kind: 'auto', min: 1_024, max: 65_535 } as const;
    const { tunnel, log } = await openTunnel({ server: address, remotePort });
    expect(portOf(tunnel)).toBeGreaterThanOrEqual(31_990);
    expect(log.filter(line => line.startsWith('warn'))).toEqual([
      expect.stringMatching(/gives none of this preview's own ports.*set `port-range` to the --min-port/),
    ]);
    expect(await exchange(address.host, portOf(tunnel), 'hello')).toBe('hello');
    const [rejected, refused] = [portOf(tunnel), log.filter(line => /does not give out/.test(line)).length];
    await tunnel.changePort();
    expect(portOf(tunnel)).not.toBe(rejected);
    expect(log.filter(line => /does not give out/.test(line))).toHaveLength(refused);
  });

  it('is never asked for again after another program answered on it', async () => {
    const first = await startRealServer('127.0.0.104');
    const settings = { server: first.address, remotePort: RANGE, timings: { portAgain: 300 } };
    const { tunnel } = await openTunnel(settings);
    const [rejected, second, third] = candidates(3);
    expect(portOf(tunnel)).toBe(rejected);
    await tunnel.changePort();
    expect(portOf(tunnel)).toBe(second);
    await waitUntil(
      async () => !(await accepts(first.address.host, rejected ?? 0)),
      'the rejected port is closed',
    );
    // Not even after an outage, when the port it had instead is lost, too.
    await first.kill();
    await waitUntil(() => tunnel.state.status === 'Reconnecting', 'the loss is noticed');
    await occupy(first.address.host, [second ?? 0]);
    await startRealServer(first.address.host);
    await waitUntil(() => tunnel.state.status === 'Connected', 'the tunnel is back');
    expect(portOf(tunnel)).toBe(third);
  });
});

it('gets its own port again if that port is freed within the grace period', async () => {
  const first = await startBoreServer();
  const settings = { server: addressOf(first), remotePort: RANGE, timings: { portAgain: 20_000 } };
  const { tunnel } = await openTunnel(settings);
  const port = portOf(tunnel);
  await first.stop();
  await waitUntil(() => tunnel.state.status === 'Reconnecting', 'the loss is noticed');
  const free = await occupy('127.0.0.1', [port]);
  const second = await startBoreServer({ controlPort: first.controlPort });
  onTestFinished(() => second.stop());
  await waitUntil(
    () => JSON.stringify(tunnel.state).includes('is in use'),
    'the tunnel reports that the port is in use',
  );
  await free();
  await waitUntil(() => tunnel.state.status === 'Connected', 'the tunnel is back');
  expect(portOf(tunnel)).toBe(port);
});

it('asks first for the port it had before it was stopped, if `remote-port` allows it', async () => {
  const server = await startBoreServer();
  onTestFinished(() => server.stop());
  const address = addressOf(server);
  const open = async (port: number, remotePort: RemotePort | number, host = address.host) => {
    const { tunnel } = await openTunnel({ server: address, remotePort, preferred: { host, port } });
    const got = portOf(tunnel);
    await tunnel.stop({ drainMs: 0 });
    return got;
  };
  const [first, second] = candidates(2);
  expect(await open(second ?? 0, RANGE)).toBe(second);
  expect(await open(23_456, { kind: 'random' })).toBe(23_456);
  // It is not used if it is out of range, blocked by browsers, not the fixed port, or from another server.
  expect(await open(32_001, RANGE)).toBe(first);
  expect(await open(6_000, { ...RANGE, min: 2_000 })).not.toBe(6_000);
  expect(await open(23_456, 23_457)).toBe(23_457);
  expect(await open(second ?? 0, RANGE, 'elsewhere.example')).toBe(first);
});

it('starts over if every candidate is in use after an outage, and fails at once if none is in the range', async () => {
  const narrow = { kind: 'auto', min: 28_100, max: 28_102 } as const;
  const first = await startBoreServer();
  const timings = { portAgain: 200, heartbeat: 60_000 };
  const { tunnel, log } = await openTunnel({ server: addressOf(first), remotePort: narrow, timings });
  await first.stop();
  await waitUntil(() => tunnel.state.status === 'Reconnecting', 'the loss is noticed');
  const free = await occupy('127.0.0.1', [28_100, 28_101, 28_102]);
  const second = await startBoreServer({ controlPort: first.controlPort });
  const tried = (one: number) => log.filter(line => line.includes(`port ${one} of 127.0.0.1 is`)).length;
  await waitUntil(() => [28_100, 28_101, 28_102].every(one => tried(one) >= 3), 'all were tried again');
  await free();
  await waitUntil(() => tunnel.state.status === 'Connected', 'the tunnel is back');
  expect(portOf(tunnel)).toBeGreaterThanOrEqual(28_100);
  await second.stop();
  await waitUntil(() => tunnel.state.status === 'Reconnecting', 'the loss is noticed again');
  const third = await startBoreServer({ controlPort: first.controlPort, minPort: 30_000 });
  onTestFinished(() => third.stop());
  await waitUntil(() => tunnel.state.status === 'Failed', 'no port is in the range');
  expect(tunnel.state).toMatchObject({
    reason: expect.stringContaining('gave none of 3 ports between 28100'),
  });
});

it('reports why it got none of its ports, and names the input that was used', async () => {
  const two = { kind: 'auto', min: 28_121, max: 28_122 } as const;
  const [, last = 0] = listCandidates('a preview', undefined, two);
  const server = await startBoreServer({ minPort: last, maxPort: last });
  onTestFinished(() => server.stop());
  await occupy('127.0.0.1', [last]);
  const settings = { server: addressOf(server), timings: { portFirst: 200 } };
  const both = await failToOpen({ ...settings, remotePort: two });
  expect(both.message).toMatch(
    /gave none of 2 ports between 28121 and 28122: set `port-range` to the --min-port/,
  );
  expect(both.log.join()).toContain('does not give out port');
  expect(both.log.join()).not.toContain('`remote-port`');
  const one = await failToOpen({ ...settings, remotePort: { kind: 'auto', min: last, max: last } });
  expect(one.message).toMatch(
    new RegExp(`did not give the only port of \`port-range\`, ${last}: it is in use: choose a wider`),
  );
  const fixed = await failToOpen({ ...settings, remotePort: last });
  expect(fixed.message).toMatch(
    /is in use: wait for the other tunnel to end, or choose another `remote-port`$/,
  );
});

it('waits for its port instead of using one on which another program answered', async () => {
  const two = { kind: 'auto', min: 28_110, max: 28_111 } as const;
  const first = await startBoreServer();
  const timings = { portAgain: 200, heartbeat: 60_000 };
  const { tunnel, log } = await openTunnel({ server: addressOf(first), remotePort: two, timings });
  await tunnel.changePort();
  const port = portOf(tunnel);
  await first.stop();
  await waitUntil(() => tunnel.state.status === 'Reconnecting', 'the loss is noticed');
  const free = await occupy('127.0.0.1', [port]);
  const second = await startBoreServer({ controlPort: first.controlPort });
  onTestFinished(() => second.stop());
  const countTries = () => log.filter(line => line.includes(`port ${port} of`)).length;
  const atFirst = countTries();
  await waitUntil(() => countTries() > atFirst + 5, 'the port is requested repeatedly');
  expect(tunnel.state.status).toBe('Reconnecting');
  await free();
  await waitUntil(() => tunnel.state.status === 'Connected', 'the tunnel is back');
  expect(portOf(tunnel)).toBe(port);
  await expect(tunnel.changePort()).rejects.toThrow(
    /another program answers at .*: choose another `remote-port`/,
  );
});
