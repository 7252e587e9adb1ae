// Writes the sticky comment: one comment per preview, which is edited and never repeated. Used by the supervisor and by
// post.

import { renderCount } from '../../shared/count.ts';
import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import type { GitHub } from '../api.ts';
import { identifyWorkflow, type PreviewIdentity } from '../identity.ts';
import type { Job } from '../job.ts';
import { ReportQueue, type WriteResult } from '../report-queue.ts';
import type { Run } from '../run.ts';
import type { PreviewState, PreviewView } from '../view.ts';
import { renderComment } from './markdown.ts';
import { isOver, type Marker, renderMarker, type Writer } from './marker.ts';
import { OwnComment, type Standing } from './own-comment.ts';
import { endStaleComments } from './stale-comments.ts';
import { Thread } from './thread.ts';

/**
 * After a comment was taken over: when to look whether another run wrote it in the same moment. The first is for the
 * usual case, the second is longer than any request of the other run can take.
 */
const TAKEN_CHECKS_MS = [3_000, 20_000];
/**
 * While the preview is alive: another run may have taken the comment, and its preview may end before ours. A look at a
 * comment that has not changed does not count against the rate limit.
 */
const LATER_CHECK_MS = 120_000;

/** The pull request, the preview that the comment is about, and hex digits that no other step has. */
export interface CommentTarget {
  pullRequest: number;
  identity: PreviewIdentity;
  instance: string;
}

export interface CommentWriterOptions {
  github: GitHub;
  job: Job;
  target: CommentTarget;
  logger: Logger;
  /** Ends all writing, also a wait for a rate limit. */
  signal?: AbortSignal | undefined;
  /** Tells the author of the workflow what to change. */
  warn: (message: string) => void;
  /** For tests: how long to wait before looking at the comment again. */
  checkMs?: { taken: readonly number[]; yielded: number } | undefined;
}

export class CommentWriter {
  readonly #thread: Thread;
  readonly #comment: OwnComment;
  readonly #writer: Writer;
  readonly #options: CommentWriterOptions;
  readonly #queue: ReportQueue;
  readonly #flushing = new AbortController();
  #newest: PreviewView | undefined;
  #check: NodeJS.Timeout | undefined;
  /** How long to wait before each of the looks that are still to come. */
  #checks: number[] = [];
  #owner: Run | undefined;
  #isTwin = false;
  #tidying: Promise<void> | undefined;

  /** Nothing is written before the first `update`. */
  constructor(options: CommentWriterOptions) {
    const { github, job, target, logger, signal } = options;
    const { repository, runId, runAttempt } = job;
    const { pullRequest, identity, instance } = target;
    this.#options = options;
    this.#writer = { key: identity.key, runId, runAttempt, instance, workflow: identifyWorkflow(job) };
    this.#thread = new Thread({ github, repository, pullRequest, signal });
    this.#comment = new OwnComment({ thread: this.#thread, writer: this.#writer, logger });
    this.#queue = new ReportQueue({ feature: 'comment', write: view => this.#write(view), logger, signal });
  }

  /** Never rejects. Resolves when this view, or a newer one, is written or given up. */
  update(view: PreviewView): Promise<void> {
    this.#newest = view;
    return this.#queue.update(view);
  }

  /** Resolves when nothing is left to write. */
  async flush(): Promise<void> {
    clearTimeout(this.#check);
    this.#flushing.abort();
    await this.#queue.flush();
  }

  async #write(view: PreviewView): Promise<WriteResult> {
    clearTimeout(this.#check);
    const standing = describeStanding(view.state);
    const written = await this.#comment.write(standing, marker => this.#render(view, marker));
    if (written.kind === 'yielded') return this.#yield(standing, written.to);
    this.#owner = undefined;
    if (written.slot > 1) this.#warnOfTwin(written.slot);
    if (isOver(standing)) return 'written';
    if (written.kind === 'taken') this.#checks = [...(this.#options.checkMs?.taken ?? TAKEN_CHECKS_MS)];
    this.#checkIn(this.#checks[0] ?? this.#laterMs);
    this.#tidying ??= this.#tidy();
    return written.kind === 'unchanged' ? 'unchanged' : 'written';
  }

  #yield(standing: Standing, owner: Run): WriteResult {
    if (this.#owner?.runId !== owner.runId)
      this.#options.logger.info(
        `the comment shows the preview of run ${owner.runId} now, which is newer or alive`,
      );
    this.#owner = owner;
    if (isOver(standing)) return 'closed';
    this.#checkIn(this.#laterMs);
    return 'unchanged';
  }

  get #laterMs(): number {
    return this.#options.checkMs?.yielded ?? LATER_CHECK_MS;
  }

  /** Looks whether the comment is still, or should be, ours. */
  #checkIn(delayMs: number): void {
    if (this.#flushing.signal.aborted) return;
    this.#check = setTimeout(() => {
      this.#checks.shift();
      if (this.#newest) void this.#queue.update(this.#newest);
    }, delayMs).unref();
  }

  #render(view: PreviewView, marker: Marker): string {
    const { slot } = marker;
    const name = slot === 1 ? view.preview.name : `${view.preview.name} (${slot})`;
    return renderComment({ ...view, preview: { ...view.preview, name } }, renderMarker(marker));
  }

  #warnOfTwin(slot: number): void {
    if (this.#isTwin) return;
    this.#isTwin = true;
    this.#options.warn(
      `this run has ${slot} previews of the same name, perhaps from a workflow that it calls ${slot === 2 ? 'twice' : `${slot} times`}: this one has a comment of its own, but which comment and which address it gets may change from run to run; set \`name\` to a different text in each of them`,
    );
  }

  /** Once, after the first write of a preview that is alive. The end of the preview does not wait for it. */
  async #tidy(): Promise<void> {
    const { logger, signal } = this.#options;
    const signals = signal ? [signal, this.#flushing.signal] : [this.#flushing.signal];
    const thread = this.#thread.endedBy(AbortSignal.any(signals));
    const { id, seen } = this.#comment;
    try {
      const count = await endStaleComments({ thread, writer: this.#writer, keep: id, seen });
      if (count > 0) logger.info(`marked ${renderCount(count, 'comment')} of runs that are over as ended`);
    } catch (error) {
      logger.debug(`older comments were not checked: ${describeError(error)}`);
    }
  }
}

function describeStanding(state: PreviewState): Standing {
  return { state: state.kind, until: 'endsAt' in state ? state.endsAt : undefined };
}
