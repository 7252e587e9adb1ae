// Decides when the sticky comment is written: one comment per preview, which is edited and never repeated. Writes one
// view at a time, always the newest. A failure is one warning and never affects the preview. Used by the supervisor and
// by post.

import { setTimeout as sleep } from 'node:timers/promises';
import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { type GitHub, GitHubError } from '../api.ts';
import type { Job } from '../job.ts';
import { describeReportFailure } from '../wording.ts';
import { renderComment } from './markdown.ts';
import { renderMarker } from './marker.ts';
import { type CommentTarget, OwnComment } from './own-comment.ts';
import type { PreviewView } from './view.ts';

/** Short failures of GitHub end in seconds. After a longer one, only the next change of state is written. */
const RETRY_DELAYS_MS = [1_000, 4_000];

export interface CommentWriterOptions {
  github: GitHub;
  job: Job;
  target: CommentTarget;
  logger: Logger;
  /** Ends all writing, also a wait for a rate limit. */
  signal?: AbortSignal | undefined;
}

export class CommentWriter {
  readonly #comment: OwnComment;
  readonly #logger: Logger;
  readonly #signal: AbortSignal | undefined;
  #newest: PreviewView | undefined;
  #writing: Promise<void> | undefined;
  #warned = false;
  /** True once nothing more can be written: the permission is missing, or a newer run has taken over. */
  #closed = false;

  /** Nothing is written before the first `update`. */
  constructor({ github, job, target, logger, signal }: CommentWriterOptions) {
    this.#comment = new OwnComment({ github, repository: job.repository, target, logger, signal });
    this.#logger = logger;
    this.#signal = signal;
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
    const view = this.#closed || this.#signal?.aborted ? undefined : this.#newest;
    this.#newest = undefined;
    return view;
  }

  async #write(view: PreviewView): Promise<void> {
    let newest = view;
    for (const delayMs of [...RETRY_DELAYS_MS, undefined]) {
      try {
        return await this.#writeOnce(newest);
      } catch (error) {
        const retryable = error instanceof GitHubError && error.retryable;
        if (!retryable || delayMs === undefined) throw error;
        this.#logger.debug(`the comment will be written again in ${delayMs} ms: ${describeError(error)}`);
        await sleep(delayMs, undefined, this.#signal ? { signal: this.#signal } : {});
        newest = this.#take() ?? newest;
      }
    }
  }

  async #writeOnce(view: PreviewView): Promise<void> {
    const written = await this.#comment.write(renderComment(view, renderMarker(this.#comment.marker)));
    if (written.kind === 'written') return;
    this.#closed = true;
    this.#logger.info(`run ${written.to.runId} is newer: from now on the comment shows its preview`);
  }

  #giveUp(error: unknown): void {
    const known = error instanceof GitHubError;
    if (this.#signal?.aborted && !known) return;
    this.#closed = !(known && error.retryable);
    if (this.#warned) return;
    this.#warned = true;
    this.#logger.warn(
      known ? describeReportFailure('comment', error) : `could not comment: ${describeError(error)}`,
    );
  }
}
