// The real `bore server`, and the secret it shares with all its clients. Used by the cases.

import { startProgram } from './process.ts';
import { PROGRAMS } from './programs.ts';

export const SECRET = 'the-secret-of-the-benchmark';
/** Of the control connections; the real server cannot be told another. */
export const CONTROL_PORT = 7835;

/**
 * What the servers give away: below the ports that the kernel gives to connections, so that nobody takes one while a
 * server is away.
 */
export const PORT_RANGE = { min: 20_000, max: 32_000 };

/** Servers of one benchmark are told apart by their address; the first is for all cases that need but one. */
export const HOSTS = Array.from({ length: 20 }, (_, index) => `127.0.0.${190 + index}`);
export const [HOST = ''] = HOSTS;

export interface BoreServer {
  readonly host: string;
  readonly pid: number;
  /** Of performance.now(). */
  readonly listeningAt: number;
  /** As when the machine is gone: nothing is said, and nothing closed by the program itself. */
  kill(): Promise<void>;
}

/** Resolves when it listens. */
export async function startBoreServer(host = HOST, namespace?: string): Promise<BoreServer> {
  const range = ['--min-port', `${PORT_RANGE.min}`, '--max-port', `${PORT_RANGE.max}`];
  const args = ['server', '--bind-addr', host, ...range];
  const program = startProgram(PROGRAMS.bore, args, { environment: { BORE_SECRET: SECRET }, namespace });
  const { at } = await program.waitFor(
    text => (text.includes('server listening') ? true : undefined),
    'it listens',
  );
  const kill = async () => {
    program.kill('SIGKILL');
    await program.ended;
  };
  return { host, pid: program.pid, listeningAt: at, kill };
}
