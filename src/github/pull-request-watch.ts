// Watches a pull request for what ends its preview: it is closed, it gets a newer commit, or it loses the label that
// started the preview. Asks politely: one small request at a time, which does not count against the rate limit while
// nothing has changed (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api). Used by
// supervisor/ends.ts; preview.ts plans what to watch.

import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import type { Logger } from '../shared/log.ts';
import { sanitise } from '../shared/sanitise.ts';
import { type GitHub, GitHubError } from './api.ts';
import type { Job } from './job.ts';
import type { PullRequest } from './pull-request.ts';
import { describeReportFailure } from './wording.ts';

/** Fast enough that nobody looks at an old preview for long. GitHub gives a repository's jobs 1,000 requests an hour. */
const POLL_MS = 30_000;
/** The longest pause after failures, unless GitHub asks for more. */
const MAX_PAUSE_MS = 10 * 60_000;
/** After one failure, the next request usually succeeds. */
const FAILURES_BEFORE_WARNING = 3;

/** A label may get another name, so its number decides where it is known. */
const LabelSchema = v.object({ id: v.optional(v.number()), name: v.string() });

/** What counts as unchanged. */
const ConditionSchema = v.object({ heads: v.array(v.string()), isOpen: v.boolean(), hasLabel: v.boolean() });

export const WatchedPullRequestSchema = v.object({
  number: v.number(),
  /** The label whose removal ends the preview. */
  label: v.optional(LabelSchema),
  /** The pull request when the preview was asked for; absent: as it is at the first look. */
  before: v.optional(ConditionSchema),
});

export type WatchedPullRequest = v.InferOutput<typeof WatchedPullRequestSchema>;
type Label = v.InferOutput<typeof LabelSchema>;
type Condition = v.InferOutput<typeof ConditionSchema>;

export type PullRequestEnd = 'pull request closed' | 'pull request merged' | 'newer commit' | 'label removed';

const AnswerSchema = v.object({
  state: v.picklist(['open', 'closed']),
  merged: v.optional(v.boolean(), false),
  head: v.object({ sha: v.string() }),
  labels: v.optional(v.array(LabelSchema), []),
});

type Answer = v.InferOutput<typeof AnswerSchema>;

const LabeledEvent = v.object({ action: v.literal('labeled'), label: LabelSchema });

/**
 * What to watch, for a job that previews `pullRequest`. `checkedOut`: the commit that is previewed, if it is known. A step
 * before may have pushed it, so that it is newer than the event, and still not too old.
 */
export function planWatch(
  job: Job,
  pullRequest: PullRequest,
  checkedOut: string | undefined,
): WatchedPullRequest {
  const { number, headSha, state } = pullRequest;
  const labeled = v.safeParse(LabeledEvent, job.event);
  const label = labeled.success ? labeled.output.label : undefined;
  // Who runs an old run again wants its preview, whatever has happened to the pull request since then.
  if (job.runAttempt > 1) return { number, label };
  const heads = [headSha, ...(checkedOut === undefined ? [] : [checkedOut])];
  return { number, label, before: { heads, isOpen: state === 'open', hasLabel: label !== undefined } };
}

export interface WatchOptions {
  github: GitHub;
  job: Pick<Job, 'repository'>;
  watched: WatchedPullRequest;
  logger: Logger;
  onEnd: (reason: PullRequestEnd) => void;
  /** For tests. */
  pollMs?: number;
}

/** Looks at once, and then again and again. Never throws. Returns the function that stops watching. */
export function watchPullRequest(options: WatchOptions): () => void {
  const stopped = new AbortController();
  void new Watch(options, stopped.signal).follow();
  return () => stopped.abort();
}

class Watch {
  readonly #options: WatchOptions;
  readonly #signal: AbortSignal;
  readonly #pollMs: number;
  #before: Condition | undefined;
  #etag: string | undefined;
  #failures = 0;
  #warned = false;

  constructor(options: WatchOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#pollMs = options.pollMs ?? POLL_MS;
    this.#before = options.watched.before;
  }

  async follow(): Promise<void> {
    while (!this.#signal.aborted) {
      const pauseMs = await this.#look().catch(error => this.#pauseAfter(error));
      if (pauseMs === 'over') return;
      await sleep(pauseMs, undefined, { signal: this.#signal, ref: false }).catch(() => {});
    }
  }

  async #look(): Promise<number | 'over'> {
    const { github, job, watched, logger, onEnd } = this.#options;
    const { owner, name: repo } = job.repository;
    const answer = await github.poll(AnswerSchema, 'GET /repos/{owner}/{repo}/pulls/{pull_number}', {
      parameters: { owner, repo, pull_number: watched.number },
      etag: this.#etag,
      signal: this.#signal,
    });
    this.#failures = 0;
    if (answer === 'unchanged') return this.#pollMs;
    this.#etag = answer.etag;
    const end = findEnd(answer.body, this.#before, watched.label);
    if (end !== undefined) {
      logger.info(`pull request #${watched.number}: ${describeChange(end, answer.body, watched.label)}`);
      onEnd(end);
      return 'over';
    }
    this.#before = describeCondition(answer.body, watched.label);
    return this.#pollMs;
  }

  #pauseAfter(error: unknown): number {
    if (this.#signal.aborted) return 0;
    const known = error instanceof GitHubError;
    this.#failures += 1;
    const isFinal = !(known && error.retryable);
    if (isFinal || this.#failures >= FAILURES_BEFORE_WARNING) this.#warn(error);
    const backoffMs = Math.min(this.#pollMs * 2 ** (this.#failures - 1), MAX_PAUSE_MS);
    return Math.max(backoffMs, (known && error.retryAfterMs) || 0);
  }

  #warn(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#options.logger.warn(describeReportFailure('pull request watch', error));
  }
}

function findEnd(
  now: Answer,
  before: Condition | undefined,
  label: Label | undefined,
): PullRequestEnd | undefined {
  if (before === undefined) return undefined;
  if (before.isOpen && now.state === 'closed')
    return now.merged ? 'pull request merged' : 'pull request closed';
  if (!before.heads.includes(now.head.sha)) return 'newer commit';
  if (before.hasLabel && !hasLabel(now, label)) return 'label removed';
  return undefined;
}

function describeCondition(now: Answer, label: Label | undefined): Condition {
  return { heads: [now.head.sha], isOpen: now.state === 'open', hasLabel: hasLabel(now, label) };
}

function hasLabel({ labels }: Answer, label: Label | undefined): boolean {
  return labels.some(({ id, name }) =>
    label?.id === undefined || id === undefined ? name === label?.name : id === label.id,
  );
}

function describeChange(end: PullRequestEnd, { head }: Answer, label: Label | undefined): string {
  switch (end) {
    case 'pull request closed':
      return 'it was closed';
    case 'pull request merged':
      return 'it was merged';
    case 'newer commit':
      return `it has a newer commit, ${sanitise(head.sha.slice(0, 7))}`;
    case 'label removed':
      return `the label '${sanitise(label?.name ?? '')}' was removed`;
  }
}
