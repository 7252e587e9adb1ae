// The captured requests in the order in which they came or changed last, so that a client can go on where it was. Used
// by endpoint.ts and events.ts.

import { findFirstAbove } from '../../shared/bisect.ts';
import type { CapturedRequest, RequestLog } from '../../shared/captured-request.ts';

/** Change number `change` is the last one of this request. */
export interface RequestChange {
  readonly change: number;
  readonly request: CapturedRequest;
}

/** Entries that may be superseded, beyond half of all, before they are dropped. */
const MAX_STALE = 1_000;

/** Keeps numbers only, however slowly its readers read: the requests are looked up when they are read. */
export class RequestFeed {
  readonly #log: RequestLog;
  /** In order of `change`; an entry is superseded when its request changes again. */
  #entries: { readonly change: number; readonly id: number }[] = [];
  /** Request id → its last change. */
  readonly #latest = new Map<number, number>();
  readonly #listeners = new Set<() => void>();
  #limit = MAX_STALE;
  #lastChange = 0;
  #cleared = { change: 0, lastId: 0 };

  constructor(log: RequestLog) {
    this.#log = log;
    for (const request of log.list()) this.#note(request);
    log.subscribe(request => this.#note(request));
    log.subscribeToClear(() => this.#clear());
  }

  get lastChange(): number {
    return this.#lastChange;
  }

  /** The last time that the log was cleared: its place among the changes, and the last id that was removed. */
  get cleared(): { readonly change: number; readonly lastId: number } {
    return this.#cleared;
  }

  /** The first request whose last change is later. */
  next(after: number): RequestChange | undefined {
    for (let index = this.#findIndex(after); index < this.#entries.length; index += 1) {
      const { change, id } = this.#entries[index] ?? { change: 0, id: 0 };
      if (this.#latest.get(id) !== change) continue;
      const request = this.#log.find(id);
      if (request !== undefined) return { change, request };
    }
    return undefined;
  }

  /** Calls back after each change; returns the function that unsubscribes. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The index of the first entry with a larger number. */
  #findIndex(after: number): number {
    return findFirstAbove(after, [0, this.#entries.length], index => this.#entries[index]?.change ?? 0);
  }

  #note({ id }: CapturedRequest): void {
    this.#lastChange += 1;
    this.#latest.set(id, this.#lastChange);
    this.#entries.push({ change: this.#lastChange, id });
    if (this.#entries.length > this.#limit) this.#tidy();
    for (const listener of this.#listeners) listener();
  }

  #clear(): void {
    this.#lastChange += 1;
    this.#cleared = { change: this.#lastChange, lastId: this.#log.lastId };
    this.#tidy();
    for (const listener of this.#listeners) listener();
  }

  /** Drops superseded entries, and those of requests that the log has dropped. */
  #tidy(): void {
    const kept = new Set(this.#log.list().map(({ id }) => id));
    this.#entries = this.#entries.filter(({ change, id }) => kept.has(id) && this.#latest.get(id) === change);
    for (const id of this.#latest.keys()) if (!kept.has(id)) this.#latest.delete(id);
    this.#limit = 2 * this.#entries.length + MAX_STALE;
  }
}
