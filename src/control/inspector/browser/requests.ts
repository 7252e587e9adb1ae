// All requests that the page knows, and those that the filter lets through.

import type { RequestHead } from './api.ts';
import { type Filter, matches, toHaystack } from './filter.ts';

export interface Entry {
  head: RequestHead;
  /** When it came, as of `Date.now()`. */
  readonly time: number;
  /** What the search looks through, in lower case. */
  haystack: string;
  isShown: boolean;
}

/** As many as the preview keeps. */
export const MOST_REQUESTS = 10_000;

/** Beyond this, the search does not look into a body. */
const LONGEST_SEARCHED_BODY = 1_000_000;

export class Requests {
  /** Oldest first. */
  #all: Entry[] = [];
  #shown: Entry[] = [];
  readonly #byId = new Map<number, Entry>();
  #filter: Filter;
  #clearedTo = 0;

  constructor(filter: Filter) {
    this.#filter = filter;
  }

  /** Oldest first. */
  get all(): readonly Entry[] {
    return this.#all;
  }

  /** Those that the filter lets through, oldest first. */
  get shown(): readonly Entry[] {
    return this.#shown;
  }

  get lastId(): number {
    return this.#all.at(-1)?.head.id ?? 0;
  }

  /** How many were cleared away. */
  get clearedCount(): number {
    return this.#all.findLastIndex(({ head }) => head.id <= this.#clearedTo) + 1;
  }

  find(id: number): Entry | undefined {
    return this.#byId.get(id);
  }

  put(heads: readonly RequestHead[]): void {
    const before = this.lastId;
    for (const head of heads) this.#putOne(head);
    if (heads.some(head => head.id < before)) this.#all.sort((a, b) => a.head.id - b.head.id);
    for (const { head } of this.#all.splice(0, Math.max(0, this.#all.length - MOST_REQUESTS)))
      this.#byId.delete(head.id);
    this.#choose();
  }

  #putOne(head: RequestHead): void {
    const known = this.#byId.get(head.id);
    const entry = known ?? { head, time: Date.parse(head.received_at), haystack: '', isShown: false };
    entry.head = head;
    if (known === undefined) {
      entry.haystack = toHaystack(head);
      this.#byId.set(head.id, entry);
      this.#all.push(entry);
    }
    this.#test(entry);
  }

  /** Makes the search find what is in the body. */
  addBody(id: number, text: string): void {
    const entry = this.#byId.get(id);
    if (entry === undefined) return;
    const searched = text.slice(0, LONGEST_SEARCHED_BODY).toLowerCase();
    entry.haystack = `${toHaystack(entry.head)}\n${searched}`;
  }

  applyFilter(filter: Filter): void {
    this.#filter = filter;
    this.#testAll();
  }

  /** Hides those up to this id. They stay in the preview's log. */
  clear(upTo: number): void {
    this.#clearedTo = upTo;
    this.#testAll();
  }

  /** Forgets those up to this id: they were removed from the preview's log. */
  remove(upTo: number): void {
    for (const { head } of this.#all) if (head.id <= upTo) this.#byId.delete(head.id);
    this.#all = this.#all.filter(({ head }) => head.id > upTo);
    this.#choose();
  }

  #testAll(): void {
    for (const entry of this.#all) this.#test(entry);
    this.#choose();
  }

  #test(entry: Entry): void {
    entry.isShown = entry.head.id > this.#clearedTo && matches(entry, this.#filter);
  }

  #choose(): void {
    this.#shown = this.#all.filter(entry => entry.isShown);
  }
}
