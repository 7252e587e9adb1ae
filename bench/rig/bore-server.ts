// The real `bore server`, and the secret it shares with all its clients. Used by the cases.

import { connect } from 'node:net';
import { type Program, startProgram, waitUntil } from './process.ts';
import { PROGRAMS } from './programs.ts';

export const SECRET = 'the-secret-of-the-benchmark';
/** The control port, which the real server cannot be told. */
const CONTROL_PORT = 7835;

/** Servers of one benchmark are told apart by their address; the first is for all cases that need but one. */
export const HOSTS = Array.from({ length: 20 }, (_, index) => `127.0.0.${190 + index}`);
export const [HOST = ''] = HOSTS;

export interface BoreServer {
  readonly host: string;
  readonly pid: number;
  /** As when the machine is gone: nothing is said, and nothing closed by the program itself. */
  kill(): Promise<void>;
}

/** Resolves when it listens. */
export async function startBoreServer(host = HOST): Promise<BoreServer> {
  const program = spawnServer(host);
  await waitUntil(async () => (await accepts(host)) || undefined, `bore server listens on ${host}`);
  return program;
}

function spawnServer(host: string): BoreServer {
  const program: Program = startProgram(
    PROGRAMS.bore,
    ['server', '--bind-addr', host, '--min-port', '20000'],
    {
      environment: { BORE_SECRET: SECRET },
    },
  );
  const kill = async () => {
    program.kill('SIGKILL');
    await program.ended;
  };
  return { host, pid: program.pid, kill };
}

/** Whether something listens there. */
export function accepts(host: string, port = CONTROL_PORT): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port });
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}
