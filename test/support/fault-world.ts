// For test/tunnel/faults-control.test.ts and faults-data.test.ts: the real bore server behind a relay that injects
// faults, a raw tunnel to an app that checks every byte, visitors that check every byte too, and a check that nothing
// is left.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { onTestFinished } from 'vitest';
import type { ServerAddress } from '../../src/tunnel/address.ts';
import { Relay, type RelayOptions } from '../../src/tunnel/relay/relay.ts';
import type { Timings } from '../../src/tunnel/timings.ts';
import { type FaultRelay, startFaultRelay } from './fault-relay.ts';
import { Noise, NoiseCheck } from './noise.ts';
import { openTunnel, portOf, type RecordedTunnel, startRealServer } from './tunnel-rig.ts';
import { waitUntil } from './wait-until.ts';

/** Length of an upload, and of the answer to it. */
const BYTES = 200_000;
const SECRET = 'a secret of some length';

/**
 * How a visit ended: `right` with every byte of the answer, after the app had every byte of the upload; `short` with a
 * clean end too early in either direction; `broken` with a reset; `wrong` with bytes that were never sent.
 */
export type Outcome = 'right' | 'short' | 'broken' | 'wrong';

export interface Visit {
  readonly socket: Socket;
  /** Sends the second half of the upload. */
  goOn(): void;
  readonly outcome: Promise<Outcome>;
}

/** A tunnel through a relay of its own. */
export interface FaultTunnel extends RecordedTunnel {
  readonly relay: FaultRelay;
  readonly port: number;
  /** Starts a visit and sends the first half of its upload. */
  startVisit(): Visit;
  /** A visit from start to end. */
  visit(): Promise<Outcome>;
}

export interface FaultWorld extends FaultTunnel {
  /** Another tunnel, through another relay, to the same server. */
  openAnother(): Promise<FaultTunnel>;
  /** Stops everything, and fails if a socket, a timer or a process is left. */
  close(): Promise<void>;
}

export interface WorldOptions {
  timings?: Partial<Timings>;
  raw?: Partial<RelayOptions>;
  /** Length of an upload, and of the answer to it. */
  bytes?: number;
  /** Opens spare connections, although the server is near. Default: none, so that a fault hits the intended visitor. */
  spareConnections?: boolean;
}

/** The heartbeat time-out is shorter than usual, to keep the tests short; everything else is as in production. */
export async function startWorld(host: string, options: WorldOptions = {}): Promise<FaultWorld> {
  // We have started no timer yet; there may be a short one of the test runner.
  const { Timeout: _, ...before } = countResources();
  const server = await startRealServer(host, { secret: SECRET });
  const bytes = options.bytes ?? BYTES;
  const app = await startApp(bytes);
  onTestFinished(() => app.stop());
  const tunnels: FaultTunnel[] = [];
  const openAnother = async () => {
    const opened = await openFaultTunnel(server.address, app, options);
    tunnels.push(opened);
    return opened;
  };
  return {
    ...(await openAnother()),
    openAnother,
    close: async () => {
      for (const { tunnel } of tunnels) await tunnel.stop({ drainMs: 0 });
      for (const { relay } of tunnels) await relay.stop();
      await app.stop();
      await server.kill();
      let left = countResources();
      await waitUntil(() => {
        left = countResources();
        return isDeepStrictEqual(left, before);
      }, 'nothing is left').catch(cause => {
        throw new Error(`left over: ${JSON.stringify({ before, left })}`, { cause });
      });
    },
  };
}

async function openFaultTunnel(server: ServerAddress, app: App, options: WorldOptions): Promise<FaultTunnel> {
  const relay = await startFaultRelay(server);
  onTestFinished(() => relay.stop());
  const quiet = () => {};
  const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  const recorded = await openTunnel({
    server: relay.address,
    secret: SECRET,
    destination: new Relay({ target: () => app.address, logger, ...options.raw }),
    spareConnections: options.spareConnections ?? false,
    timings: { heartbeat: 1_500, spareRoundTrip: 0, ...options.timings },
  });
  const port = portOf(recorded.tunnel);
  let visits = 0;
  const startVisit = () => {
    visits += 1;
    return openVisit({ host: server.host, port }, visits, app.bytes);
  };
  const visit = () => {
    const started = startVisit();
    started.goOn();
    return started.outcome;
  };
  return { ...recorded, relay, port, startVisit, visit };
}

/** How many resources of each kind keep this process alive. */
function countResources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo().sort()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

function openVisit(address: ServerAddress, seed: number, bytes: number): Visit {
  const socket = connect({ ...address, allowHalfOpen: true, noDelay: true });
  const upload = new Noise(seed).take(bytes);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(seed);
  socket.write(Buffer.concat([head, upload.subarray(0, bytes / 2)]));
  return {
    socket,
    goOn: () => void socket.end(upload.subarray(bytes / 2)),
    outcome: readOutcome(socket, -seed, bytes),
  };
}

async function readOutcome(socket: Socket, seed: number, bytes: number): Promise<Outcome> {
  const answer = new NoiseCheck(seed);
  let verdict = '';
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      const rest = verdict === '' ? chunk.subarray(1) : chunk;
      if (verdict === '') verdict = chunk.toString('latin1', 0, 1);
      answer.take(rest);
    }
  } catch {
    return answer.result(bytes).includes('wrong') ? 'wrong' : 'broken';
  } finally {
    socket.destroy();
  }
  const result = verdict === '' ? 'nothing' : answer.result(bytes);
  if (result.includes('wrong') || verdict === 'w') return 'wrong';
  return result === 'right' && verdict === 'r' ? 'right' : 'short';
}

interface App {
  /** Length of an upload, and of the answer to it. */
  bytes: number;
  address: { host: string; port: number };
  stop(): Promise<void>;
}

/** Answers an upload with its verdict (the first letter of `right`, `wrong` or `short`) and with bytes of its own. */
async function startApp(bytes: number): Promise<App> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    sockets.add(socket.on('error', () => {}).once('close', () => sockets.delete(socket)));
    void serve(socket, bytes).catch(() => {});
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const bound = server.address();
  return {
    bytes,
    address: { host: '127.0.0.1', port: typeof bound === 'object' && bound !== null ? bound.port : 0 },
    stop: async () => {
      const closed = new Promise(resolve => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function serve(socket: Socket, bytes: number): Promise<void> {
  let upload: NoiseCheck | undefined;
  let seed = 0;
  let head = Buffer.alloc(0);
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    if (upload !== undefined) {
      upload.take(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < 4) continue;
    seed = head.readUInt32BE();
    upload = new NoiseCheck(seed);
    upload.take(head.subarray(4));
  }
  const result = upload?.result(bytes) ?? 'nothing';
  const verdict = result === 'right' ? 'r' : result.includes('wrong') ? 'w' : 's';
  socket.end(Buffer.concat([Buffer.from(verdict), new Noise(-seed).take(bytes)]));
}
