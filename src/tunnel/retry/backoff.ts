// How long to wait before the next attempt. Used by retry-policy.ts.

import type { Timings } from '../timings.ts';

/** Call `reset()` after a good session: the next attempt is made at once, and the first pauses after it are short. */
export class Backoff {
  readonly #timings: Timings;
  readonly #random: () => number;
  #since: number | undefined;
  #firstPause: number;
  #pause = 0;

  constructor(timings: Timings, random: () => number = Math.random) {
    this.#timings = timings;
    this.#random = random;
    this.#firstPause = timings.retry;
  }

  /** Milliseconds to wait before the next attempt; `now` is the time of a monotonic clock. */
  next(now: number): number {
    const { retry, fastRetry, slowRetry } = this.#timings;
    if (this.#since === undefined) {
      this.#since = now;
      return 0;
    }
    if (now - this.#since < fastRetry) this.#pause = Math.min(2 * this.#pause || this.#firstPause, retry);
    else this.#pause = Math.min(Math.max(2 * this.#pause, retry), slowRetry / 2);
    return this.#pause * (1 + this.#random());
  }

  reset(): void {
    this.#since = undefined;
    this.#firstPause = this.#timings.firstRetry;
    this.#pause = 0;
  }
}
