// The open connections of one server of this folder: admits them, and closes them when the server stops. Used by
// http1-server, http2-server and tls-front. connection-slots.ts decides for all three whether there is room for a
// connection.

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

  /** The connections that are not closed yet. */
  get open(): ReadonlySet<Duplex> {
    return this.#open;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** If there is no slot for the connection, or the server is stopping, closes it and returns false. */
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
   * Refuses new connections, and calls `end` for each open one; `end` may close it now, or once its answers are sent.
   * Destroys what is still open after `drainMs`. Resolves when all are closed. May be called twice.
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

/** Resolves when the stream is closed, at once if it already is. */
function awaitClose(stream: Duplex): Promise<void> {
  return new Promise(resolve => {
    if (stream.closed) resolve();
    else stream.once('close', () => resolve());
  });
}
