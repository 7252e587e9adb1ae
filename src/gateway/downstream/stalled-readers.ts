// Finds visitors who do not read their answers: they would keep their slot, and the memory for their answer, forever.
// Used by http1-server.ts, for WebSockets too, and by http2-server.ts.

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** How many times the streams are checked within `stalledMs`. */
const SWEEPS_PER_LIMIT = 4;

interface Wait {
  /** How many bytes had been sent at that time. */
  taken: number;
  /** A time of performance.now(). */
  since: number;
}

/**
 * Calls `close`, which must not throw, for each stream that has had bytes waiting for `stalledMs` and has sent none of
 * them. Progress is seen only in whole chunks as they were
 * written: 256 KB at most, and 64 KB over HTTP/2. `countTaken` counts the sent
 * bytes of streams that do not count them. A stream with nothing waiting may be silent for any time.
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

/** If the stream does not count its bytes, only a change in the number of waiting bytes can be seen. */
function countBytes(socket: Duplex): number {
  return (socket instanceof Socket ? socket.bytesWritten : 0) - socket.writableLength;
}
