// What ends a preview from outside: visitors who stay away, over a bore server on this machine.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ExposureConfig } from '../../src/exposure/config.ts';
import type { Exposure } from '../../src/exposure/exposure.ts';
import { createLogger } from '../../src/shared/log.ts';
import type { SupervisorConfig } from '../../src/supervisor/config.ts';
import { startSupervision } from '../../src/supervisor/supervision.ts';
import { startBoreServer } from '../../src/tunnel/server/server.ts';
import { listen } from '../support/listen.ts';
import { OPEN_GATEWAY } from '../support/open-gateway.ts';
import { waitUntil } from '../support/wait-until.ts';

const SECRET = 'a secret of the tests';
const TICK_MS = 50;
/** The end is timed with another clock than its date. */
const ROUNDING_MS = 2;
/** The tests' visitors need a part of it to come. */
const IDLE_MS = 1_500;

interface Rig {
  exposure: Exposure;
  /** Without a trailing slash. */
  url: string;
  log: string[];
}

/** A live preview of an app that answers at once, and on /ticks with one word after the other, without an end. */
async function start(ends: SupervisorConfig['ends'], changes: Partial<ExposureConfig> = {}): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'ends-'));
  const server = await startBoreServer({ secret: SECRET });
  const port = await startTickingApp();
  const log: string[] = [];
  const { exposure, finished } = await startSupervision(
    {
      folder,
      name: 'ends',
      controlToken: 'c0ffee'.repeat(10),
      logLevel: 'info',
      exposure: {
        protocol: 'http',
        spec: { mode: 'port', path: folder, port },
        env: {},
        baseEnvironment: {},
        ...(changes.protocol !== 'tcp' && { healthPath: '/' }),
        startupTimeoutMs: 20_000,
        gateway: OPEN_GATEWAY,
        tunnel: {
          servers: [{ address: { host: '127.0.0.1', port: server.controlPort }, secret: SECRET }],
          identity: 'a preview',
          remotePort: { kind: 'random' },
          publicUrl: changes.protocol === 'tcp' ? 'tcp://{host}:{port}' : 'http://{host}:{port}',
        },
        ...changes,
      },
      ends,
    },
    createLogger({ level: 'info', write: line => log.push(line) }),
  );
  onTestFinished(async () => {
    await exposure.stop();
    await finished;
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await waitUntil(() => exposure.state.phase.kind !== 'starting', 'the preview has started');
  expect(exposure.state.phase.kind).toBe('live');
  const { address } = exposure.state;
  return { exposure, url: address.kind === 'none' ? '' : address.url, log };
}

async function startTickingApp(): Promise<number> {
  const app = createServer((request, response) => {
    if (request.url !== '/ticks') return response.end('ok');
    const timer = setInterval(() => response.write('tick'), TICK_MS);
    return response.on('close', () => clearInterval(timer));
  });
  onTestFinished(() => {
    app.close();
    app.closeAllConnections();
  });
  return listen(app);
}

/** Asks for /ticks, and resolves when the preview has stayed up for longer than the idle time. */
async function followTicks(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).setEncoding('latin1');
  onTestFinished(() => void socket.destroy());
  socket.write(`GET /ticks HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  let received = '';
  socket.on('data', text => {
    received += text;
  });
  const wanted = (1.5 * IDLE_MS) / TICK_MS;
  await waitUntil(() => received.split('tick').length > wanted, `${wanted} ticks`);
  return socket;
}

async function awaitEnd({ exposure }: Rig): Promise<{ reason: string; endedAt: number; liveAt: number }> {
  await waitUntil(() => exposure.state.phase.kind === 'ended', 'the preview has ended');
  const { phase } = exposure.state;
  if (phase.kind !== 'ended' || phase.liveAt === undefined) throw new Error('it was never live');
  return { reason: phase.reason, endedAt: phase.endedAt.getTime(), liveAt: phase.liveAt.getTime() };
}

describe('a preview with an idle time', () => {
  it('ends when nobody has come for so long since it was live, and says so in the log', async () => {
    const rig = await start({ idleTimeoutMs: 1_000 });
    const { reason, endedAt, liveAt } = await awaitEnd(rig);
    expect(reason).toBe('idle timeout');
    expect(endedAt - liveAt).toBeGreaterThanOrEqual(1_000 - ROUNDING_MS);
    expect(rig.log).toContain('nobody has used the preview for 1s');
  });

  it.each<[string, Partial<ExposureConfig>]>([
    ['reads an answer', {}],
    ['has a connection (protocol: tcp)', { protocol: 'tcp' }],
  ])('stays up while a visitor %s, and ends after that', async (_, changes) => {
    const rig = await start({ idleTimeoutMs: IDLE_MS }, changes);
    const visitor = await followTicks(rig.url);
    expect(rig.exposure.state.phase.kind).toBe('live');
    visitor.destroy();
    const leftAt = Date.now();
    const { reason, endedAt } = await awaitEnd(rig);
    expect(reason).toBe('idle timeout');
    expect(endedAt - leftAt).toBeGreaterThanOrEqual(IDLE_MS - ROUNDING_MS);
  });

  it('is not kept up by requests without the key, nor by the gateway’s own pages', async () => {
    const access = { kind: 'link', key: 'K3y-of-this-preview_0123456789', isGenerated: true } as const;
    const rig = await start({ idleTimeoutMs: IDLE_MS }, { gateway: { ...OPEN_GATEWAY, access } });
    const statuses = new Set<number>();
    const scan = async (path: string) => {
      while (rig.exposure.state.phase.kind === 'live') {
        const answer = await fetch(`${rig.url}${path}`).catch(() => undefined);
        if (answer !== undefined) statuses.add(answer.status);
        await answer?.text().catch(() => '');
      }
    };
    await Promise.all([scan('/'), scan('/__expose/x'), awaitEnd(rig)]);
    expect([...statuses]).toEqual([401]);
  });

  it('is kept up by a replay, which somebody asked for', async () => {
    const gateway = { ...OPEN_GATEWAY, capture: { kind: 'unsafe methods' } } as const;
    const { exposure, url } = await start({ idleTimeoutMs: 60_000 }, { gateway });
    await (await fetch(url, { method: 'POST', body: 'x' })).text();
    await waitUntil(() => exposure.requests.list().length === 1, 'the request is recorded');
    const { begun } = exposure.usage;
    const [captured] = exposure.requests.list();
    if (captured !== undefined) await exposure.replay(captured, { to: undefined, reSign: false });
    expect(exposure.usage.begun).toBe(begun + 1);
  });
});
