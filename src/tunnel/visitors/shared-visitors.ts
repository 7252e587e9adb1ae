// Visitors on two threads: when many connections come and go, one thread of Node.js carries about two thirds of what
// the Rust client does on two (bench B4). The second is started only while the first is busy with many raw visitors,
// and then takes every other new one. Used by reconnect.ts.

import { describeError } from '../../shared/errors.ts';
import type { VisitorSource } from './data-connection.ts';
import { ThreadHandle } from './thread-handle.ts';
import type { VisitorSink } from './visitor-sink.ts';
import { explainFull, type VisitorFetcher, type VisitorOptions, Visitors } from './visitors.ts';

/** How busy the first thread must be, and over how many milliseconds, before the second one is started. */
const BUSY_SHARE = 0.6;
const BUSY_MS = 1_000;
/** Below this many visitors a second thread costs more than it gains. */
const MIN_VISITORS_FOR_SECOND_THREAD = 8;

type SecondThread = NonNullable<VisitorSink['secondThread']>;

/** Fetches visitors on one thread, or on two if the destination allows it. */
export function createVisitors(options: VisitorOptions): VisitorFetcher {
  const { secondThread } = options.destination;
  return secondThread ? new SharedVisitors(options, secondThread) : new Visitors(options);
}

class SharedVisitors implements VisitorFetcher {
  readonly #options: VisitorOptions;
  readonly #thread: SecondThread;
  readonly #first: Visitors;
  #second: ThreadHandle | undefined;
  /** The system refused a second thread; it is not tried again. */
  #isRefused = false;
  #isSecondsTurn = false;
  #measured = performance.eventLoopUtilization();
  #measuredAt = performance.now();
  #isStopped = false;

  constructor(options: VisitorOptions, thread: SecondThread) {
    this.#options = options;
    this.#thread = thread;
    this.#first = new Visitors(options);
  }

  get open(): number {
    return this.#first.open + (this.#second?.open ?? 0);
  }

  fetch(id: string, source: VisitorSource): void {
    if (this.#isStopped) return;
    if (this.#second === undefined) {
      this.#first.fetch(id, source);
      if (this.#needsSecond()) this.#startSecond();
      return;
    }
    const { maxVisitors, logger } = this.#options;
    const isFull = this.#first.load + this.#second.load >= maxVisitors;
    if (isFull) logger.debug(explainFull(maxVisitors));
    else if (this.#takesTurns(this.#second) && !this.#thread.relay.isAwaitingToken)
      this.#second.fetch(id, source);
    else this.#first.fetch(id, source);
  }

  async stop(drainMs: number): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#first.stop(drainMs), this.#second?.stop(drainMs)]);
  }

  /** Alternates, instead of comparing numbers of visitors: a thousand silent visitors are less work than a busy one. */
  #takesTurns(second: ThreadHandle): boolean {
    if (this.#first.load < MIN_VISITORS_FOR_SECOND_THREAD || !second.isReady) return false;
    this.#isSecondsTurn = !this.#isSecondsTurn;
    return this.#isSecondsTurn;
  }

  #needsSecond(): boolean {
    return !this.#isRefused && this.#first.load >= MIN_VISITORS_FOR_SECOND_THREAD && this.#isBusy();
  }

  /** Measured when a visitor comes: a thread without new visitors is not busy with them. */
  #isBusy(): boolean {
    const { busyShare = BUSY_SHARE, busyMs = BUSY_MS } = this.#thread;
    const now = performance.now();
    if (now - this.#measuredAt < busyMs) return false;
    const { utilization } = performance.eventLoopUtilization(this.#measured);
    this.#measured = performance.eventLoopUtilization();
    this.#measuredAt = now;
    return utilization >= busyShare;
  }

  #startSecond(): void {
    const { logger } = this.#options;
    const { script, relay } = this.#thread;
    try {
      this.#second = new ThreadHandle(script, relay, this.#options);
      relay.addWorker(this.#second);
      logger.debug('many visitors: a second thread takes its share of the new ones');
    } catch (error) {
      this.#isRefused = true;
      logger.warn(`could not start a second thread for visitors, so one serves all: ${describeError(error)}`);
    }
  }
}
