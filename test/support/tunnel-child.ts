// Runs tunnels in a process of their own, so that its memory, handles and unhandled errors come only from them. Started
// by tunnel-process.ts, which describes the messages, and by test/tunnel/faults-link.test.ts. Ends when its parent
// does.

import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startGateway } from '../../src/gateway/gateway.ts';
import type { PublicAddress } from '../../src/gateway/own-address.ts';
import type { Logger } from '../../src/shared/log.ts';
import type { TunnelState } from '../../src/shared/state.ts';
import { Relay } from '../../src/tunnel/relay/relay.ts';
import { OPEN_GATEWAY } from './open-gateway.ts';
import type { ChildMessage, ChildTunnel, Measure, Question } from './tunnel-process.ts';
import { startWatchedTunnel, type WatchedOptions, type WatchedTunnel } from './watched-tunnel.ts';

const THREAD = new URL('../../src/visitor-thread.ts', import.meta.url);

const tunnels: WatchedTunnel[] = [];
const stops: (() => Promise<void>)[] = [];
// Without a parent, sending fails: each error would be reported with another message, in an endless loop.
const send = (message: ChildMessage) => void (process.connected && process.send?.(message));

for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, error => send({ event: 'unhandled', text: `${event}: ${error?.stack ?? error}` }));
process.once('disconnect', () => void stop());
process.on('message', question => void answer(question as Question));

const all = JSON.parse(process.argv[2] ?? '[]') as ChildTunnel[];
for (const [number, settings] of all.entries()) await open(number, settings);
send({ event: 'ready' });

async function open(number: number, settings: ChildTunnel): Promise<void> {
  const log = (level: string) => (line: string) => send({ event: 'log', line: `${level} ${line}` });
  const logger: Logger = { debug() {}, info: log('info'), warn: log('warn'), error: log('error') };
  // Visitors that write raw requests send `Host: x`; the others send the address that they connected to.
  let place = { url: 'http://x', host: 'x', port: 0 };
  const onState = (state: TunnelState) => {
    const host = settings.publicHost ?? settings.server.host;
    if (state.status === 'Connected') place = { ...place, host, port: state.port };
    send({ event: 'state', tunnel: number, state });
  };
  const tunnel = await startWatchedTunnel({
    servers: [{ address: settings.server, secret: settings.secret }],
    identity: `tunnel ${number}`,
    remotePort: { kind: 'random' },
    destination: openDestination(settings, () => place, logger),
    onState,
    logger,
    signal: AbortSignal.timeout(20_000),
    ...(settings.timings && { timings: settings.timings }),
  });
  tunnels.push(tunnel);
  stops.push(() => tunnel.stop({ drainMs: 0 }));
}

function openDestination(
  settings: ChildTunnel,
  place: () => PublicAddress,
  logger: Logger,
): WatchedOptions['destination'] {
  if (settings.mode === 'raw' || settings.mode === 'raw on two threads') {
    const { idleMs } = settings;
    const target = () => ({ host: '127.0.0.1', port: settings.app });
    const secondThread = { script: fileURLToPath(THREAD), busyMs: 0, busyShare: 0 };
    return new Relay({
      target,
      logger,
      ...(idleMs !== undefined && { idleMs }),
      ...(settings.mode === 'raw on two threads' && { secondThread }),
    });
  }
  if (settings.mode === 'stream') return visitor => join(visitor, settings.app);
  const gateway = startGateway({
    app: () => ({ status: 'running', upstream: { kind: 'address', host: '127.0.0.1', port: settings.app } }),
    place,
    rules: {
      ...OPEN_GATEWAY,
      ...(settings.key !== undefined && { access: { kind: 'link', key: settings.key } }),
    },
    proofKey: Buffer.alloc(32, 7),
    logger,
  });
  stops.push(() => gateway.stop());
  return visitor => gateway.accept(visitor);
}

/** The simplest possible receiver of a stream. */
function join(visitor: Duplex, port: number): void {
  const app = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  for (const [from, to] of [
    [visitor, app],
    [app, visitor],
  ] as const) {
    from.on('error', () => {}).once('close', () => to.destroy());
    from.pipe(to);
  }
}

async function answer({ id, ask }: Question): Promise<void> {
  if (ask === 'stop') await stop();
  send({ event: 'answer', id, measure: await measure() });
  if (ask === 'stop') process.disconnect();
}

async function stop(): Promise<void> {
  for (const one of stops.splice(0).reverse()) await one();
}

async function measure(): Promise<Measure> {
  // Resources that were just closed are freed in the next turns of the event loop.
  for (let round = 0; round < 3; round += 1) {
    await turn();
    globalThis.gc?.();
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo().sort()) resources[kind] = (resources[kind] ?? 0) + 1;
  return {
    rss,
    heapUsed,
    external,
    resources,
    openVisitors: tunnels.reduce((sum, tunnel) => sum + tunnel.openVisitors, 0),
    reconnects: tunnels.map(tunnel => tunnel.reconnects),
  };
}
