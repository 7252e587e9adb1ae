// Random choices that are the same for the same seed, over the numbers of noise.ts. Used by random-visitors.ts and
// random-app.ts.

import { openRandom, type Random } from './noise.ts';

export class Seeded {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = openRandom(seed);
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    return this.#random(limit);
  }

  /** True in so many of 100 cases. */
  chance(percent: number): boolean {
    return this.#random(100) < percent;
  }

  pick<T>(items: readonly T[]): T {
    const item = items.slice(this.#random(items.length))[0];
    if (item === undefined) throw new Error('there is nothing to pick from');
    return item;
  }

  /** Each item as often as its weight says. */
  pickWeighted<T>(items: readonly (readonly [weight: number, item: T])[]): T {
    let at = this.#random(items.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, item] of items) {
      if (at < weight) return item;
      at -= weight;
    }
    throw new Error('there is nothing to pick from');
  }

  /** From `min` to `max` of what `make` makes. */
  list<T>(min: number, max: number, make: () => T): T[] {
    return Array.from({ length: min + this.#random(max - min + 1) }, make);
  }

  /** Up to `max` bytes of any value. */
  bytes(max: number): Buffer {
    return Buffer.from(this.list(1, max, () => this.#random(256)));
  }

  /** The same bytes, but for one of them. */
  damage(bytes: Buffer): Buffer {
    const damaged = Buffer.from(bytes);
    if (damaged.length > 0) damaged.writeUInt8(this.below(256), this.below(damaged.length));
    return damaged;
  }
}
