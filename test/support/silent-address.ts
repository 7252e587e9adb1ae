// An address that does not answer: connections to it are neither accepted nor refused, as on a link that is down. Used
// by test/tunnel/session/dial.test.ts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A program that prints its port and then blocks, without accepting connections. */
const BLOCKED_LISTENER = `
  const server = require('node:net').createServer();
  server.listen({ host: process.argv[1], port: Number(process.argv[2]), backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

export interface SilentAddress {
  port: number;
  /** Closes the port; connections that wait are refused. May be called twice. */
  stop(): Promise<void>;
}

/**
 * A listener that accepts nothing, with a full queue: Linux drops further connections. `port` 0 for any. Ends with the
 * test.
 */
export async function startSilentAddress(host: string, port = 0): Promise<SilentAddress> {
  const child = spawn(process.execPath, ['-e', BLOCKED_LISTENER, host, String(port)], {
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
  // Linux queues one more than the backlog; the first connection that hangs shows that the queue is full.
  for (let last: Socket | undefined; last === undefined || !last.connecting; ) {
    last = connect(bound, host).on('error', () => {});
    fillers.push(last);
    await Promise.race([once(last, 'connect'), new Promise(resolve => setTimeout(resolve, 300))]);
  }
  return { port: bound, stop };
}
