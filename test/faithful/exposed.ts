// An app behind the whole of the product: a real bore server, the tunnel, the gateway; and a browser to visit it with.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import puppeteer, { type Browser } from 'puppeteer-core';
import type { ExposureConfig } from '../../src/exposure/config.ts';
import { Exposure } from '../../src/exposure/exposure.ts';
import { createLogger } from '../../src/shared/log.ts';
import { OPEN_GATEWAY } from '../support/open-gateway.ts';
import { requirePart } from '../support/real-parts.ts';
import { launchRealServer } from '../support/tunnel-rig.ts';

/** What an exposure is given beside the usual. */
export type ChangeConfig = (usual: ExposureConfig) => Partial<ExposureConfig>;

export interface Exposed {
  /** What visitors type. */
  url: URL;
  appPort: number;
  stop(): Promise<void>;
}

/**
 * `app` is a port that something serves, or a command that is started in `path`. `host` is a loopback address of its
 * own.
 */
export async function expose(
  app: { port?: number; command?: string; path?: string },
  host: string,
  change: ChangeConfig = () => ({}),
): Promise<Exposed> {
  const server = await launchRealServer(host);
  const folder = mkdtempSync(join(tmpdir(), 'expose-faithful-'));
  const usual: ExposureConfig = {
    protocol: 'http',
    spec: { mode: 'port', path: folder, ...app },
    env: {},
    baseEnvironment: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, HOME: folder },
    healthPath: '/',
    startupTimeoutMs: 30_000,
    gateway: OPEN_GATEWAY,
    tunnel: {
      servers: [{ address: server.address }],
      identity: 'a preview',
      remotePort: { kind: 'random' },
      publicUrl: 'http://{host}:{port}',
    },
  };
  const exposure = new Exposure({
    config: { ...usual, ...change(usual) },
    folder: join(folder, 'session'),
    logger: createLogger({ level: 'quiet', write: () => undefined }),
    onChild: () => {},
  });
  const stop = async () => {
    await exposure.stop();
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  await exposure.start().catch(async error => {
    await stop();
    throw error;
  });
  const { app: state, link } = exposure.state;
  if (state.status !== 'running' || state.upstream.kind !== 'address')
    throw new Error('the app has no address');
  return { url: new URL(link ?? ''), appPort: state.upstream.port, stop };
}

export async function openBrowser(flags: readonly string[] = []): Promise<Browser> {
  return await puppeteer.launch({
    executablePath: requirePart('chromium'),
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--no-proxy-server', ...flags],
    pipe: true,
  });
}
