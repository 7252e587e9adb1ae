// The real bore servers of the simulator: started, ended by a signal and started again on the same address, and measured
// from /proc. Used by world.ts and the scenarios.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readCpuSeconds, readRssMb } from '../rig/proc.ts';
import { PROGRAMS } from '../rig/programs.ts';

export const SECRET = 'the-secret-of-the-simulator';
/** As in docs/private-server.md: below the ports that the kernel gives to outgoing connections. */
export const PORT_RANGE = { min: 20_000, max: 29_999 };
const CONTROL_PORT = 7835;

const START_LIMIT_MS = 20_000;
const POLL_MS = 2;

export interface ServerSample {
  cpuSeconds: number;
  rssMb: number;
  /** Open file descriptors: nearly all of them are sockets. */
  files: number;
}

export interface BoreServer {
  readonly host: string;
  readonly address: { host: string; port: number };
  readonly pid: number;
  /** When it began to listen, by its own log; as Date.now(). */
  readonly listeningAt: number;
  /** The exit code, or the signal that ended it; undefined while it runs. */
  readonly exit: number | string | undefined;
  /** Resolves with the time when it was sent the signal, after it has exited. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number>;
  sample(): ServerSample;
  /** What it has written to its log so far. */
  readLog(): string;
}

export interface ServerOptions {
  range?: { min: number; max: number };
  namespace?: string | undefined;
  /** The limit of open files (RLIMIT_NOFILE); default: as for this process. */
  maxFiles?: number;
}

/** Resolves when it listens. It is killed when this process exits. */
export async function startServer(host: string, options: ServerOptions = {}): Promise<BoreServer> {
  const folder = mkdtempSync(join(tmpdir(), 'bore-load-'));
  const log = join(folder, 'log');
  const [command = '', ...args] = listCommand(host, options);
  // A file, as journald would read it: a pipe to this process would make this process part of what is measured.
  const output = openSync(log, 'w');
  const child = spawn(command, args, {
    env: { ...process.env, NO_COLOR: '1', BORE_SECRET: SECRET },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  let exit: number | string | undefined;
  const ended = once(child, 'exit').then(([code, signal]) => {
    exit = code ?? signal;
    process.off('exit', kill);
  });
  const readLog = () => readFileSync(log, 'utf8');
  const listeningAt = await waitForListening(readLog, () => exit !== undefined);
  const pid = child.pid ?? 0;
  return {
    host,
    address: { host, port: CONTROL_PORT },
    pid,
    listeningAt,
    get exit() {
      return exit;
    },
    end: async signal => {
      const at = Date.now();
      child.kill(signal);
      await ended;
      rmSync(folder, { recursive: true, force: true });
      return at;
    },
    sample: () => ({
      cpuSeconds: readCpuSeconds(pid),
      rssMb: readRssMb(pid),
      files: readdirSync(`/proc/${pid}/fd`).length,
    }),
    readLog,
  };
}

/** Program and arguments. */
function listCommand(host: string, { range = PORT_RANGE, namespace, maxFiles }: ServerOptions): string[] {
  const ports = ['--min-port', `${range.min}`, '--max-port', `${range.max}`];
  const bore = [PROGRAMS.bore, 'server', '--bind-addr', host, ...ports];
  const limited =
    maxFiles === undefined ? bore : ['sh', '-c', `ulimit -n ${maxFiles}; exec "$@"`, 'sh', ...bore];
  return namespace === undefined ? limited : ['ip', 'netns', 'exec', namespace, ...limited];
}

/** bore's log begins with `2026-11-29T07:35:00.123456Z  INFO bore_cli::server: server listening`. */
async function waitForListening(readLog: () => string, isOver: () => boolean): Promise<number> {
  for (const deadline = Date.now() + START_LIMIT_MS; ; await delay(POLL_MS)) {
    const written = /^(\S+Z)\s.*server listening/m.exec(readLog())?.[1];
    if (written !== undefined) return Date.parse(written);
    if (isOver() || Date.now() > deadline) throw new Error(`bore server does not start:\n${readLog()}`);
  }
}
