// How long requests take: a histogram for median and percentiles, and the slowest ones. The gateway records each visit
// here, so `add` must cost next to nothing.

/** 8 buckets for each doubling: a bucket's middle is at most 4.5 % off. The last one begins at 17 minutes. */
const BUCKETS_PER_DOUBLING = 8;
const BUCKETS = 20 * BUCKETS_PER_DOUBLING;
const MAX_SLOWEST = 10;

export interface SlowRequest {
  method: string;
  /** Without the query. */
  path: string;
  status: number;
  durationMs: number;
}

export class ResponseTimes {
  readonly #buckets = new Uint32Array(BUCKETS + 1);
  #count = 0;
  /** The slowest first. */
  #slowest: SlowRequest[] = [];
  /** What a request must exceed to be one of them. */
  #thresholdMs = -1;

  get count(): number {
    return this.#count;
  }

  get slowest(): readonly SlowRequest[] {
    return this.#slowest;
  }

  /** `describe` is called only for a request that is one of the slowest. */
  add(durationMs: number, describe: () => Omit<SlowRequest, 'durationMs'>): void {
    this.#count += 1;
    const bucket =
      durationMs <= 1 ? 0 : Math.min(BUCKETS, 1 + Math.floor(Math.log2(durationMs) * BUCKETS_PER_DOUBLING));
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    if (durationMs > this.#thresholdMs) this.#place({ ...describe(), durationMs });
  }

  /** The time within which that share (0 to 1) of the requests was answered, in milliseconds; undefined without any. */
  percentile(share: number): number | undefined {
    if (this.#count === 0) return undefined;
    let left = Math.ceil(share * this.#count);
    const bucket = this.#buckets.findIndex(count => {
      left -= count;
      return left <= 0;
    });
    return bucket === 0 ? 1 : 2 ** ((bucket - 0.5) / BUCKETS_PER_DOUBLING);
  }

  /** One for each method and path: ten times the same request would tell nothing. */
  #place(slow: SlowRequest): void {
    const known = this.#slowest.find(({ method, path }) => method === slow.method && path === slow.path);
    if (known !== undefined && known.durationMs >= slow.durationMs) return;
    this.#slowest = [...this.#slowest.filter(one => one !== known), slow]
      .sort((one, other) => other.durationMs - one.durationMs)
      .slice(0, MAX_SLOWEST);
    if (this.#slowest.length === MAX_SLOWEST) this.#thresholdMs = this.#slowest.at(-1)?.durationMs ?? -1;
  }
}
