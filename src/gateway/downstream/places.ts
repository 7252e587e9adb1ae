// Who holds one of the places that a gateway has for connections. Used by visitor-server.ts, and by tls-front.ts for all
// its servers together.

import type { Duplex } from 'node:stream';

export interface PlaceLimits {
  /** Connections at a time; each idle one costs some 25 KB. */
  sockets: number;
  /** How many of them may be strangers, who have not been let in yet; the oldest makes room for the next. */
  strangers: number;
}

export class Places {
  readonly #limits: PlaceLimits;
  /** A stream is in one of the two until it is closed or has to make room. The oldest first. */
  readonly #strangers = new Set<Duplex>();
  readonly #guests = new Set<Duplex>();

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /** A place until it is closed, as a stranger's. False where none is left, and nobody would have to make room. */
  take(stream: Duplex): boolean {
    const isFull = this.#strangers.size + this.#guests.size >= this.#limits.sockets;
    if (isFull && this.#strangers.size === 0) return false;
    if (isFull || this.#strangers.size >= this.#limits.strangers) this.#closeOldest();
    this.#strangers.add(stream);
    stream.once('close', () => {
      this.#strangers.delete(stream);
      this.#guests.delete(stream);
    });
    return true;
  }

  /** It was let in, and makes room for nobody. */
  welcome(stream: Duplex): void {
    if (this.#strangers.delete(stream)) this.#guests.add(stream);
  }

  /** Who was let in long ago keeps its place; who only holds a connection open loses it to whoever comes next. */
  #closeOldest(): void {
    const [oldest] = this.#strangers;
    if (oldest === undefined) return;
    this.#strangers.delete(oldest);
    oldest.destroy();
  }
}
