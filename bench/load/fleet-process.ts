// One process of a fleet: many previews, each with a tunnel, a gateway or relay, and a tiny app that answers with the
// preview's name and echoes WebSocket messages. Started by fleet.ts.

import { createServer, type Server } from 'node:http';
import { WebSocketServer } from 'ws';
import { startGateway } from '../../src/gateway/gateway.ts';
import type { PublicAddress } from '../../src/gateway/own-address.ts';
import type { Logger } from '../../src/shared/log.ts';
import type { TunnelState } from '../../src/shared/state.ts';
import { startTunnel } from '../../src/tunnel/reconnect.ts';
import { Relay } from '../../src/tunnel/relay/relay.ts';
import { createStreamSink, type VisitorSink } from '../../src/tunnel/visitors/visitor-sink.ts';
import { OPEN_GATEWAY } from '../../test/support/open-gateway.ts';
import type { FleetEvent, FleetOrder, PreviewSettings } from './fleet.ts';

const START_LIMIT_MS = 60_000;

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
/** Name → what ends the preview. Set before the tunnel is connected. */
const previews = new Map<string, () => Promise<void>>();

// With a callback, a parent that has just ended is no error.
const send = (event: FleetEvent) =>
  void (process.connected && process.send?.(event, undefined, undefined, () => {}));

process.on('message', message => follow(message as FleetOrder));
process.once('disconnect', () => void close([...previews.keys()]));

function follow(order: FleetOrder): void {
  if (order.kind === 'close') return void close(order.names);
  for (const settings of order.previews)
    void open(settings).catch(error =>
      send({ kind: 'failed', name: settings.name, reason: String(error), at: Date.now() }),
    );
}

async function close(names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map(async name => {
      await previews.get(name)?.();
      previews.delete(name);
      send({ kind: 'closed', name, at: Date.now() });
    }),
  );
}

async function open({ name, mode, servers, range }: PreviewSettings): Promise<void> {
  const stack = new AsyncDisposableStack();
  const over = new AbortController();
  previews.set(name, async () => {
    over.abort();
    await stack.disposeAsync();
  });
  const app = await startApp(name);
  stack.defer(() => void app.close());
  stack.defer(() => app.closeAllConnections());
  const target = { host: '127.0.0.1', port: findPort(app) };
  let place: PublicAddress | undefined;
  const tunnel = await startTunnel({
    servers,
    identity: name,
    remotePort: { kind: 'auto', ...range },
    destination: mode === 'raw' ? openRelay(target) : openGateway(target, () => place, stack),
    onState: state => {
      place = readPlace(state) ?? place;
      report(name, state);
    },
    logger: silent,
    signal: AbortSignal.any([over.signal, AbortSignal.timeout(START_LIMIT_MS)]),
  });
  stack.defer(() => tunnel.stop({ drainMs: 0 }));
  if (over.signal.aborted) await stack.disposeAsync();
}

function report(name: string, state: TunnelState): void {
  const at = Date.now();
  if (state.status === 'Connected') send({ kind: 'connected', name, host: state.host, port: state.port, at });
  if (state.status === 'Reconnecting') send({ kind: 'lost', name, reason: state.reason, at });
  if (state.status === 'Failed') send({ kind: 'failed', name, reason: state.reason, at });
}

function readPlace(state: TunnelState): PublicAddress | undefined {
  if (state.status !== 'Connected') return undefined;
  return { url: `http://${state.host}:${state.port}`, host: state.host, port: state.port };
}

type Target = { host: string; port: number };

function openRelay(target: Target): VisitorSink {
  return new Relay({ target: () => target, logger: silent });
}

function openGateway(
  target: Target,
  place: () => PublicAddress | undefined,
  stack: AsyncDisposableStack,
): VisitorSink {
  const gateway = startGateway({
    app: () => ({ status: 'running', upstream: { kind: 'address', ...target } }),
    place,
    rules: OPEN_GATEWAY,
    proofKey: Buffer.alloc(32, 7),
    logger: silent,
  });
  stack.defer(() => gateway.stop());
  return createStreamSink(visitor => gateway.accept(visitor));
}

/** `/bytes?n=N` answers N bytes, every other path the preview's name. */
function startApp(name: string): Promise<Server> {
  const server = createServer((request, response) => {
    const length = Number(/^\/bytes\?n=(\d+)$/.exec(request.url ?? '')?.[1] ?? 0);
    response.end(length > 0 ? Buffer.alloc(length) : name);
  });
  new WebSocketServer({ server }).on('connection', socket =>
    socket.on('message', message => socket.send(message)).on('error', () => {}),
  );
  return new Promise(resolve => void server.listen(0, '127.0.0.1', () => resolve(server)));
}

function findPort(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
