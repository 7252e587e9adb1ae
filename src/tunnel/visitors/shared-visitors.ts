// Visitors on two threads: one thread of Node.js carries about two thirds of what the Rust client does on two, when many
// connections come and go (bench B4). The second is started only where this one is busy with many raw visitors, and takes
// every other one of those that come then. Made by reconnect.ts.

import { describeError } from '../../shared/errors.ts';
import { Relay, type RelayOptions } from '../relay/relay.ts';
import type { VisitorSource } from './data-connection.ts';
import { ThreadHandle } from './thread-handle.ts';
import { type VisitorFetcher, type VisitorOptions, Visitors } from './visitors.ts';

/** How much of its time this thread worked, over how long, before it gets help. */
const BUSY_SHARE = 0.6;
const BUSY_MS = 1_000;
/** So few are no faster on two threads, and cost more. */
const MIN_VISITORS_FOR_SECOND_THREAD = 8;

type ThreadOptions = NonNullable<RelayOptions['secondThread']>;

/** Ready at once. */
export function openVisitors(options: VisitorOptions): VisitorFetcher {
  const { destination } = options;
  if (!(destination instanceof Relay)) return new Visitors(options);
  const { secondThread } = destination.options;
  return secondThread ? new SharedVisitors({ ...options, destination }, secondThread) : new Visitors(options);
}

class SharedVisitors implements VisitorFetcher {
  readonly #options: VisitorOptions & { destination: Relay };
  readonly #thread: ThreadOptions;
  readonly #first: Visitors;
  #second: ThreadHandle | undefined;
  #isRefused = false;
  #isTheirTurn = false;
  #measured = performance.eventLoopUtilization();
  #measuredAt = performance.now();
  #isStopped = false;

  constructor(options: VisitorOptions & { destination: Relay }, thread: ThreadOptions) {
    this.#options = options;
    this.#thread = thread;
    this.#first = new Visitors(options);
  }

  get open(): number {
    return this.#first.open + (this.#second?.open ?? 0);
  }

  invite(id: string, source: VisitorSource): void {
    if (this.#isStopped) return;
    if (this.#second === undefined) {
      this.#first.invite(id, source);
      if (!this.#isRefused && this.#first.load >= MIN_VISITORS_FOR_SECOND_THREAD && this.#isBusy())
        this.#startSecond();
      return;
    }
    const { destination, maxVisitors, logger } = this.#options;
    const isFull = this.#first.load + this.#second.load >= maxVisitors;
    if (isFull) logger.debug(`a visitor was left out: ${maxVisitors} are here already`);
    else if (this.#takesTurns(this.#second) && !destination.isAwaitingToken) this.#second.invite(id, source);
    else this.#first.invite(id, source);
  }

  async stop(drainMs: number): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#first.stop(drainMs), this.#second?.stop(drainMs)]);
  }

  /** In turns and not by their number: a thousand who are silent are less work than one who is busy. */
  #takesTurns(second: ThreadHandle): boolean {
    if (this.#first.load < MIN_VISITORS_FOR_SECOND_THREAD || !second.isReady) return false;
    this.#isTheirTurn = !this.#isTheirTurn;
    return this.#isTheirTurn;
  }

  /** Asked with each visitor: whoever has none is not busy with them. */
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
    const { destination, logger } = this.#options;
    try {
      this.#second = new ThreadHandle(this.#thread.script, this.#options);
      destination.addWorker(this.#second);
      logger.debug('many visitors: a second thread takes its share of the new ones');
    } catch (error) {
      this.#isRefused = true;
      logger.warn(`there is no second thread for visitors, so one carries them all: ${describeError(error)}`);
    }
  }
}
