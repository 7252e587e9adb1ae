// Decides when a report on GitHub is written: one view at a time, always the newest. A failure is one warning and never
// affects the preview. Used by comment and deployment.

import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { GitHubError } from './api.ts';
import type { PreviewView } from './view.ts';
import { describeReportFailure, type Feature } from './wording.ts';

/** Short failures of GitHub end in seconds. After a longer one, only the next change of state is written. */
const RETRY_DELAYS_MS = [1_000, 4_000];

/**
 * A preview that keeps changing its state must not use up what GitHub allows: all writes with one token may be 80 a
 * minute and 500 an hour. So this many are made at once, and then one in each interval: at most 22 in the first hour,
 * and 12 in every other. The end is written in any case.
 */
const WRITES_AT_ONCE = 10;
const WRITE_INTERVAL_MS = 5 * 60_000;

/** `written`: with a request that counts. `closed`: nothing more is to be written. */
export type WriteResult = 'written' | 'unchanged' | 'closed';

export interface ReportQueueOptions {
  feature: Feature;
  /** Writes one view. It is repeated after a failure of GitHub. */
  write: (view: PreviewView) => Promise<WriteResult>;
  logger: Logger;
  /** Ends all writing, also a wait for a rate limit. */
  signal?: AbortSignal | undefined;
}

export class ReportQueue {
  readonly #options: ReportQueueOptions;
  #newest: PreviewView | undefined;
  #writing: Promise<void> | undefined;
  #warned = false;
  /** True once nothing more can be written, for instance because the permission is missing. */
  #closed = false;
  readonly #pace = new Pace(WRITES_AT_ONCE, WRITE_INTERVAL_MS);
  /** Ends the wait for the next write, because the view that came is the last one. */
  readonly #hurry = new AbortController();
  /** Until then GitHub wants no request; milliseconds since 1970. */
  #pausedUntil = 0;

  constructor(options: ReportQueueOptions) {
    this.#options = options;
  }

  /** Never rejects. Resolves when this view, or a newer one, is written or given up. */
  update(view: PreviewView): Promise<void> {
    this.#newest = view;
    if (isLast(view)) this.#hurry.abort();
    this.#writing ??= this.#writeAll();
    return this.#writing;
  }

  /** Resolves when nothing is left to write. */
  async flush(): Promise<void> {
    this.#hurry.abort();
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    // Wait, so that two changes in one turn of the event loop become one write.
    await Promise.resolve();
    for (;;) {
      await this.#awaitTurn();
      const view = this.#take();
      if (view === undefined) break;
      await this.#write(view).catch(error => this.#giveUp(error));
    }
    // In the same turn as the last #take, so that no update can come in between.
    this.#writing = undefined;
  }

  /** A pause that GitHub asked for holds also for the last view; ours does not. */
  async #awaitTurn(): Promise<void> {
    if (this.#newest === undefined || this.#closed) return;
    await this.#sleep(this.#pausedUntil - Date.now(), this.#options.signal);
    if (!this.#hurry.signal.aborted) await this.#sleep(this.#pace.waitMs(), this.#hurry.signal);
  }

  /** Ends early, without an error, when a signal is aborted. */
  async #sleep(delayMs: number, end: AbortSignal | undefined): Promise<void> {
    const { signal } = this.#options;
    const signals = [signal, end].filter(one => one !== undefined);
    if (delayMs > 0) await sleep(delayMs, undefined, { signal: AbortSignal.any(signals) }).catch(() => {});
  }

  #take(): PreviewView | undefined {
    const view = this.#closed || this.#options.signal?.aborted ? undefined : this.#newest;
    this.#newest = undefined;
    return view;
  }

  async #write(view: PreviewView): Promise<void> {
    const { feature, write, logger, signal } = this.#options;
    let newest = view;
    let failure: GitHubError | undefined;
    for (const delayMs of [...RETRY_DELAYS_MS, undefined]) {
      try {
        const result = await write(newest);
        if (result === 'written') this.#pace.spend();
        this.#closed = result === 'closed';
        return;
      } catch (error) {
        // What GitHub said tells more than that there is no time left to try again.
        if (failure && signal?.aborted) throw failure;
        const retryable = error instanceof GitHubError && error.retryable;
        // After a pause that GitHub asks for (#giveUp), there will be a newer view.
        if (!retryable || delayMs === undefined || error.retryAfterMs) throw error;
        failure = error;
        logger.debug(`the ${feature} will be written again in ${delayMs} ms: ${describeError(error)}`);
        await sleep(delayMs, undefined, signal ? { signal } : {}).catch(() => Promise.reject(error));
        newest = this.#take() ?? newest;
      }
    }
  }

  #giveUp(error: unknown): void {
    const { feature, logger, signal } = this.#options;
    const known = error instanceof GitHubError;
    if (signal?.aborted && !known) return;
    // 422 refuses this text: that of the next view may be accepted, above all the end.
    this.#closed = !(known && (error.retryable || error.status === 422));
    if (known) this.#pausedUntil = Date.now() + (error.retryAfterMs ?? 0);
    if (this.#warned) return;
    this.#warned = true;
    logger.warn(describeReportFailure(feature, error));
  }
}

/** How often a view may be written: a full bucket of writes, and one more in each interval. */
class Pace {
  readonly #atOnce: number;
  readonly #intervalMs: number;
  #left: number;
  #countedAt = Date.now();

  constructor(atOnce: number, intervalMs: number) {
    this.#atOnce = atOnce;
    this.#intervalMs = intervalMs;
    this.#left = atOnce;
  }

  /** 0 if a view may be written now. */
  waitMs(): number {
    this.#refill();
    return this.#left >= 1 ? 0 : (1 - this.#left) * this.#intervalMs;
  }

  spend(): void {
    this.#refill();
    this.#left -= 1;
  }

  #refill(): void {
    const now = Date.now();
    this.#left = Math.min(this.#atOnce, this.#left + (now - this.#countedAt) / this.#intervalMs);
    this.#countedAt = now;
  }
}

/** No view follows it. */
function isLast({ state }: PreviewView): boolean {
  return state.kind === 'ended' || state.kind === 'failed';
}
