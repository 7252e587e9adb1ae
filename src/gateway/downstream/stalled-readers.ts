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
 * Closes the streams of `sockets` for which bytes wait, and none were taken for `stalledMs`. Counted are the pieces a
 * stream was given, which are of 64 KB at most. A stream for which nothing waits may be silent as long as it likes.
 */
export function watchStalledReaders(sockets: ReadonlySet<Duplex>, stalledMs: number): { stop(): void } {
  const waits = new WeakMap<Duplex, Wait>();
  const sweep = () => {
    const now = performance.now();
    for (const socket of sockets) {
      if (socket.writableLength === 0) {
        waits.delete(socket);
        continue;
      }
      const taken = countTaken(socket);
      const wait = waits.get(socket);
      if (wait === undefined || wait.taken !== taken) waits.set(socket, { taken, since: now });
      else if (now - wait.since >= stalledMs) cut(socket);
    }
  };
  const timer = setInterval(sweep, stalledMs / SWEEPS_PER_LIMIT).unref();
  return { stop: () => clearInterval(timer) };
}

/** Of a stream that does not count its bytes, that of those which wait is all there is to see. */
function countTaken(socket: Duplex): number {
  return (socket instanceof Socket ? socket.bytesWritten : 0) - socket.writableLength;
}

/** With a reset, so that the system forgets what it holds for this visitor too. */
function cut(socket: Duplex): void {
  if (socket instanceof Socket) socket.resetAndDestroy();
  else socket.destroy();
}
