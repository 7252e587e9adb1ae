// Decides when a report on GitHub is written: one view at a time, always the newest. A failure is one warning and never
// affects the preview. Used by comment-writer.ts and deployment-writer.ts.

import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { GitHubError } from './api.ts';
import type { PreviewView } from './comment/view.ts';
import { describeReportFailure, type Feature } from './wording.ts';

/** Short failures of GitHub end in seconds. After a longer one, only the next change of state is written. */
const RETRY_DELAYS_MS = [1_000, 4_000];

export interface ReportQueueOptions {
  feature: Feature;
  /** Writes one view. `closed`: nothing more is to be written. It is repeated after a failure of GitHub. */
  write: (view: PreviewView) => Promise<'open' | 'closed'>;
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

  constructor(options: ReportQueueOptions) {
    this.#options = options;
  }

  /** Never rejects. Resolves when this view, or a newer one, is written or given up. */
  update(view: PreviewView): Promise<void> {
    this.#newest = view;
    this.#writing ??= this.#writeAll();
    return this.#writing;
  }

  /** Resolves when nothing is left to write. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    // Wait, so that two changes in one turn of the event loop become one write.
    await Promise.resolve();
    for (let view = this.#take(); view !== undefined; view = this.#take()) {
      await this.#write(view).catch(error => this.#giveUp(error));
    }
    // In the same turn as the last #take, so that no update can come in between.
    this.#writing = undefined;
  }

  #take(): PreviewView | undefined {
    const view = this.#closed || this.#options.signal?.aborted ? undefined : this.#newest;
    this.#newest = undefined;
    return view;
  }

  async #write(view: PreviewView): Promise<void> {
    const { feature, write, logger, signal } = this.#options;
    let newest = view;
    for (const delayMs of [...RETRY_DELAYS_MS, undefined]) {
      try {
        this.#closed = (await write(newest)) === 'closed';
        return;
      } catch (error) {
        const retryable = error instanceof GitHubError && error.retryable;
        if (!retryable || delayMs === undefined) throw error;
        logger.debug(`the ${feature} will be written again in ${delayMs} ms: ${describeError(error)}`);
        await sleep(delayMs, undefined, signal ? { signal } : {});
        newest = this.#take() ?? newest;
      }
    }
  }

  #giveUp(error: unknown): void {
    const { feature, logger, signal } = this.#options;
    const known = error instanceof GitHubError;
    if (signal?.aborted && !known) return;
    this.#closed = !(known && error.retryable);
    if (this.#warned) return;
    this.#warned = true;
    logger.warn(describeReportFailure(feature, error));
  }
}
