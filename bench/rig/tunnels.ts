// Starts the tunnels that are compared: ours (raw, gateway) and the peers (bore local, wasmrun, bore local with Caddy).
// Each exposes one local port at a public port of the same bore server. Used by the testbed, the far link and the cases.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../../src/app/process/free-port.ts';
import { PORT_RANGE, SECRET } from './bore-server.ts';
import { startCaddyProxy } from './caddy.ts';
import { LOGIN, openSession, PASSWORD_HEADER, VISITORS_KEY } from './credentials.ts';
import { type Program, startProgram, waitUntil } from './process.ts';
import { PROGRAMS } from './programs.ts';

export const PEERS = ['bore local', 'wasmrun'] as const;
export const OURS = ['raw', 'gateway'] as const;
export type PeerName = (typeof PEERS)[number];
export type OwnName = (typeof OURS)[number];
/** In this order, each round begins and ends with a peer. */
export const TUNNELS: readonly (PeerName | OwnName)[] = [...PEERS, ...OURS];
/** The gateway that lets only visitors with a key in: `access: basic` and `access: link`. */
export const LOCKED = ['gateway with a password', 'gateway with a link'] as const;
export type LockedName = (typeof LOCKED)[number];
/** The same job done by two programs: Caddy asks for a password, and `bore local` is the tunnel. */
export const CADDY_PAIR = 'bore local with Caddy';
export type TunnelName = PeerName | OwnName | LockedName | typeof CADDY_PAIR;

export interface TunnelTarget {
  /** Address of the bore server. */
  server: string;
  /** The port of 127.0.0.1 that is exposed. */
  port: number;
  /** A folder with a web app that is exposed instead. Only for `gateway`. */
  folder?: string;
  /** The public port to ask for. Default: one that the server or the client chooses. */
  remotePort?: number;
  /** Files with certificate and key, for TLS that ends on the runner. Only for `gateway`. */
  tls?: { cert: string; key: string };
  /** Who may open it; default: everybody. Only for `gateway`. */
  access?: 'basic' | 'link';
  /** The paths whose requests are recorded. Only for `gateway`. */
  capture?: string;
  /** Run `src/cli.ts` instead of the bundle. */
  fromSource?: boolean;
  /** Options of Node.js. Only for ours. */
  nodeFlags?: readonly string[];
  /** The network namespace of the client. Not for wasmrun, which is configured over its own port. */
  namespace?: string | undefined;
}

export interface RunningTunnel {
  readonly name: TunnelName;
  readonly pid: number;
  /** All processes that do the work. */
  readonly pids: readonly number[];
  readonly host: string;
  readonly port: number;
  /** Header lines that a visitor sends to be let in, such as `Cookie: …`. */
  readonly headers: readonly string[];
  /** `http://HOST:PORT`, or https. */
  readonly url: string;
  readonly program: Program;
  stop(): Promise<void>;
}

/** Starts a tunnel. Resolves when it has a public port and is ready for visitors. */
export function startTunnel(name: TunnelName, target: TunnelTarget): Promise<RunningTunnel> {
  if (name === 'bore local') return startBoreLocal(target);
  if (name === 'wasmrun') return startWasmrun(target);
  if (name === CADDY_PAIR) return startCaddyPair(target);
  if (name === 'gateway with a password') return startWithPassword(target);
  if (name === 'gateway with a link') return startWithLink(target);
  return startOurs(name, target);
}

async function startCaddyPair(target: TunnelTarget): Promise<RunningTunnel> {
  await using starting = new AsyncDisposableStack();
  const caddy = starting.adopt(await startCaddyProxy(target.port), one => one.stop());
  const bore = starting.adopt(await startBoreLocal({ ...target, port: caddy.port }), one => one.stop());
  const started = starting.move();
  return {
    ...bore,
    name: CADDY_PAIR,
    pids: [caddy.pid, bore.pid],
    headers: [PASSWORD_HEADER],
    stop: () => started.disposeAsync(),
  };
}

async function startWithPassword(target: TunnelTarget): Promise<RunningTunnel> {
  const tunnel = await startOurs('gateway', { ...target, access: 'basic' });
  return { ...tunnel, name: 'gateway with a password', headers: [PASSWORD_HEADER] };
}

async function startWithLink(target: TunnelTarget): Promise<RunningTunnel> {
  const tunnel = await startOurs('gateway', { ...target, access: 'link' });
  return { ...tunnel, name: 'gateway with a link', headers: [await openSession(tunnel.url)] };
}

async function startBoreLocal(target: TunnelTarget): Promise<RunningTunnel> {
  const port = target.remotePort === undefined ? [] : ['--port', `${target.remotePort}`];
  const args = ['local', `${target.port}`, '--to', target.server, '--local-host', '127.0.0.1', ...port];
  const program = startProgram(PROGRAMS.bore, args, {
    environment: { BORE_SECRET: SECRET },
    namespace: target.namespace,
  });
  const { value } = await program.waitFor(
    text => /listening at [^\s:]+:(\d+)/.exec(text)?.[1],
    'its public port',
  );
  return describe('bore local', target, Number(value), program);
}

/** wasmrun also looks for a second port, at least 20 above the given one. */
const MAX_WASMRUN_PORT = 65_000;

/**
 * Starts `wasmrun os --expose` with an empty program, and sets the exposed port over its API, as wasmrun's page does.
 */
async function startWasmrun(target: TunnelTarget): Promise<RunningTunnel> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-wasmrun-'));
  mkdirSync(join(folder, 'home', '.wasmrun', 'runtimes'), { recursive: true });
  mkdirSync(join(folder, 'app'));
  writeFileSync(join(folder, 'app', 'index.js'), 'require("http").createServer().listen(3000)\n');
  // By default, wasmrun exposes only the ports 3000 to 9999.
  writeFileSync(join(folder, 'app', 'wasmrun.toml'), '[os.network]\nbind_ports = "1024-65535"\n');
  const apiPort = await findFreePort(MAX_WASMRUN_PORT);
  const args = ['os', join(folder, 'app'), '-P', `${apiPort}`, '--expose', '--tunnel-server', target.server];
  const program = startProgram(PROGRAMS.wasmrun, args, {
    environment: {
      HOME: join(folder, 'home'),
      TMPDIR: folder,
      WASMRUN_TUNNEL_SECRET: SECRET,
      // A closed port, because the runtime is not needed and must not be downloaded.
      WASMRUN_WASMHUB_BASE_URL: 'http://127.0.0.1:9',
    },
  });
  const port = await waitUntil(() => requestPublicPort(apiPort, target.port), "wasmrun's public port");
  const tunnel = describe('wasmrun', target, port, program);
  const stop = async () => {
    await tunnel.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...tunnel, stop };
}

/** Asks wasmrun to expose `localPort`. Resolves with the public port, or undefined if it does not answer yet. */
async function requestPublicPort(apiPort: number, localPort: number): Promise<number | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${apiPort}/api/tunnel/target`, {
      method: 'POST',
      body: JSON.stringify({ port: localPort }),
    });
    const state = (await response.json()) as { public_port?: number | null; target_port?: number | null };
    return state.target_port === localPort ? (state.public_port ?? undefined) : undefined;
  } catch {
    return undefined; // wasmrun does not listen yet
  }
}

/** The fields of a line of `expose run --json` that the benchmarks use. */
export interface OwnState {
  status: string;
  public_host: string | null;
  public_port: number | null;
  app: { port: number | null };
  exposure: { phase: string };
}

/** Undefined for a line that is not JSON. */
export function parseState(text: string): OwnState | undefined {
  return text.startsWith('{') ? (JSON.parse(text) as OwnState) : undefined;
}

/** More than any case sends. The peers have no limit. */
const LONGEST_UPLOAD = '4GB';

/** The command and arguments of `expose run` for this target. */
export function describeOwnCommand(name: OwnName, target: TunnelTarget): [string, ...string[]] {
  const entry = target.fromSource ? PROGRAMS.exposeSource : PROGRAMS.expose;
  const app =
    target.folder === undefined
      ? ['--mode', 'port', '--port', `${target.port}`]
      : [target.folder, '--mode', 'web'];
  const flags = [...app, '--server', target.server, '--json'];
  flags.push('--access', target.access ?? 'open'); // most peers are open too
  if (target.remotePort !== undefined) flags.push('--remote-port', `${target.remotePort}`);
  // Without it, the client would first try ports outside the server's range, which is not what is measured.
  else flags.push('--port-range', `${PORT_RANGE.min}-${PORT_RANGE.max}`);
  if (name === 'raw') flags.push('--protocol', 'tcp');
  else flags.push('--max-body', LONGEST_UPLOAD);
  if (target.capture !== undefined) flags.push('--capture', target.capture);
  if (target.tls) flags.push('--tls-cert', target.tls.cert, '--tls-key', target.tls.key);
  return [process.execPath, ...(target.nodeFlags ?? []), entry, 'run', ...flags];
}

async function startOurs(name: OwnName, target: TunnelTarget): Promise<RunningTunnel> {
  const [command, ...args] = describeOwnCommand(name, target);
  const program = startProgram(command, args, {
    environment: { BORE_SECRET: SECRET, ...listSecrets(target.access) },
    namespace: target.namespace,
  });
  const { value } = await program.waitFor(text => {
    const state = parseState(text);
    return state?.exposure.phase === 'live' ? (state.public_port ?? undefined) : undefined;
  }, 'the state live');
  return describe(name, target, value, program);
}

function listSecrets(access: TunnelTarget['access']): Record<string, string> {
  if (access === 'basic') return { EXPOSE_BASIC_AUTH: LOGIN };
  return access === 'link' ? { EXPOSE_ACCESS_KEY: VISITORS_KEY } : {};
}

function describe(name: TunnelName, target: TunnelTarget, port: number, program: Program): RunningTunnel {
  const host = target.server;
  return {
    name,
    pid: program.pid,
    pids: [program.pid],
    host,
    port,
    headers: [],
    url: `${target.tls ? 'https' : 'http'}://${host}:${port}`,
    program,
    stop: () => program.stop(),
  };
}
