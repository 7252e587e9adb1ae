// Starts the real `bore server`, with a secret that all tunnels know. Used by the testbed, the far link and the cases.

import { startProgram } from './process.ts';
import { PROGRAMS } from './programs.ts';

export const SECRET = 'the-secret-of-the-benchmark';
/** The port for control connections. The real server has no option to change it. */
export const CONTROL_PORT = 7835;

/**
 * The public ports of the servers. They are below the kernel's range for outgoing connections, so that no connection
 * takes one of them while a server is down.
 */
export const PORT_RANGE = { min: 20_000, max: 32_000 };

/** Several servers run at the same time, each on its own loopback address. Cases with one server use the first. */
export const HOSTS = Array.from({ length: 25 }, (_, index) => `127.0.190.${index + 1}`);
export const [HOST = ''] = HOSTS;

export interface BoreServer {
  readonly host: string;
  readonly pid: number;
  /** On the scale of performance.now(). */
  readonly listeningAt: number;
  /** Ends it with SIGKILL, so that it cannot close anything itself. Resolves when it has exited. */
  kill(): Promise<void>;
}

/** Resolves when the server listens. */
export async function startBoreServer(host = HOST, namespace?: string): Promise<BoreServer> {
  const range = ['--min-port', `${PORT_RANGE.min}`, '--max-port', `${PORT_RANGE.max}`];
  const args = ['server', '--bind-addr', host, ...range];
  const program = startProgram(PROGRAMS.bore, args, { environment: { BORE_SECRET: SECRET }, namespace });
  const { at } = await program.waitFor(
    text => (text.includes('server listening') ? true : undefined),
    'the line "server listening"',
  );
  const kill = async () => {
    program.kill('SIGKILL');
    await program.ended;
  };
  return { host, pid: program.pid, listeningAt: at, kill };
}
