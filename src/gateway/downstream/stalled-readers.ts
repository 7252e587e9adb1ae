// Finds visitors who do not take what is sent to them, and would hold their place, and what waits for them, for ever.
// Used by visitor-server.ts, for WebSockets too.

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** How often they are looked for, as a part of the limit. */
const SWEEPS_PER_LIMIT = 4;

interface Wait {
  /** What had been taken then. */
  taken: number;
  /** Of performance.now(). */
  since: number;
}

/**
 * Calls `close`, which must not throw, for the streams of `sockets` for which bytes wait, and none were taken for
 * `stalledMs`. Counted are the pieces a stream was given, which are of 64 KB at most; `countTaken` says how much, for
 * streams that do not count it themselves. A stream for which nothing waits may be silent as long as it likes.
 */
export function watchStalledReaders<Stream extends Duplex>(
  sockets: ReadonlySet<Stream>,
  stalledMs: number,
  close: (socket: Stream) => void,
  countTaken: (socket: Stream) => number = countBytes,
): { stop(): void } {
  const waits = new WeakMap<Duplex, Wait>();
  const check = (socket: Stream, now: number) => {
    if (socket.writableLength === 0) return void waits.delete(socket);
    const taken = countTaken(socket);
    const wait = waits.get(socket);
    if (wait === undefined || wait.taken !== taken) waits.set(socket, { taken, since: now });
    else if (now - wait.since >= stalledMs) close(socket);
  };
  const sweep = () => {
    const now = performance.now();
    for (const socket of sockets) check(socket, now);
  };
  const timer = setInterval(sweep, stalledMs / SWEEPS_PER_LIMIT).unref();
  return { stop: () => clearInterval(timer) };
}

/** Of a stream that does not count its bytes, that of those which wait is all there is to see. */
function countBytes(socket: Duplex): number {
  return (socket instanceof Socket ? socket.bytesWritten : 0) - socket.writableLength;
}
