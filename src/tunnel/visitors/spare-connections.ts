// Connections to the server opened ahead of the visitors who will need them. A browser that comes once opens more
// connections soon, and over a real distance each would wait for a dial and a challenge: 4 round trips, or 2 when it is
// warm (bench B7). Used by visitors.ts.

import type { DataConnection, VisitorSource } from './data-connection.ts';

/** A browser opens six connections to a host; the first one is here when these are opened. */
const SPARE_CONNECTIONS = 5;

/** Dials for nobody in particular; `onLost` when the line is of no use any more. */
type OpenLine = (source: VisitorSource, onLost: (line: DataConnection) => void) => DataConnection;

export class SpareConnections {
  readonly #open: OpenLine;
  #lines: DataConnection[] = [];

  constructor(open: OpenLine) {
    this.#open = open;
  }

  /** The line that was opened first, and so is most likely ready; it is the caller's from here on. None that is stale. */
  take(source: VisitorSource): DataConnection | undefined {
    if (this.#lines[0]?.source.address !== source.address) this.stop();
    for (let line = this.#lines.shift(); line; line = this.#lines.shift()) {
      if (!line.isStale) return line;
      line.abandon();
    }
    return undefined;
  }

  /** Opens what is missing; called when a visitor came, never ahead of the first. */
  refill(source: VisitorSource): void {
    while (this.#lines.length < SPARE_CONNECTIONS)
      this.#lines.push(
        this.#open(source, lost => {
          this.#lines = this.#lines.filter(line => line !== lost);
        }),
      );
  }

  /** Hangs up on all of them. May be called twice. */
  stop(): void {
    for (const line of this.#lines) line.abandon();
    this.#lines = [];
  }
}
