// Bytes that never repeat, made from a seed and checked without keeping them: a block that was swapped, doubled or lost
// is found at once. Used by the tests that move much data through the tunnel.

import { Readable } from 'node:stream';

/** As much as node:net reads at once. */
const BLOCK_BYTES = 65_536;

/** Returns the next whole number of a random sequence, below `limit`. */
export type Random = (limit: number) => number;

/** A sequence that depends on the seed alone (xorshift32: it repeats after 2^32 - 1 numbers, which are 16 GB). */
export function openRandom(seed: number): Random {
  let state = scramble(seed);
  return limit => {
    state = step(state);
    return Math.floor(((state >>> 0) / 2 ** 32) * limit);
  };
}

/** Makes the bytes of `seed`, in order. */
export class Noise {
  #state: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(seed: number) {
    this.#state = scramble(seed);
  }

  /** The next `count` bytes. */
  take(count: number): Buffer {
    if (this.#rest.length < count) this.#rest = Buffer.concat([this.#rest, this.#make(count)]);
    const bytes = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return bytes;
  }

  #make(atLeast: number): Buffer {
    const words = new Int32Array(Math.ceil(Math.max(atLeast, BLOCK_BYTES) / 4));
    let state = this.#state;
    for (let i = 0; i < words.length; i += 1) {
      state = step(state);
      words[i] = state;
    }
    this.#state = state;
    return Buffer.from(words.buffer);
  }
}

/** Compares what arrives with the noise of `seed`. */
export class NoiseCheck {
  readonly #noise: Noise;
  #received = 0;
  #wrongAt: number | undefined;

  constructor(seed: number) {
    this.#noise = new Noise(seed);
  }

  take(chunk: Buffer): void {
    const expected = this.#noise.take(chunk.length);
    if (this.#wrongAt === undefined && !expected.equals(chunk))
      this.#wrongAt = this.#received + chunk.findIndex((byte, at) => byte !== expected[at]);
    this.#received += chunk.length;
  }

  /** `right`, or what is wrong with the bytes that arrived; `length` bytes were expected. */
  result(length: number): string {
    if (this.#wrongAt !== undefined) return `byte ${this.#wrongAt} is wrong`;
    return this.#received === length ? 'right' : `${this.#received} bytes instead of ${length}`;
  }
}

/** The first `length` bytes of `seed`, made as fast as they are read. */
export function streamNoise(seed: number, length: number): Readable {
  const noise = new Noise(seed);
  let left = length;
  return new Readable({
    read() {
      const count = Math.min(left, BLOCK_BYTES);
      left -= count;
      this.push(count === 0 ? null : noise.take(count));
    },
  });
}

/** The first state: never 0, which xorshift cannot leave; neighbouring seeds give states far apart. */
function scramble(seed: number): number {
  let x = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16) || 1;
}

function step(state: number): number {
  let x = state;
  x ^= x << 13;
  x ^= x >>> 17;
  return x ^ (x << 5);
}
