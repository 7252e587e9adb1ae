// Waits for captured requests that match: looks at each request once, in the order of ids, and is done when each that
// matched has its answer. Knows nothing of HTTP. Used by route.ts.

import type { CapturedRequest, RequestLog } from '../../shared/captured-request.ts';
import { type MatchResult, matchRequest, type WaitQuery } from './matching.ts';

/** Looking at many requests makes way for other work after this time. */
const SLICE_MS = 8;
/** A report shows the newest ones; more would push what matters out of sight. */
const MAX_REMEMBERED = 20;
/** As much as all that is captured may hold: a wait keeps its requests even when newer ones took their place. */
const MAX_MATCHED_BYTES = 64 * 1024 * 1024;

const NO_BODY = Buffer.alloc(0);

/** A request that did not match, and why not. It has no body. */
export interface Miss {
  readonly request: CapturedRequest;
  readonly result: Exclude<MatchResult, { kind: 'match' }>;
}

export type Outcome =
  | { kind: 'matched' }
  | { kind: 'timed out' }
  /** The exposure has ended; the error says why. */
  | { kind: 'ended'; error: unknown }
  | { kind: 'given up'; error: unknown };

export class Wait {
  /** Resolves when each request that matched has its answer, or was left by its sender; or when the wait is over. */
  readonly outcome: Promise<Outcome>;
  readonly #query: WaitQuery;
  readonly #log: RequestLog;
  readonly #matched = new Map<number, CapturedRequest>();
  readonly #refused: Miss[] = [];
  readonly #others: Miss[] = [];
  readonly #counts = { refused: 0, other: 0 };
  /** Requests that were not looked at yet, in the order of ids. */
  readonly #pending: CapturedRequest[];
  readonly #resolve: (outcome: Outcome) => void;
  readonly #release: () => void;
  #lastId: number;
  #bytes = 0;
  #next: NodeJS.Immediate | undefined;
  #isTimeUp = false;
  #isOver = false;

  /** Begins at once. `ending`: aborted when the exposure ends; its reason is why. */
  constructor(query: WaitQuery, log: RequestLog, ending: AbortSignal) {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.outcome = promise;
    this.#resolve = resolve;
    this.#query = query;
    this.#log = log;
    this.#lastId = log.lastId;
    this.#pending = [...log.list(query.filter.since)];
    const unsubscribe = log.subscribe(request => this.#take(request));
    const timer = setTimeout(() => {
      this.#isTimeUp = true;
      this.#lookSoon();
    }, query.timeoutMs);
    const onEnding = () => this.#end({ kind: 'ended', error: ending.reason });
    ending.addEventListener('abort', onEnding, { once: true });
    this.#release = () => {
      unsubscribe();
      clearTimeout(timer);
      clearImmediate(this.#next);
      ending.removeEventListener('abort', onEnding);
    };
    if (ending.aborted) onEnding();
    else this.#lookSoon();
  }

  /** In the order of ids. */
  get matched(): readonly CapturedRequest[] {
    return [...this.#matched.values()];
  }

  /** The newest that were refused, oldest first. */
  get refused(): readonly Miss[] {
    return this.#refused.map(miss => this.#refresh(miss));
  }

  /** The newest others that did not match, oldest first. */
  get others(): readonly Miss[] {
    return this.#others.map(miss => this.#refresh(miss));
  }

  /** How many did not match: those of `refused` and `others`, and those that came earlier. */
  get counts(): { readonly refused: number; readonly other: number } {
    return this.#counts;
  }

  /** Nobody wants the outcome any more. */
  drop(): void {
    this.#end({ kind: 'given up', error: new Error('nobody waits any more') });
  }

  get #isFull(): boolean {
    return this.#matched.size >= this.#query.count;
  }

  #take(request: CapturedRequest): void {
    if (request.id > this.#lastId) {
      this.#lastId = request.id;
      // The answers may take hours: nothing is kept for them.
      if (this.#isFull) return;
      this.#pending.push(request);
    } else if (this.#matched.has(request.id)) this.#matched.set(request.id, request);
    else return;
    this.#lookSoon();
  }

  /** Not at once: a request that has just come goes to the app first. */
  #lookSoon(): void {
    if (!this.#isOver)
      this.#next ??= setImmediate(() => {
        this.#next = undefined;
        this.#look();
      });
  }

  /** Looks at what has come, and ends the wait if that decides it. */
  #look(): void {
    for (const end = performance.now() + SLICE_MS; !this.#isFull && performance.now() < end; ) {
      const request = this.#pending.shift();
      if (request === undefined) break;
      this.#lookAt(request);
    }
    if (this.#isFull && this.matched.every(({ isFinished }) => isFinished)) this.#end({ kind: 'matched' });
    else if (!this.#isFull && this.#pending.length > 0) this.#lookSoon();
    else if (this.#isTimeUp) this.#end({ kind: 'timed out' });
  }

  #lookAt(request: CapturedRequest): void {
    const result = matchRequest(request, this.#query);
    if (result.kind === 'match') {
      this.#keep(request);
      return;
    }
    const misses = result.kind === 'refused' ? this.#refused : this.#others;
    // Without the body: newer requests may take its place in the log, and 40 bodies may have a gigabyte.
    misses.push({ request: { ...request, body: NO_BODY }, result });
    if (misses.length > MAX_REMEMBERED) misses.shift();
    this.#counts[result.kind] += 1;
  }

  #keep(request: CapturedRequest): void {
    this.#matched.set(request.id, request);
    this.#bytes += request.body.length;
    if (this.#bytes > MAX_MATCHED_BYTES)
      this.#end({
        kind: 'given up',
        error: new Error(
          `the ${this.#matched.size} requests that matched hold more than ${MAX_MATCHED_BYTES} bytes: wait for fewer at a time, with \`since\``,
        ),
      });
  }

  /** With its answer, which may have come since. */
  #refresh({ request, result }: Miss): Miss {
    const { answer, isFinished } = this.#log.find(request.id) ?? request;
    return { request: { ...request, answer, isFinished }, result };
  }

  #end(outcome: Outcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#release();
    this.#resolve(outcome);
  }
}
