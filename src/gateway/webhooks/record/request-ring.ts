// A list of captured requests that forgets the oldest when it has too many, or too many bytes. Used by recorder.ts.

import { findFirstAbove } from '../../../shared/bisect.ts';
import type { CapturedRequest } from '../../../shared/captured-request.ts';

/** What an object, its strings and its list cost beside their text. */
const RECORD_BYTES = 512;
const FIELD_BYTES = 32;

interface Entry {
  readonly request: CapturedRequest;
  readonly bytes: number;
}

export class RequestRing {
  readonly #maxCount: number;
  /** In the order of ids; those before `#first` are forgotten. */
  #entries: (Entry | undefined)[] = [];
  #first = 0;
  #bytes = 0;

  constructor(maxCount: number) {
    this.#maxCount = maxCount;
  }

  /** How much memory the requests take, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The id must be larger than those before. The caller limits the bytes with `trim`. */
  add(request: CapturedRequest): void {
    const bytes = measure(request);
    this.#entries.push({ request, bytes });
    this.#bytes += bytes;
    if (this.#entries.length - this.#first > this.#maxCount) this.#forgetOldest();
  }

  /** Forgets the oldest requests until the others take at most this much memory. */
  trim(maxBytes: number): void {
    while (this.#bytes > maxBytes) this.#forgetOldest();
  }

  find(id: number): CapturedRequest | undefined {
    const found = this.#entries[this.#indexAfter(id - 1)]?.request;
    return found?.id === id ? found : undefined;
  }

  /** The requests with larger ids, in the order of ids. */
  listAfter(id: number): CapturedRequest[] {
    return this.#entries.slice(this.#indexAfter(id)).flatMap(entry => entry?.request ?? []);
  }

  clear(): void {
    this.#entries = [];
    this.#first = 0;
    this.#bytes = 0;
  }

  #forgetOldest(): void {
    this.#bytes -= this.#entries[this.#first]?.bytes ?? 0;
    this.#entries[this.#first] = undefined;
    this.#first += 1;
    if (this.#first < this.#entries.length / 2) return;
    this.#entries = this.#entries.slice(this.#first);
    this.#first = 0;
  }

  /** Where the requests with larger ids begin. */
  #indexAfter(id: number): number {
    const range = [this.#first, this.#entries.length] as const;
    return findFirstAbove(id, range, index => this.#entries[index]?.request.id ?? 0);
  }
}

function measure({ target, rawHeaders, body }: CapturedRequest): number {
  const fields = rawHeaders.reduce((sum, text) => sum + text.length + FIELD_BYTES, 0);
  return RECORD_BYTES + target.length + fields + body.length;
}
