import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ExposureConfig } from '../src/config.ts';
import { Exposure } from '../src/exposure.ts';
import { silentLogger } from '../src/log.ts';
import { type BoreServer, startBoreServer } from '../src/tunnel/server.ts';

async function createExposure(
  changes: Partial<ExposureConfig> = {},
  range: { minPort?: number; maxPort?: number } = {},
): Promise<{ exposure: Exposure; server: BoreServer }> {
  const server = await startBoreServer({ secret: 'a secret', ...range });
  const folder = mkdtempSync(join(tmpdir(), 'exposure-'));
  const site = join(folder, 'site');
  writeFileSync(join(folder, 'index.html'), 'hello');
  const exposure = new Exposure({
    config: {
      protocol: 'http',
      spec: { mode: 'web', path: folder, spa: false, crossOriginIsolation: false },
      env: {},
      baseEnvironment: {},
      healthPath: '/',
      startupTimeoutMs: 20_000,
      tunnel: {
        servers: [{ address: { host: '127.0.0.1', port: server.controlPort }, secret: 'a secret' }],
        identity: 'a preview',
        remotePort: { kind: 'random' },
        publicUrl: 'http://{host}:{port}',
      },
      ...changes,
    },
    folder: site,
    logger: silentLogger,
    onChild: () => {},
  });
  onTestFinished(async () => {
    await exposure.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return { exposure, server };
}

describe('an exposure', () => {
  it('is live with a proved address once the app answers', async () => {
    const { exposure } = await createExposure();
    await exposure.start();
    expect(exposure.state).toMatchObject({
      phase: { phase: 'live' },
      tunnel: { status: 'Connected' },
      app: { status: 'running' },
      verified: true,
    });
    expect(await (await fetch(exposure.state.url ?? '')).text()).toBe('hello');
    expect(exposure.state.visits).toBe(1);
  });

  it('gives the port back and gets the same one again', async () => {
    const { exposure } = await createExposure();
    await exposure.start();
    const { url } = exposure.state;
    await exposure.stopTunnel();
    expect(exposure.state).toMatchObject({ tunnel: { status: 'Disconnected' }, app: { status: 'running' } });
    expect(exposure.state.url).toBeUndefined();
    await exposure.startTunnel();
    expect(exposure.state).toMatchObject({ tunnel: { status: 'Connected' }, verified: true, url });
  });

  it('opens one tunnel, however many ask for it at once', async () => {
    const { exposure, server } = await createExposure();
    await exposure.start();
    await exposure.stopTunnel();
    await Promise.all([exposure.startTunnel(), exposure.startTunnel(), exposure.startTunnel()]);
    expect(server.tunnels).toBe(1);
    await Promise.all([exposure.stopTunnel(), exposure.startTunnel()]);
    expect(exposure.state.tunnel.status).toBe('Connected');
  });

  it('ends once, for the first reason given, and cannot be opened again', async () => {
    const { exposure, server } = await createExposure();
    await exposure.start();
    await Promise.all([exposure.stop('continue file'), exposure.stop('cancelled')]);
    expect(exposure.state).toMatchObject({ phase: { phase: 'ended', reason: 'continue file' } });
    expect(server.tunnels).toBe(0);
    await expect(exposure.startTunnel()).rejects.toThrow('has ended');
  });

  it('ends by itself when its duration is over', async () => {
    const { exposure } = await createExposure({ durationMs: 200 });
    const over = new Promise<void>(done => {
      exposure.subscribe(({ phase }) => phase.phase === 'ended' && done());
    });
    await exposure.start();
    await over;
    expect(exposure.state.phase).toMatchObject({ phase: 'ended', reason: 'duration over' });
  });

  it('can be stopped while it starts', async () => {
    const { exposure } = await createExposure();
    const start = exposure.start();
    start.catch(() => {});
    await exposure.stop();
    await expect(start).rejects.toThrow();
    expect(exposure.state.phase).toMatchObject({ phase: 'ended' });
  });

  it('does not hand out a port that browsers refuse to open', async () => {
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
    expect(exposure.state).toMatchObject({ tunnel: { status: 'Connected' }, verified: true });
    expect(ports.at(-1)).not.toBe(10_080);
  });
});
