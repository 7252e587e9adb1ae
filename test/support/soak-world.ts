// The parts of a soak: the real bore server, the link to it, the tunnels in a process of their own, and the app.
// Used by soak.ts and soak-faults.ts.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_CONTROL_PORT } from '../../src/tunnel/wire/protocol.ts';
import { requirePart } from './real-parts.ts';
import { openSoakLink, type SoakLink } from './soak-link.ts';
import { startSoakApp } from './soak-visits.ts';
import { type ChildTunnel, startTunnelProcess, type TunnelProcess } from './tunnel-process.ts';

/** The kinds of tunnels; each gets a share of the visits. */
export const MODES: readonly ChildTunnel['mode'][] = ['gateway', 'raw'];

const SECRET = 'a secret of some length';
const SERVER_DEADLINE_MS = 20_000;

export interface SoakWorld {
  /** The host of the public ports. */
  readonly host: string;
  readonly link: SoakLink;
  readonly tunnels: TunnelProcess;
  killServer(): Promise<void>;
  /** Resolves when it listens. */
  startServer(): Promise<void>;
  close(): Promise<void>;
}

export async function openSoakWorld(host: string): Promise<SoakWorld> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const one of closers.splice(0).reverse()) await one();
  };
  let server: ChildProcess | undefined;
  const startServer = async () => {
    server = await startServerOn(host);
  };
  const killServer = async () => {
    if (server !== undefined) await kill(server);
  };
  try {
    closers.push(killServer);
    await startServer();
    const app = await startSoakApp();
    closers.push(app.stop);
    const link = await openSoakLink({ host, port: DEFAULT_CONTROL_PORT });
    closers.push(link.stop);
    const wish = { server: link.address, publicHost: host, secret: SECRET, app: app.port };
    const tunnels = await startTunnelProcess(MODES.map(mode => ({ ...wish, mode })));
    closers.push(tunnels.kill);
    return { host, link, tunnels, killServer, startServer, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startServerOn(host: string): Promise<ChildProcess> {
  // If another process's server listens, ours would end at once, and the other one would look like ours.
  if (await accepts(host, DEFAULT_CONTROL_PORT))
    throw new Error(
      `another server listens on ${host}:${DEFAULT_CONTROL_PORT}: give the soak another \`host\``,
    );
  // Below the ports that the kernel gives to connections, so that no connection takes ours while the server is away.
  const args = ['server', '--bind-addr', host, '--min-port', '20000', '--max-port', '32000'];
  const env = { ...process.env, BORE_SECRET: SECRET };
  const server = spawn(requirePart('bore'), args, { env, stdio: 'ignore' });
  const deadline = performance.now() + SERVER_DEADLINE_MS;
  while (!(await accepts(host, DEFAULT_CONTROL_PORT))) {
    if (performance.now() > deadline) {
      await kill(server);
      throw new Error(`the bore server did not listen on ${host} within ${SERVER_DEADLINE_MS / 1_000} s`);
    }
    await delay(10);
  }
  return server;
}

async function kill(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill('SIGKILL');
  await once(server, 'exit');
}

async function accepts(host: string, port: number): Promise<boolean> {
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
