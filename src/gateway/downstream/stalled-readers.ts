// Finds visitors who do not read what is sent to them, and would keep their slot, and what waits for them, forever. Used
// by http1-server.ts, for WebSockets too, and by http2-server.ts.

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** How often it is checked in the time of the limit. */
const SWEEPS_PER_LIMIT = 4;

interface Wait {
  /** Bytes taken at that time. */
  taken: number;
  /** Of performance.now(). */
  since: number;
}

/**
 * Calls `close`, which must not throw, for each of the streams that has bytes waiting of which the visitor has taken none
 * for `stalledMs`. Bytes are counted in the pieces that were written, of 64 KB at most; `countTaken` counts them for
 * streams that do not themselves. A stream with nothing waiting may be silent for as long as it likes.
 */
export function watchStalledReaders<Stream extends Duplex>(
  listOpen: () => Iterable<Stream>,
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
    for (const socket of listOpen()) check(socket, now);
  };
  const timer = setInterval(sweep, stalledMs / SWEEPS_PER_LIMIT).unref();
  return { stop: () => clearInterval(timer) };
}

/** For a stream that does not count its bytes, a change in what waits is all there is to see. */
function countBytes(socket: Duplex): number {
  return (socket instanceof Socket ? socket.bytesWritten : 0) - socket.writableLength;
}
