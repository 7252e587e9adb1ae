// Data connections opened ahead of the visitors who will need them. A browser soon opens more connections after its first
// one, and on a far server each would wait 4 round trips for a dial and a challenge; over a spare one it waits 2 (bench
// B7). Used by visitors.ts.

import type { DataConnection, VisitorSource } from './data-connection.ts';

/** A browser opens six connections to a host; the first one is here when these are opened. */
const SPARE_CONNECTIONS = 5;

/** Dials for no visitor in particular; `onFailed` when the connection cannot be used any more. */
type Open = (source: VisitorSource, onFailed: (connection: DataConnection) => void) => DataConnection;

export class SpareConnections {
  readonly #open: Open;
  /** Oldest first. */
  #connections: DataConnection[] = [];

  constructor(open: Open) {
    this.#open = open;
  }

  /** Hands over the oldest one, which is most likely ready; undefined if there is none that is fresh enough. */
  take(source: VisitorSource): DataConnection | undefined {
    if (this.#connections[0]?.source.address !== source.address) this.stop();
    for (let oldest = this.#connections.shift(); oldest; oldest = this.#connections.shift()) {
      if (!oldest.isStale) return oldest;
      oldest.abandon();
    }
    return undefined;
  }

  /** Opens those that are missing; called when a visitor came, never ahead of the first. */
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
