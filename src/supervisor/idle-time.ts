// Says when nobody has used a preview for too long. Used by ends.ts, which looks at the preview now and then.

/** The preview at one moment. */
export interface Usage {
  /** How many visits have begun so far. */
  begun: number;
  /** How many of them are not over yet. */
  open: number;
  /** Whether visitors can come: while they cannot, no time passes. */
  isReachable: boolean;
}

export class IdleTime {
  readonly #limitMs: number;
  #usedAt = Number.POSITIVE_INFINITY;
  #last: Usage = { begun: 0, open: 0, isReachable: false };

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** `now`: milliseconds of any clock that only goes forward. */
  isOver(usage: Usage, now: number): boolean {
    const { begun, open, isReachable } = this.#last;
    const isUsed = usage.begun !== begun || usage.open > 0 || !usage.isReachable;
    // A visit that was open at the last look has ended since then, perhaps only now.
    if (isUsed || open > 0 || !isReachable) this.#usedAt = now;
    this.#last = usage;
    return now - this.#usedAt >= this.#limitMs;
  }
}
