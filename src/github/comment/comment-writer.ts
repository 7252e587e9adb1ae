// Writes the sticky comment: one comment per preview, which is edited and never repeated. Used by the supervisor and by
// post.

import type { Logger } from '../../shared/log.ts';
import type { GitHub } from '../api.ts';
import type { Job } from '../job.ts';
import { ReportQueue } from '../report-queue.ts';
import { renderComment } from './markdown.ts';
import { renderMarker } from './marker.ts';
import { type CommentTarget, OwnComment } from './own-comment.ts';
import type { PreviewView } from './view.ts';

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
  readonly #queue: ReportQueue;

  /** Nothing is written before the first `update`. */
  constructor({ github, job, target, logger, signal }: CommentWriterOptions) {
    this.#comment = new OwnComment({ github, repository: job.repository, target, logger, signal });
    this.#logger = logger;
    this.#queue = new ReportQueue({ feature: 'comment', write: view => this.#write(view), logger, signal });
  }

  /** Never rejects. Resolves when this view, or a newer one, is written or given up. */
  update(view: PreviewView): Promise<void> {
    return this.#queue.update(view);
  }

  /** Resolves when nothing is left to write. */
  flush(): Promise<void> {
    return this.#queue.flush();
  }

  async #write(view: PreviewView): Promise<'open' | 'closed'> {
    const written = await this.#comment.write(renderComment(view, renderMarker(this.#comment.marker)));
    if (written.kind === 'written') return 'open';
    this.#logger.info(`run ${written.to.runId} is newer: from now on the comment shows its preview`);
    return 'closed';
  }
}
