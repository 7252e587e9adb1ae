// Remembers what a pure function returned for a text. Used for texts that come with nearly every request, such as the
// names of its header fields.

export interface MemoLimits {
  /** When this many texts are remembered, all are forgotten, and it begins anew. */
  entries: number;
  /** The result for a longer text is computed each time. */
  textLength: number;
}

const USUAL_LIMITS: MemoLimits = { entries: 512, textLength: 64 };

/**
 * The texts may come from visitors: a flood of different ones takes the time to compute the results, as without a memo, and
 * no more memory. `compute` must depend on nothing but its text, and what it returns must not be changed: others get it
 * too.
 */
export class Memo<Result extends NonNullable<unknown>> {
  readonly #compute: (text: string) => Result;
  readonly #limits: MemoLimits;
  readonly #results = new Map<string, Result>();

  constructor(compute: (text: string) => Result, limits: MemoLimits = USUAL_LIMITS) {
    this.#compute = compute;
    this.#limits = limits;
  }

  /** How many texts are remembered. */
  get size(): number {
    return this.#results.size;
  }

  read(text: string): Result {
    if (text.length > this.#limits.textLength) return this.#compute(text);
    const known = this.#results.get(text);
    if (known !== undefined) return known;
    const result = this.#compute(text);
    if (this.#results.size >= this.#limits.entries) this.#results.clear();
    this.#results.set(text, result);
    return result;
  }
}
