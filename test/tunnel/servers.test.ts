import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listCandidates, orderServers } from '../../src/tunnel/retry/placement.ts';
import { type BoreServer, type BoreServerOptions, startBoreServer } from '../../src/tunnel/server/server.ts';
import type { Lookup, TunnelServer } from '../../src/tunnel/tunnel.ts';
import { reply, startBadBoreServer, staySilent } from '../support/bad-bore-server.ts';
import { startFaultRelay } from '../support/fault-relay.ts';
import { describeWithReal } from '../support/real-parts.ts';
import {
  exchange,
  failToOpen,
  openTunnel,
  portOf,
  startForwarder,
  startRealServer,
} from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const AUTO = { kind: 'auto', min: 20_000, max: 32_000 } as const;

/** An identity whose order of the servers is exactly this one. */
function identityFor(servers: readonly TunnelServer[]): string {
  for (let i = 0; ; i += 1)
    if (orderServers(servers, `preview ${i}`).every((server, at) => server === servers[at]))
      return `preview ${i}`;
}

function ordered(...servers: TunnelServer[]) {
  return { servers, identity: identityFor(servers), remotePort: AUTO };
}

const addressOf = ({ host, controlPort }: BoreServer) => ({ host, port: controlPort });

async function start(options?: BoreServerOptions): Promise<BoreServer> {
  const server = await startBoreServer(options);
  onTestFinished(() => server.stop());
  return server;
}

/** A server that is down. */
async function findClosed(): Promise<TunnelServer> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const bound = server.address();
  server.close();
  await once(server, 'close');
  return {
    address: { host: '127.0.0.1', port: typeof bound === 'object' && bound !== null ? bound.port : 0 },
  };
}

describeWithReal(['bore'], 'two real servers, each with a secret of its own', () => {
  it('take over from each other, and the tunnel stays on a server while that server works', async () => {
    const hosts = ['127.0.0.105', '127.0.0.106'] as const;
    const secrets = ['secret one', 'secret two'] as const;
    const begin = (which: 0 | 1) => startRealServer(hosts[which], { secret: secrets[which] });
    const running = [await begin(0), await begin(1)];
    const settings = ordered(
      ...running.map(({ address }, which) => ({ address, secret: secrets[which as 0 | 1] })),
    );
    const { tunnel, states, log } = await openTunnel({ ...settings, timings: { serverAway: 1_500 } });
    const visit = async (which: 0 | 1) =>
      expect(await exchange(hosts[which], portOf(tunnel), 'hello')).toBe('hello');
    expect(tunnel.state).toMatchObject({ status: 'Connected', host: hosts[0] });
    await visit(0);
    for (const [lost, next] of [
      [0, 1],
      [1, 0],
    ] as const) {
      await running[lost]?.kill();
      await waitUntil(() => tunnel.state.status === 'Reconnecting', 'the loss is noticed');
      expect(tunnel.state).toMatchObject({ host: hosts[lost] });
      await waitUntil(() => tunnel.state.status === 'Connected', 'the other server has the tunnel');
      expect(tunnel.state).toMatchObject({ host: hosts[next] });
      await visit(next);
      const before = states.length;
      running[lost] = await begin(lost);
      // Longer than the grace period of a server.
      const later = performance.now() + 2_000;
      await waitUntil(
        () => performance.now() > later,
        'the time has passed in which the tunnel could change servers',
      );
      expect(states).toHaveLength(before);
      await visit(next);
    }
    expect(tunnel.reconnects).toBe(2);
    expect(log).toContainEqual('info 127.0.0.105:7835 is not available: trying 127.0.0.106:7835');
  });

  it('let a download on the first finish while the second has the tunnel', async () => {
    const [first, second] = [await startRealServer('127.0.0.107'), await startRealServer('127.0.0.108')];
    const relay = await startFaultRelay(first.address);
    onTestFinished(() => relay.stop());
    const settings = ordered({ address: relay.address }, { address: second.address });
    const { tunnel } = await openTunnel({ ...settings, timings: { serverAway: 500 } });
    const visitor = connect(portOf(tunnel), '127.0.0.107');
    visitor.write('one ');
    expect(String((await once(visitor, 'data'))[0])).toBe('one ');
    await relay.refuse();
    relay.inject({ role: 'control', fault: { kind: 'cut' } });
    await waitUntil(() => JSON.stringify(tunnel.state).includes('127.0.0.108'), 'the second has the tunnel');
    visitor.end('two');
    expect(String((await once(visitor, 'data'))[0])).toBe('two');
    await once(visitor, 'end');
  });
});

describe('at the start, a tunnel', () => {
  it('waits a few seconds for a server that is down, and logs that it tries the next one', async () => {
    const live = await start();
    const closed = await findClosed();
    const settings = ordered(closed, { address: addressOf(live) });
    const { tunnel, log } = await openTunnel(settings);
    expect(await exchange('127.0.0.1', portOf(tunnel), 'hello')).toBe('hello');
    expect(live.tunnels).toBe(1);
    expect(log).toContainEqual(
      expect.stringContaining(`is not available: trying 127.0.0.1:${live.controlPort}`),
    );
  });

  it('stays with its first server if that server is only restarting', async () => {
    const [closed, other] = [await findClosed(), await start()];
    const opening = openTunnel(ordered(closed, { address: addressOf(other) }));
    const late = await start({ controlPort: closed.address.port });
    await opening;
    expect([late.tunnels, other.tunnels]).toEqual([1, 0]);
  });

  it.each([
    ['is not a bore server', reply(`HTTP/1.1 502 Bad Gateway\r\n\r\n${'.'.repeat(300)}`), '502 Bad Gateway'],
    ['sends nothing', staySilent, 'sends nothing'],
  ])('logs a server that %s and goes on to the next', async (_, behaviour, said) => {
    const [bad, live] = [await startBadBoreServer(behaviour), await start()];
    const settings = ordered({ address: bad.address }, { address: addressOf(live) });
    const { log } = await openTunnel({ ...settings, timings: { challenge: 300, hello: 300 } });
    expect(live.tunnels).toBe(1);
    const warnings = log.filter(line => line.startsWith('warn'));
    expect(warnings).toEqual([expect.stringContaining(said)]);
    expect(warnings[0]).toContain(`; going on with 127.0.0.1:${live.controlPort}`);
  });

  it.each([
    ['a wrong secret', { secret: 'another' }, /refused the secret/],
    ['a secret that the server does not require', {}, /requires no secret/],
    ['a port range that is not the server’s', { secret: 'sesame', minPort: 40_000 }, /set `port-range`/],
  ])(
    'fails with %s, although another server would work, because the workflow has to change',
    async (_, options, expected) => {
      const [wrong, live] = [await start(options), await start({ secret: 'sesame' })];
      const settings = ordered(
        { address: addressOf(wrong), secret: 'sesame' },
        { address: addressOf(live), secret: 'sesame' },
      );
      const { message, states } = await failToOpen(settings);
      expect(message).toMatch(expected);
      expect(message).toContain(`127.0.0.1:${wrong.controlPort}`);
      expect(states.at(-1)).toEqual({ status: 'Failed', reason: message });
    },
  );

  it('skips a host name that does not exist, and looks a name up again after a temporary failure', async () => {
    const live = await start();
    const fail = (code: string) => Object.assign(new Error(`getaddrinfo ${code}`), { code });
    let isDown = true;
    const lookup: Lookup = async host => {
      if (host === 'typo.example') throw fail('ENOTFOUND');
      if (!isDown) return [{ address: live.host }];
      isDown = false;
      throw fail('EAI_AGAIN');
    };
    const port = live.controlPort;
    const settings = ordered(
      { address: { host: 'typo.example', port } },
      { address: { host: 'bore.example', port } },
    );
    const { tunnel, log } = await openTunnel({ ...settings, lookup });
    expect(tunnel.state).toMatchObject({ status: 'Connected', host: 'bore.example' });
    const warnings = log.filter(line => line.startsWith('warn'));
    expect(warnings.at(-1)).toMatch(
      /there is no host typo\.example .* for a typo; going on with bore\.example/,
    );
    expect(log.join()).toContain('could not reach bore.example');
  });

  it('asks the next server for a fixed port that another tunnel holds on the first', async () => {
    const servers = [await start({ host: '127.0.0.109' }), await start({ host: '127.0.0.110' })] as const;
    const [first, second] = servers;
    const taken = createServer().listen(20_109, first.host);
    onTestFinished(() => void taken.close());
    await once(taken, 'listening');
    const settings = ordered({ address: addressOf(first) }, { address: addressOf(second) });
    const { log } = await openTunnel({
      ...settings,
      remotePort: 20_109,
      timings: { serverFirst: 500, portFirst: 1_500 },
    });
    expect([first.tunnels, second.tunnels]).toEqual([0, 1]);
    expect(log).toContainEqual(
      expect.stringMatching(/^warn port 20109 of 127\.0\.0\.109 is in use: .*; going on/),
    );
  });

  it('fails with an error that names all failed servers when none is left or the time is over', async () => {
    const bad = await Promise.all([1, 2].map(() => startBadBoreServer(reply('SSH-2.0-none\r\n\0'))));
    const none = await failToOpen(ordered(...bad.map(({ address }) => ({ address }))));
    for (const { address } of bad)
      expect(none.message).toContain(`127.0.0.1:${address.port} does not answer`);
    expect(none.states.at(-1)).toEqual({ status: 'Failed', reason: none.message });
    const closed = [await findClosed(), await findClosed()];
    const late = await failToOpen({
      ...ordered(...closed),
      timings: { serverFirst: 300 },
      signal: AbortSignal.timeout(1_500),
    });
    for (const { address } of closed)
      expect(late.message).toContain(`could not reach 127.0.0.1:${address.port}`);
    expect(late.states.at(-1)).toEqual({ status: 'Disconnected' });
  });

  it('tries the previous server first', async () => {
    const [best, other] = [await start({ host: '127.0.0.111' }), await start({ host: '127.0.0.112' })];
    const settings = ordered({ address: addressOf(best) }, { address: addressOf(other) });
    const { tunnel } = await openTunnel({ ...settings, preferred: { host: other.host, port: 23_456 } });
    expect(tunnel.state).toEqual({ status: 'Connected', host: other.host, port: 23_456 });
  });
});

describe('after a session, a tunnel', () => {
  it('stays with a server that restarts, however many attempts fail meanwhile', async () => {
    const [first, other] = [await start(), await start()];
    const settings = ordered({ address: addressOf(first) }, { address: addressOf(other) });
    const { tunnel, log } = await openTunnel({
      ...settings,
      timings: { serverFirst: 100, serverAway: 60_000 },
    });
    await first.stop();
    await waitUntil(
      () => log.filter(line => line.includes('ECONNREFUSED')).length > 4,
      'many attempts have failed',
    );
    const again = await start({ controlPort: first.controlPort });
    await waitUntil(() => tunnel.state.status === 'Connected', 'the tunnel is back');
    expect([again.tunnels, other.tunnels]).toEqual([1, 0]);
  });

  it('logs that another server refuses its secret, and retries the lost one', async () => {
    const [first, wrong] = [await start(), await start({ secret: 'another' })];
    const settings = ordered(
      { address: addressOf(first), secret: undefined },
      { address: addressOf(wrong), secret: 'sesame' },
    );
    const { tunnel, log } = await openTunnel({ ...settings, timings: { serverAway: 600 } });
    const port = portOf(tunnel);
    await first.stop();
    await waitUntil(() => log.some(line => /^warn .*refused the secret/.test(line)), 'the refusal is logged');
    expect(tunnel.state.status).toBe('Reconnecting');
    await start({ controlPort: first.controlPort });
    await waitUntil(() => tunnel.state.status === 'Connected', 'the tunnel is back');
    expect(portOf(tunnel)).toBe(port);
  });

  it('goes on to the next server when one drops each session at once', async () => {
    let isBroken = false;
    const broken = await startBadBoreServer(socket => {
      socket.once('data', () => {
        socket.write('{"Hello":25000}\0"Heartbeat"\0');
        if (isBroken) socket.end();
        else drop = () => socket.destroy();
      });
    });
    let drop = () => {};
    const live = await start();
    const settings = ordered({ address: broken.address }, { address: addressOf(live) });
    const timings = { serverAway: 1_500 };
    const { tunnel, log } = await openTunnel({ ...settings, remotePort: 25_000, timings });
    isBroken = true;
    drop();
    await waitUntil(() => live.tunnels === 1, 'the next server has the tunnel');
    await waitUntil(() => tunnel.state.status === 'Connected', 'the tunnel is connected');
    const logged = log.filter(line => !line.startsWith('debug'));
    expect(logged.filter(line => line.startsWith('warn'))).toEqual([
      expect.stringContaining('repeatedly opens the tunnel and drops it at once'),
    ]);
    expect(logged.length).toBeLessThan(8);
  });

  it('keeps a silent connection open while it tries another server, because the link may work again', async () => {
    const [first, silent] = [await start(), await startBadBoreServer(staySilent)];
    const forwarder = await startForwarder(addressOf(first));
    const settings = ordered({ address: forwarder.address }, { address: silent.address });
    const timings = { heartbeat: 800, serverFirst: 300, serverAway: 1_000, hello: 300 };
    const { tunnel } = await openTunnel({ ...settings, remotePort: 21_000, timings });
    await forwarder.freeze();
    const reason = () => (tunnel.state.status === 'Reconnecting' ? tunnel.state.reason : '');
    await waitUntil(
      () => reason().includes(`${silent.address.port} does not answer`),
      'the other server was tried',
    );
    expect(forwarder.pairs[0]?.near.destroyed).toBe(false);
    await forwarder.thaw();
    await waitUntil(() => tunnel.state.status === 'Connected', 'the tunnel is back');
    expect(first.tunnels).toBe(1);
  });

  it('counts how long a server is away from its last bytes, not from when the silence was noticed', async () => {
    const [first, second] = [await start(), await start()];
    const forwarder = await startForwarder(addressOf(first));
    const settings = ordered({ address: forwarder.address }, { address: addressOf(second) });
    const timings = { heartbeat: 2_500, serverAway: 3_000 };
    const { log } = await openTunnel({ ...settings, timings });
    await forwarder.freeze();
    await waitUntil(() => second.tunnels === 1, 'the second has the tunnel');
    // When the silence is noticed, the first has half a second left. With three seconds there would be ten attempts.
    expect(log.filter(line => line.includes('ECONNREFUSED')).length).toBeLessThan(5);
  });

  it('takes the next port at once if its own is in use on the next server, and tries a fixed port on each server in turn', async () => {
    const lost = await start({ host: '127.0.0.111' });
    const next = await start({ host: '127.0.0.112' });
    const settings = ordered({ address: addressOf(lost) }, { address: addressOf(next) });
    const timings = { serverFirst: 400, serverAway: 800, portFirst: 60_000, slowRetry: 500 };
    const auto = await openTunnel({ ...settings, timings });
    const fixed = await openTunnel({ ...settings, remotePort: 21_012, timings });
    const [first = 0, second] = listCandidates(settings.identity, undefined, AUTO);
    expect(portOf(auto.tunnel)).toBe(first);
    const squatters = [first, 21_012].map(port => createServer().listen(port, next.host));
    await Promise.all(squatters.map(squatter => once(squatter, 'listening')));
    await lost.stop();
    await waitUntil(() => next.tunnels === 1, 'the tunnel with `auto` has another port');
    await waitUntil(() => auto.tunnel.state.status === 'Connected', 'the tunnel is connected');
    expect(auto.tunnel.state).toEqual({ status: 'Connected', host: next.host, port: second });
    const turns = () => fixed.log.filter(line => line.includes('is not available: trying')).length;
    await waitUntil(() => turns() > 3, 'both servers are tried in turn');
    expect(fixed.tunnel.state.status).toBe('Reconnecting');
    for (const squatter of squatters) squatter.close();
    await waitUntil(
      () => fixed.tunnel.state.status === 'Connected',
      'the tunnel with the fixed port has its port',
    );
    expect(fixed.tunnel.state).toEqual({ status: 'Connected', host: next.host, port: 21_012 });
  });

  it('stops an attempt when the grace period of a server that hangs is over', async () => {
    const [first, second] = [await start(), await start()];
    const settings = ordered({ address: addressOf(first) }, { address: addressOf(second) });
    const timings = { serverAway: 1_000, challenge: 60_000, hello: 60_000 };
    const { tunnel } = await openTunnel({ ...settings, timings });
    await first.stop();
    const silent = createServer(socket => void socket.on('error', () => {}));
    await once(silent.listen(first.controlPort, '127.0.0.1'), 'listening');
    onTestFinished(() => void silent.close());
    await waitUntil(() => second.tunnels === 1, 'the second has the tunnel');
    await waitUntil(() => tunnel.state.status === 'Connected', 'the tunnel is connected');
  });
});
