// For all tests that open a tunnel: real bore servers on loopback addresses, a TCP forwarder that can freeze, and a
// tunnel whose states and log are recorded.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { Logger } from '../../src/shared/log.ts';
import type { TunnelState } from '../../src/shared/state.ts';
import type { ServerAddress } from '../../src/tunnel/address.ts';
import type { TunnelOptions } from '../../src/tunnel/tunnel.ts';
import { requirePart } from './real-parts.ts';
import { waitUntil } from './wait-until.ts';
import { startWatchedTunnel, type WatchedOptions, type WatchedTunnel } from './watched-tunnel.ts';

/** Long: it only stops a test that hangs. */
const DEADLINE_MS = 20_000;

export interface RealServer {
  address: ServerAddress;
  kill(): Promise<void>;
}

interface RealServerOptions {
  secret?: string;
  minPort?: number;
  maxPort?: number;
  bindTunnels?: string;
}

/** The Rust `bore server` until the end of the test. Its control port is fixed, so each needs an address of its own. */
export async function startRealServer(host: string, options: RealServerOptions = {}): Promise<RealServer> {
  const server = await launchRealServer(host, options);
  onTestFinished(server.kill);
  return server;
}

/** The Rust `bore server` until it is killed, for test files that share one. */
export async function launchRealServer(host: string, options: RealServerOptions = {}): Promise<RealServer> {
  const { minPort = 20_000, maxPort = 65_535, bindTunnels = host } = options;
  const binding = ['--bind-addr', host, '--bind-tunnels', bindTunnels];
  const args = ['server', ...binding, '--min-port', `${minPort}`, '--max-port', `${maxPort}`];
  const child = spawn(requirePart('bore'), args, { env: environment(options.secret), stdio: 'ignore' });
  const kill = () => end(child);
  await waitUntil(() => accepts(host, 7835), `bore listens on ${host}`).catch(async error => {
    await kill();
    throw error;
  });
  return { address: { host, port: 7835 }, kill };
}

/** The Rust `bore local`, exposing `port` of 127.0.0.1; resolves with its public port. */
export async function startRealClient(port: number, to: string, secret?: string): Promise<number> {
  const child = spawn(requirePart('bore'), ['local', `${port}`, '--to', to, '--local-host', '127.0.0.1'], {
    env: { ...environment(secret), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => end(child));
  let output = '';
  child.stdout.on('data', chunk => {
    output += String(chunk);
  });
  const found = () => /listening at [^\s:]+:(\d+)/.exec(output)?.[1];
  await waitUntil(() => found() !== undefined, 'bore local has a port');
  return Number(found());
}

function environment(secret: string | undefined): NodeJS.ProcessEnv {
  const { BORE_SECRET: _, ...rest } = process.env;
  return secret === undefined ? rest : { ...rest, BORE_SECRET: secret };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

export async function accepts(host: string, port: number): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

export interface Forwarder {
  address: ServerAddress;
  /** The forwarded connections, in the order in which they came. */
  readonly pairs: readonly Pair[];
  /** Passes nothing more in either direction, not even a close, and refuses new connections. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
}

interface Pair {
  near: Socket;
  far: Socket;
}

/** Forwards connections from its own port on 127.0.0.1 to `target`. */
export async function startForwarder(target: ServerAddress): Promise<Forwarder> {
  const pairs: Pair[] = [];
  let frozen = false;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, near => {
    const far = connect({ ...target, allowHalfOpen: true, noDelay: true });
    pairs.push({ near, far });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.pipe(to);
      from.on('error', () => {}).once('close', () => frozen || to.resetAndDestroy());
    }
  });
  const listen = async (port: number) => void (await once(server.listen(port, '127.0.0.1'), 'listening'));
  await listen(0);
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  onTestFinished(() => {
    frozen = false;
    server.close();
    for (const { near, far } of pairs) for (const socket of [near, far]) socket.destroy();
  });
  return {
    address: { host: '127.0.0.1', port },
    pairs,
    freeze: async () => {
      frozen = true;
      for (const { near, far } of pairs) {
        near.unpipe(far).pause();
        far.unpipe(near).pause();
      }
      server.close();
    },
    thaw: async () => {
      frozen = false;
      for (const { near, far } of pairs) {
        if (near.destroyed) far.resetAndDestroy();
        near.pipe(far);
        far.pipe(near);
      }
      await listen(port);
    },
  };
}

export interface RecordedTunnel {
  tunnel: WatchedTunnel;
  states: TunnelState[];
  log: string[];
}

/** Short forms, because most tests use one server and a port number. */
export type TunnelSettings = Omit<Partial<WatchedOptions>, 'remotePort'> & {
  server?: ServerAddress;
  secret?: string;
  remotePort?: TunnelOptions['remotePort'] | number;
};

/** A tunnel that ends with the test. Visitors get their own bytes back unless there is another `destination`. */
export async function openTunnel(settings: TunnelSettings): Promise<RecordedTunnel> {
  const recorded = recordLog();
  const { server, secret, remotePort = { kind: 'random' }, ...rest } = settings;
  const tunnel = await startWatchedTunnel({
    servers: server === undefined ? [] : [{ address: server, secret }],
    identity: 'a preview',
    remotePort: typeof remotePort === 'number' ? { kind: 'fixed', port: remotePort } : remotePort,
    destination: echo,
    onState: state => void recorded.states.push(state),
    logger: recorded.logger,
    signal: AbortSignal.timeout(DEADLINE_MS),
    ...rest,
  });
  onTestFinished(() => tunnel.stop({ drainMs: 0 }));
  return { tunnel, states: recorded.states, log: recorded.log };
}

/** The error, the log and the states of a tunnel that fails to start. */
export async function failToOpen(
  settings: TunnelSettings,
): Promise<{ message: string; states: TunnelState[]; log: string[] }> {
  const recorded = recordLog();
  try {
    const { tunnel } = await openTunnel({
      onState: state => void recorded.states.push(state),
      logger: recorded.logger,
      ...settings,
    });
    await tunnel.stop({ drainMs: 0 });
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error), ...recorded };
  }
  throw new Error('the tunnel was opened, but the test expects a failure');
}

function recordLog(): { states: TunnelState[]; log: string[]; logger: Logger } {
  const log: string[] = [];
  const add = (level: string) => (message: string) => void log.push(`${level} ${message}`);
  return {
    states: [],
    log,
    logger: { debug: add('debug'), info: add('info'), warn: add('warn'), error: add('error') },
  };
}

export function echo(visitor: Duplex): void {
  visitor.on('error', () => {}).pipe(visitor);
}

/** Resolves when the socket is closed, also by a reset. */
export function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => void socket.on('error', () => {}).once('close', () => resolve()));
}

/** The public port of a connected tunnel. */
export function portOf(tunnel: WatchedTunnel): number {
  if (tunnel.state.status !== 'Connected') throw new Error(`the tunnel is ${tunnel.state.status}`);
  return tunnel.state.port;
}

/** Connects, sends `text`, ends its direction, and returns everything that comes back. */
export async function exchange(host: string, port: number, text: string): Promise<string> {
  const socket = connect({ host, port, allowHalfOpen: true });
  socket.setTimeout(DEADLINE_MS, () => socket.destroy(new Error('no answer')));
  socket.end(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}
