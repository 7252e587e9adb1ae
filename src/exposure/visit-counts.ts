// How many visits came in each minute. Reads the total of the ingress now and then, so that a visit costs nothing.
// When there are too many steps, neighbours are merged: 24 days need no more memory than two hours.

const MINUTE_MS = 60_000;
const MAX_STEPS = 120;

export class VisitCounts {
  readonly #from: number;
  #minutes = 1;
  #counts: number[] = [];
  #total = 0;

  /** `from` is a time of Date.now(). */
  constructor(from: number) {
    this.#from = from;
  }

  /** `total` is the number of visits since the start; `now` a time of Date.now(). */
  observe(total: number, now: number): void {
    while (this.#stepOf(now) >= MAX_STEPS) this.#merge();
    // A clock that was put back adds to the last step.
    const at = Math.max(this.#stepOf(now), this.#counts.length - 1, 0);
    while (this.#counts.length <= at) this.#counts.push(0);
    this.#counts[at] = (this.#counts[at] ?? 0) + total - this.#total;
    this.#total = total;
  }

  describe(): { from: string; minutes: number; counts: number[] } {
    return { from: new Date(this.#from).toISOString(), minutes: this.#minutes, counts: [...this.#counts] };
  }

  #stepOf(now: number): number {
    return Math.floor((now - this.#from) / (this.#minutes * MINUTE_MS));
  }

  #merge(): void {
    this.#minutes *= 2;
    this.#counts = Array.from(
      { length: Math.ceil(this.#counts.length / 2) },
      (_, at) => (this.#counts[2 * at] ?? 0) + (this.#counts[2 * at + 1] ?? 0),
    );
  }
}
