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
    const own = copyText(text);
    const result = this.#compute(own);
    if (this.#results.size >= this.#limits.entries) this.#results.clear();
    this.#results.set(own, result);
    return result;
  }
}

/** V8 makes a part of a text by a reference to the whole, such as the head it was found in: that must not be kept. */
export function copyText(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
