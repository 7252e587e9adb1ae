// Spare data connections, opened before the visitors who need them come. A browser opens more connections soon after
// its first one, and on a far server each would wait 4 round trips for a dial and a challenge; with a spare one it
// waits 2 (bench B7). Used by visitors.ts.

import type { DataConnection, VisitorSource } from './data-connection.ts';

/** A browser opens six connections to a host; these are opened when its first one has come. */
const SPARE_CONNECTIONS = 5;

/** Opens a connection that is not for a certain visitor; calls `onFailed` when it cannot be used any more. */
type Open = (source: VisitorSource, onFailed: (connection: DataConnection) => void) => DataConnection;

export class SpareConnections {
  readonly #open: Open;
  /** Oldest first. */
  #connections: DataConnection[] = [];

  constructor(open: Open) {
    this.#open = open;
  }

  /** Removes and returns the oldest one, which is most likely ready; undefined if none is fresh enough. */
  take(source: VisitorSource): DataConnection | undefined {
    if (this.#connections[0]?.source.address !== source.address) this.stop();
    for (let oldest = this.#connections.shift(); oldest; oldest = this.#connections.shift()) {
      if (!oldest.isStale) return oldest;
      oldest.abandon();
    }
    return undefined;
  }

  /** Opens the missing ones; called when a visitor came, never before the first. */
  refill(source: VisitorSource): void {
    while (this.#connections.length < SPARE_CONNECTIONS)
      this.#connections.push(
        this.#open(source, failed => {
          this.#connections = this.#connections.filter(connection => connection !== failed);
        }),
      );
  }

  /** Closes all of them. May be called twice. */
  stop(): void {
    for (const connection of this.#connections) connection.abandon();
    this.#connections = [];
  }
}
