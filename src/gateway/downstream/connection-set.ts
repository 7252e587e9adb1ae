// The open connections of one server of this folder, from their admission to the end of the server. Used by
// http1-server, http2-server and tls-front. Whether there is room for a connection is decided for all three of them by
// connection-slots.ts.

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ignoreErrors } from './closing.ts';
import type { ConnectionSlots } from './connection-slots.ts';

export class ConnectionSet {
  readonly #slots: ConnectionSlots;
  readonly #open = new Set<Duplex>();
  #isStopping = false;

  constructor(slots: ConnectionSlots) {
    this.#slots = slots;
  }

  /** Those that are not closed yet. */
  get open(): ReadonlySet<Duplex> {
    return this.#open;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** False, and the connection is closed, if there is no slot for it or no connection is admitted any more. */
  admit(connection: Duplex): boolean {
    ignoreErrors(connection);
    if (this.#isStopping || connection.destroyed || !this.#slots.take(connection)) {
      connection.destroy();
      return false;
    }
    this.#open.add(connection);
    connection.once('close', () => this.#open.delete(connection));
    // As Node does to the connections it accepts itself.
    if (connection instanceof Socket) connection.setNoDelay(true);
    return true;
  }

  /** From now on no connection is admitted. */
  refuseNew(): void {
    this.#isStopping = true;
  }

  /**
   * Refuses new connections, and calls `end` for each open one, which may close it now or when its answers are out. What
   * is still open after `drainMs` is destroyed. Resolves when all are closed. May be called twice.
   */
  async stop(drainMs: number, end: (connection: Duplex) => void): Promise<void> {
    this.refuseNew();
    const closed = [...this.#open].map(awaitClose);
    if (drainMs === 0) this.#destroyAll();
    else for (const connection of this.#open) end(connection);
    const timer = setTimeout(() => this.#destroyAll(), drainMs);
    await Promise.all(closed);
    clearTimeout(timer);
  }

  #destroyAll(): void {
    for (const connection of this.#open) connection.destroy();
  }
}

/** Resolves when the stream is closed, which it may be already. */
function awaitClose(stream: Duplex): Promise<void> {
  return new Promise(resolve => {
    if (stream.closed) resolve();
    else stream.once('close', () => resolve());
  });
}
