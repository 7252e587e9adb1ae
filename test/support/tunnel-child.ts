// Tunnels in a process of their own, so that their memory, handles and unhandled errors are their own; started by
// tunnel-process.ts, which says what the messages mean. Leaves when its parent does.

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
import type { ChildTunnel, Measure, Question, Told } from './tunnel-process.ts';
import { startWatchedTunnel, type WatchedOptions, type WatchedTunnel } from './watched-tunnel.ts';

const THREAD = new URL('../../src/visitor-thread.ts', import.meta.url);

const tunnels: WatchedTunnel[] = [];
const stops: (() => Promise<void>)[] = [];
// Nobody listens any more where the parent is gone: the error of such a message would be one more message.
const tell = (told: Told) => void (process.connected && process.send?.(told));

for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, error => tell({ event: 'unhandled', text: `${event}: ${error?.stack ?? error}` }));
process.once('disconnect', () => void stop());
process.on('message', question => void answer(question as Question));

const wishes = JSON.parse(process.argv[2] ?? '[]') as ChildTunnel[];
for (const [number, wish] of wishes.entries()) await open(number, wish);
tell({ event: 'ready' });

async function open(number: number, wish: ChildTunnel): Promise<void> {
  const say = (level: string) => (line: string) => tell({ event: 'log', line: `${level} ${line}` });
  const logger: Logger = { debug() {}, info: say('info'), warn: say('warn'), error: say('error') };
  // Visitors who write their requests by hand say `Host: x`, the others where they connected to.
  let place = { url: 'http://x', host: 'x', port: 0 };
  const onState = (state: TunnelState) => {
    const host = wish.publicHost ?? wish.server.host;
    if (state.status === 'Connected') place = { ...place, host, port: state.port };
    tell({ event: 'state', tunnel: number, state });
  };
  const tunnel = await startWatchedTunnel({
    servers: [{ address: wish.server, secret: wish.secret }],
    identity: `tunnel ${number}`,
    remotePort: { kind: 'random' },
    destination: openDestination(wish, () => place, logger),
    onState,
    logger,
    signal: AbortSignal.timeout(20_000),
    ...(wish.timings && { timings: wish.timings }),
  });
  tunnels.push(tunnel);
  stops.push(() => tunnel.stop({ drainMs: 0 }));
}

function openDestination(
  wish: ChildTunnel,
  place: () => PublicAddress,
  logger: Logger,
): WatchedOptions['destination'] {
  if (wish.mode === 'raw' || wish.mode === 'raw on two threads') {
    const { idleMs } = wish;
    const target = () => ({ host: '127.0.0.1', port: wish.app });
    const secondThread = { script: fileURLToPath(THREAD), busyMs: 0, busyShare: 0 };
    return new Relay({
      target,
      logger,
      ...(idleMs !== undefined && { idleMs }),
      ...(wish.mode === 'raw on two threads' && { secondThread }),
    });
  }
  if (wish.mode === 'stream') return visitor => join(visitor, wish.app);
  const gateway = startGateway({
    app: () => ({ status: 'running', upstream: { kind: 'address', host: '127.0.0.1', port: wish.app } }),
    place,
    rules: {
      ...OPEN_GATEWAY,
      ...(wish.key !== undefined && { access: { kind: 'link', key: wish.key } }),
    },
    proofKey: Buffer.alloc(32, 7),
    logger,
  });
  stops.push(() => gateway.stop());
  return visitor => gateway.accept(visitor);
}

/** The plainest receiver of a stream there is. */
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
  tell({ event: 'answer', id, measure: await measure() });
  if (ask === 'stop') process.disconnect();
}

async function stop(): Promise<void> {
  for (const one of stops.splice(0).reverse()) await one();
}

async function measure(): Promise<Measure> {
  // What was closed a moment ago is let go of in the turns after it.
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
