// An address where nobody answers: packets to it are neither accepted nor refused, as on a link that is down. For the
// tests of dialling.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** Prints its port and then does nothing any more, not even accept. */
const DEAF = `
  const server = require('node:net').createServer();
  server.listen({ host: process.argv[1], port: Number(process.argv[2]), backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

export interface SilentAddress {
  port: number;
  /** Its port is closed from now on; connections that wait are refused. May be called twice. */
  stop(): Promise<void>;
}

/**
 * A listener that accepts nobody, its queue filled by us: Linux drops what comes then. `port` 0 for any. Ends with the
 * test.
 */
export async function startSilentAddress(host: string, port = 0): Promise<SilentAddress> {
  const child = spawn(process.execPath, ['-e', DEAF, host, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const fillers: Socket[] = [];
  const stop = async () => {
    for (const socket of fillers) socket.destroy();
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  onTestFinished(stop);
  const bound = Number(String((await once(child.stdout, 'data'))[0]));
  // Linux keeps one more than the backlog; the first who hangs shows that it is full.
  for (let last: Socket | undefined; last === undefined || !last.connecting; ) {
    last = connect(bound, host).on('error', () => {});
    fillers.push(last);
    await Promise.race([once(last, 'connect'), new Promise(resolve => setTimeout(resolve, 300))]);
  }
  return { port: bound, stop };
}
