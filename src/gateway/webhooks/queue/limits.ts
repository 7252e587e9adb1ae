// How much the queue keeps, and for how long. Used by queue.ts.

export interface QueueLimits {
  /** Requests that are kept at the same time. */
  requests: number;
  /** All of them together, heads included. */
  bytes: number;
  /** How long one request is kept. */
  ageMs: number;
  /** How long the app may take to answer one of them. */
  answerMs: number;
  /** How often an app is tried that counts as running, but refuses connections: somebody may be restarting it. */
  retryMs: number;
  /** After a request without an answer, the next one waits: the app may be crashing. Twice as long each time. */
  pauseMs: number;
}

/**
 * More than any provider sends while a preview restarts, and little memory for a runner. After a quarter of an hour the
 * test that waited has given up, and signatures with a timestamp have been stale for ten minutes. Most providers give an
 * app 10 to 30 s for its answer; a minute is also enough for one that is still warming up.
 */
export const QUEUE_LIMITS: QueueLimits = {
  requests: 1_000,
  bytes: 64 * 1024 ** 2,
  ageMs: 15 * 60_000,
  answerMs: 60_000,
  retryMs: 500,
  pauseMs: 1_000,
};

/** Room for one request, whose body is still coming. Is over with `keep` or `release`, whichever comes first. */
export interface Reservation {
  /** Takes room for this many bytes; false if there is not so much. */
  grow(bytes: number): boolean;
  /** The request is whole: `free` is called with its bytes later. Undefined if the reservation is over. */
  keep(): number | undefined;
  release(): void;
}

/** The room for requests that are kept, or are coming. */
export class QueueRoom {
  readonly #limits: Pick<QueueLimits, 'requests' | 'bytes'>;
  #requests = 0;
  #bytes = 0;

  constructor(limits: Pick<QueueLimits, 'requests' | 'bytes'>) {
    this.#limits = limits;
  }

  /** Whether so many more bytes fit now. */
  has(bytes: number): boolean {
    return this.#bytes + bytes <= this.#limits.bytes;
  }

  /** For a request with this many bytes; undefined if it does not fit. */
  reserve(bytes: number): Reservation | undefined {
    let held = 0;
    let isOver = false;
    const grow = (more: number) => {
      if (isOver || !this.has(more)) return false;
      held += more;
      this.#bytes += more;
      return true;
    };
    const end = () => {
      const wasOver = isOver;
      isOver = true;
      return wasOver ? undefined : held;
    };
    if (this.#requests >= this.#limits.requests || !grow(bytes)) return undefined;
    this.#requests += 1;
    return { grow, keep: end, release: () => this.free(end()) };
  }

  /** Gives back the room of one request; nothing if it has none. */
  free(bytes: number | undefined): void {
    if (bytes === undefined) return;
    this.#requests -= 1;
    this.#bytes -= bytes;
  }
}
