// Whole exposures over a bore server on this machine, from their start to their end.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ExposureConfig } from '../../src/exposure/config.ts';
import { Exposure } from '../../src/exposure/exposure.ts';
import { createLogger } from '../../src/shared/log.ts';
import type { ExposureState } from '../../src/shared/state.ts';
import { listCandidates } from '../../src/tunnel/retry/placement.ts';
import { type BoreServer, type BoreServerOptions, startBoreServer } from '../../src/tunnel/server/server.ts';
import { reply, startBadBoreServer } from '../support/bad-bore-server.ts';
import { OPEN_GATEWAY } from '../support/open-gateway.ts';
import { accepts } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

async function createExposure(
  changes: Partial<ExposureConfig> | ((server: BoreServer) => Partial<ExposureConfig>) = {},
  range: Pick<BoreServerOptions, 'minPort' | 'maxPort' | 'bindTunnels'> = {},
): Promise<{ exposure: Exposure; server: BoreServer; log: string[] }> {
  const server = await startBoreServer({ secret: 'a secret', ...range });
  const log: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'exposure-'));
  const site = join(folder, 'site');
  writeFileSync(join(folder, 'index.html'), 'hello');
  const exposure = new Exposure({
    config: {
      protocol: 'http',
      spec: { mode: 'web', path: folder, spa: false, crossOriginIsolation: false },
      env: {},
      baseEnvironment: {},
      startupTimeoutMs: 20_000,
      gateway: OPEN_GATEWAY,
      tunnel: {
        servers: [{ address: { host: '127.0.0.1', port: server.controlPort }, secret: 'a secret' }],
        identity: 'a preview',
        remotePort: { kind: 'random' },
        publicUrl: 'http://{host}:{port}',
      },
      ...(typeof changes === 'function' ? changes(server) : { healthPath: '/', ...changes }),
    },
    folder: site,
    logger: createLogger({ level: 'info', write: line => log.push(line) }),
    onChild: () => {},
  });
  onTestFinished(async () => {
    await exposure.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return { exposure, server, log };
}

/** Listens on 127.0.0.1 until the test ends; resolves with the port. */
async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Where the bore server opens its ports in some tests, so that the test decides what answers at the public address. */
const INNER = '127.0.0.159';

/** A program that answers with the public URL it was started with, and exits on a request for /end. */
const SEND_ADDRESS =
  'require("http").createServer((q, r) => { r.end(process.env.EXPOSE_URL); if (q.url === "/end") process.exit(1); }).listen(process.env.PORT, "127.0.0.1")';

/** Passes every connection on to the same port of `inner`. */
function createDoor(inner: string, port: number): Server {
  return createServer({ allowHalfOpen: true }, near => {
    const far = connect({ host: inner, port, allowHalfOpen: true });
    near.on('error', () => {}).pipe(far);
    far.on('error', () => {}).pipe(near);
  });
}

describe('an exposure', () => {
  it('is live with a verified address once the app answers', async () => {
    const { exposure } = await createExposure();
    await exposure.start();
    expect(exposure.state).toMatchObject({
      phase: { kind: 'live' },
      tunnel: { status: 'Connected' },
      app: { status: 'running' },
      address: { kind: 'verified' },
    });
    expect(await (await fetch(exposure.state.link ?? '')).text()).toBe('hello');
    expect(exposure.state.visits).toBe(1);
  });

  it('gives the port back and gets the same one again', async () => {
    const { exposure } = await createExposure();
    await exposure.start();
    const { link: url } = exposure.state;
    await exposure.stopTunnel();
    expect(exposure.state).toMatchObject({ tunnel: { status: 'Disconnected' }, app: { status: 'running' } });
    expect(exposure.state.link).toBeUndefined();
    await exposure.startTunnel();
    expect(exposure.state).toMatchObject({
      tunnel: { status: 'Connected' },
      address: { kind: 'verified', url },
    });
  });

  it('opens one tunnel for several calls at once', async () => {
    const { exposure, server } = await createExposure();
    await exposure.start();
    await exposure.stopTunnel();
    await Promise.all([exposure.startTunnel(), exposure.startTunnel(), exposure.startTunnel()]);
    expect(server.tunnels).toBe(1);
    await Promise.all([exposure.stopTunnel(), exposure.startTunnel()]);
    expect(exposure.state.tunnel.status).toBe('Connected');
  });

  it('ends once, for the first reason, and cannot be opened again', async () => {
    const { exposure, server } = await createExposure();
    await exposure.start();
    await Promise.all([exposure.stop('continue file'), exposure.stop('job ended')]);
    expect(exposure.state).toMatchObject({ phase: { kind: 'ended', reason: 'continue file' } });
    expect(server.tunnels).toBe(0);
    await expect(exposure.startTunnel()).rejects.toThrow('has ended');
  });

  it('says that it ends, and why, before its parts have ended', async () => {
    const { exposure } = await createExposure();
    await exposure.start();
    expect(exposure.ending.aborted).toBe(false);
    const stopped = exposure.stop('job ended');
    expect(exposure.ending.reason).toEqual(new Error('the preview has ended: job ended'));
    expect(exposure.state.phase.kind).toBe('live');
    await stopped;
  });

  it('ends by itself when its duration is over', async () => {
    const { exposure } = await createExposure({ durationMs: 200 });
    const over = new Promise<void>(done => {
      exposure.subscribe(({ phase }) => phase.kind === 'ended' && done());
    });
    await exposure.start();
    await over;
    expect(exposure.state.phase).toMatchObject({ kind: 'ended', reason: 'duration over' });
  });

  it('can be stopped while it starts', async () => {
    const { exposure } = await createExposure();
    const start = exposure.start();
    start.catch(() => {});
    await exposure.stop();
    await expect(start).rejects.toThrow();
    expect(exposure.state.phase).toMatchObject({ kind: 'ended' });
  });

  it('does not publish a port that browsers refuse to open', async () => {
    const range = { minPort: 10_075, maxPort: 10_085 };
    const { exposure } = await createExposure({}, range);
    const others = Array.from({ length: 11 }, (_, index) => range.minPort + index).filter(
      port => port !== 10_080,
    );
    const holders = others.map(port => createServer().listen(port, '127.0.0.1'));
    await Promise.all(holders.map(holder => once(holder, 'listening')));
    const ports: number[] = [];
    exposure.subscribe(({ tunnel }) => {
      if (tunnel.status !== 'Connected') return;
      ports.push(tunnel.port);
      for (const holder of holders) holder.close();
    });
    await exposure.start();
    expect(ports[0]).toBe(10_080);
    expect(exposure.state).toMatchObject({ tunnel: { status: 'Connected' }, address: { kind: 'verified' } });
    expect(ports.at(-1)).not.toBe(10_080);
  });
});

/** Ends the server as soon as the tunnel is connected. */
function loseAtOnce(exposure: Exposure, server: BoreServer): void {
  const leave = exposure.subscribe(({ address }) => {
    if (address.kind === 'none') return;
    leave();
    void server.stop();
  });
}

describe('a tunnel that is lost before its address is verified', () => {
  it('is waited for: no preview goes live without an address', async () => {
    const { exposure, server } = await createExposure();
    const phases: string[] = [];
    exposure.subscribe(({ phase, tunnel, address }) => {
      if (phase.kind === 'live') phases.push(`${tunnel.status} ${address.kind}`);
    });
    loseAtOnce(exposure, server);
    const start = exposure.start();
    await waitUntil(() => exposure.state.app.status === 'running', 'the app is up', 15_000);
    // Longer than one check of the address takes.
    await expect(Promise.race([start, delay(5_500, 'still waiting')])).resolves.toBe('still waiting');
    const again = await startBoreServer({ secret: 'a secret', controlPort: server.controlPort });
    onTestFinished(() => again.stop());
    await start;
    expect(phases).toEqual(['Connected verified']);
  });

  it('fails the start at its time limit, and the error says what was missing', async () => {
    const { exposure, server } = await createExposure({ startupTimeoutMs: 6_000 });
    loseAtOnce(exposure, server);
    await expect(exposure.start()).rejects.toThrow();
    expect(exposure.state.phase).toMatchObject({
      kind: 'failed',
      reason: expect.stringMatching(/^not ready within 6s.*the tunnel is not connected/),
    });
  });
});

describe('an app that is restarted', () => {
  it('gets the current address', async () => {
    const { exposure, server } = await createExposure(server => ({
      spec: { mode: 'port', path: tmpdir(), command: `exec '${process.execPath}' -e '${SEND_ADDRESS}'` },
      tunnel: {
        servers: [{ address: { host: '127.0.0.1', port: server.controlPort }, secret: 'a secret' }],
        identity: 'a preview',
        remotePort: { kind: 'random' },
        publicUrl: 'http://{host}:{port}',
      },
    }));
    await exposure.start();
    const { link: url } = exposure.state;
    const ask = async () => (await fetch(exposure.state.link ?? '')).text();
    expect(await ask()).toBe(url);
    await server.stop();
    await listen(createServer(), Number(new URL(url ?? '').port));
    const again = await startBoreServer({ secret: 'a secret', controlPort: server.controlPort });
    onTestFinished(() => again.stop());
    const isBack = () => exposure.state.link !== url && exposure.state.tunnel.status === 'Connected';
    await waitUntil(isBack, 'the tunnel is back, elsewhere');
    expect(await ask()).toBe(url);
    await fetch(`${exposure.state.link}/end`);
    const isAgain = () => exposure.state.restarts === 1 && exposure.state.app.status === 'running';
    await waitUntil(isAgain, 'the app is back');
    expect(await ask()).toBe(exposure.state.link);
  });
});

describe('an address that changes while the preview is live', () => {
  it('is published only after it is verified', async () => {
    const { exposure, server, log } = await createExposure();
    await exposure.start();
    const { link: url } = exposure.state;
    const seen: ExposureState[] = [];
    exposure.subscribe(state => void seen.push(state));
    await server.stop();
    // Another program has the port when the server is back.
    await listen(createServer(), Number(new URL(url ?? '').port));
    const again = await startBoreServer({ secret: 'a secret', controlPort: server.controlPort });
    onTestFinished(() => again.stop());
    const isBack = () => exposure.state.link !== url && exposure.state.tunnel.status === 'Connected';
    await waitUntil(isBack, 'the tunnel is back, elsewhere');
    const { state } = exposure;
    expect(state).toMatchObject({ phase: { kind: 'live' }, address: { kind: 'verified' }, reconnects: 1 });
    const words = seen.map(
      one => `${one.tunnel.status} ${one.link === url ? 'old' : 'new'} ${one.address.kind}`,
    );
    expect([...new Set(words)]).toEqual(['Reconnecting old verified', 'Connected new verified']);
    expect(log).toContain(`the public address changed: it is ${state.link} now`);
    expect(await (await fetch(state.link ?? '')).text()).toBe('hello');
  });

  it('is verified again after the tunnel was stopped and started', async () => {
    const { exposure, log } = await createExposure();
    await exposure.start();
    const { link: url } = exposure.state;
    await exposure.stopTunnel();
    const seen: ExposureState[] = [];
    exposure.subscribe(state => void seen.push(state));
    const port = Number(new URL(url ?? '').port);
    await waitUntil(async () => !(await accepts('127.0.0.1', port)), 'the port is free');
    await listen(createServer(), port);
    await exposure.startTunnel();
    expect(exposure.state).toMatchObject({ tunnel: { status: 'Connected' }, address: { kind: 'verified' } });
    expect(seen.filter(one => one.tunnel.status === 'Connected' && one.address.kind !== 'verified')).toEqual(
      [],
    );
    expect(log).toContain(`the public address changed: it is ${exposure.state.link} now`);
  });
});

describe('a fixed port that another program has taken', () => {
  it('ends a live exposure, so that no visitor reaches the other program', async () => {
    const port = 24_152;
    const door = createDoor(INNER, port);
    await listen(door, port);
    const { exposure } = await createExposure(
      server => ({
        healthPath: '/',
        tunnel: {
          servers: [{ address: { host: '127.0.0.1', port: server.controlPort }, secret: 'a secret' }],
          identity: 'a preview',
          remotePort: { kind: 'fixed', port },
          publicUrl: 'http://{host}:{port}',
        },
      }),
      { bindTunnels: INNER },
    );
    await exposure.start();
    await exposure.stopTunnel();
    door.close();
    await once(door, 'close');
    await listen(
      createHttpServer((_, response) => response.end('another app')),
      port,
    );
    const seen: ExposureState[] = [];
    exposure.subscribe(state => void seen.push(state));
    await expect(exposure.startTunnel()).rejects.toThrow();
    await waitUntil(() => exposure.state.phase.kind === 'failed', 'it has failed');
    expect(exposure.state.phase).toMatchObject({
      reason: expect.stringContaining(`another program answers at 127.0.0.1:${port}: choose another`),
    });
    expect(seen.filter(({ tunnel }) => tunnel.status === 'Connected')).toEqual([]);
  });
});

/** The changes that make an exposure of raw bytes to a service on `port`. */
function raw(port: number, tunnel: Partial<ExposureConfig['tunnel']> = {}) {
  return (server: BoreServer): Partial<ExposureConfig> => ({
    protocol: 'tcp',
    spec: { mode: 'port', path: tmpdir(), port },
    tunnel: {
      servers: [{ address: { host: '127.0.0.1', port: server.controlPort }, secret: 'a secret' }],
      identity: 'a preview',
      remotePort: { kind: 'random' },
      publicUrl: 'tcp://{host}:{port}',
      ...tunnel,
    },
  });
}

/** Sends `text`, and resolves with the whole response; `reset` if the other side resets the connection. */
async function exchange(url: string | undefined, text: string): Promise<string> {
  const { hostname, port } = new URL(url ?? '');
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')));
  socket.end(text);
  let answer = '';
  try {
    for await (const chunk of socket) answer += String(chunk);
    return answer;
  } catch (error) {
    return error instanceof Error && error.message.includes('ECONNRESET') ? 'reset' : String(error);
  }
}

describe('an exposure with `protocol: tcp`', () => {
  it('passes bytes on unchanged, verifies its address, and counts visitors but not its own probe', async () => {
    const received: string[] = [];
    const service = createServer({ allowHalfOpen: true }, socket => {
      let text = '';
      socket.on('data', chunk => {
        text += String(chunk);
      });
      socket
        .on('error', () => {})
        .on('end', () => {
          received.push(text);
          socket.end(`+${text}`);
        });
    });
    const { exposure } = await createExposure(raw(await listen(service)));
    await exposure.start();
    expect(exposure.state).toMatchObject({
      phase: { kind: 'live' },
      address: { kind: 'verified' },
      visits: 0,
    });
    expect(exposure.state.link).toMatch(/^tcp:\/\/127\.0\.0\.1:\d+$/);
    expect(await exchange(exposure.state.link, 'PING\r\n')).toBe('+PING\r\n');
    expect(exposure.state.visits).toBe(1);
    expect(received.filter(text => text !== '')).toEqual(['PING\r\n']);
  });

  it('cuts visitors off while the app is away', async () => {
    const service = createServer(socket => void socket.on('error', () => {}).end('hello'));
    const { exposure } = await createExposure(raw(await listen(service)));
    await exposure.start();
    expect(await exchange(exposure.state.link, '')).toBe('hello');
    service.close();
    await once(service, 'close');
    expect(await exchange(exposure.state.link, '')).toBe('reset');
  });

  it('does not blame another program if the app is away during the check', async () => {
    const service = createServer(socket => void socket.on('error', () => {}).end('hello'));
    const { exposure, log } = await createExposure(raw(await listen(service)));
    await exposure.start();
    const { link: url } = exposure.state;
    service.close();
    await once(service, 'close');
    await exposure.stopTunnel();
    await exposure.startTunnel();
    expect(exposure.state).toMatchObject({
      tunnel: { status: 'Connected' },
      address: { kind: 'unverified', url, reason: 'app away' },
    });
    expect(log.join()).toContain(`${url} could not be checked (the app is away)`);
    expect(log.join()).not.toContain('another program');
  });

  it('moves to the next port of `auto` if another program answers at the first', async () => {
    const [min, max] = [24_150, 24_151];
    const [foreign = 0, own = 0] = listCandidates('a preview', 'a secret', { kind: 'auto', min, max });
    await listen(
      createServer(socket => void socket.on('error', () => {}).end('who are you')),
      foreign,
    );
    await listen(createDoor(INNER, own), own);
    const service = createServer(socket => void socket.on('error', () => {}).end('hello'));
    const changes = raw(await listen(service), { remotePort: { kind: 'auto', min, max } });
    const { exposure, log } = await createExposure(changes, { bindTunnels: INNER });
    await exposure.start();
    expect(exposure.state).toMatchObject({ address: { kind: 'verified', url: `tcp://127.0.0.1:${own}` } });
    expect(log.join()).toContain(`another program answers at tcp://127.0.0.1:${foreign}`);
    expect(await exchange(exposure.state.link, '')).toBe('hello');
  });

  it('keeps a fixed port, unverified, if another program accepts its connections', async () => {
    const foreign = createServer(socket => void socket.on('error', () => {}).end('who are you'));
    const port = await listen(foreign);
    const { address } = await startBadBoreServer(reply(`{"Hello":${port}}\0`));
    const service = createServer(socket => void socket.on('error', () => {}).end('hello'));
    const { exposure, log } = await createExposure(
      raw(await listen(service), {
        servers: [{ address }],
        remotePort: { kind: 'fixed', port },
      }),
    );
    await exposure.start();
    expect(exposure.state).toMatchObject({
      phase: { kind: 'live' },
      address: { kind: 'unverified', reason: 'unproved' },
    });
    expect(log.join()).toMatch(
      /could not be verified \(it accepts connections, .*another program may have this/,
    );
  });
});
