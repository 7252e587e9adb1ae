// The comments of one pull request, through the API. Says which of them our own user wrote, and whether the run that a
// comment belongs to is over. Used by own-comment.ts and stale-comments.ts.

import * as v from 'valibot';
import { type GitHub, GitHubError, type Parameters } from '../api.ts';
import { compareRuns, LONGEST_JOB_MS, type Run, type RunState, readRunState } from '../run.ts';
import { type Marker, readMarker } from './marker.ts';

const CommentSchema = v.object({
  id: v.number(),
  body: v.nullish(v.string(), ''),
  /** null: the author deleted the account. */
  user: v.nullish(v.object({ login: v.string() }), null),
  created_at: v.optional(v.string(), ''),
  updated_at: v.optional(v.string(), ''),
});

export type Comment = v.InferOutput<typeof CommentSchema>;
export type MarkedComment = Comment & { marker: Marker };

/** The login of a job's own token, for servers that do not return the token's user. */
const JOB_TOKEN_LOGIN = 'github-actions[bot]';

const ONE = '/repos/{owner}/{repo}/issues/comments/{comment_id}';
const ALL = '/repos/{owner}/{repo}/issues/{issue_number}/comments';

/** The most that GitHub returns at once. */
const PAGE_SIZE = 100;
/** 6,000 comments. GitHub closes a conversation at 2,500. */
const MAX_PAGES = 60;
/** Comments that were written this long before another one count as written at the same time. */
const AT_ONCE_MS = 60_000;
/** The clocks of two runners differ, and a comment may be written a moment late. */
const CLOCK_MARGIN_MS = 60_000;

/** `next`: number of the next page; undefined if this is the last. */
export interface Page {
  comments: MarkedComment[];
  next: number | undefined;
}

export interface ThreadOptions {
  github: GitHub;
  repository: { owner: string; name: string };
  pullRequest: number;
  signal?: AbortSignal | undefined;
}

/** All methods reject with a GitHubError, or with the reason of the signal. */
export class Thread {
  readonly #options: ThreadOptions;
  #login: string | undefined;
  /** True once GitHub refused to show a run: the token lacks `actions: read`. */
  #runsAreHidden = false;
  /** The comment that was read last, and the tag of that answer. */
  #known: { comment: Comment; etag: string | undefined } | undefined;

  constructor(options: ThreadOptions) {
    this.#options = options;
  }

  /** The same thread for requests that another signal ends. */
  endedBy(signal: AbortSignal): Thread {
    const thread = new Thread({ ...this.#options, signal });
    thread.#login = this.#login;
    return thread;
  }

  /**
   * Our own user's comments with a marker, page by page in the order of their ids. `since`: only those that were written
   * after that time (ISO 8601).
   */
  async *readOwn(options: { from?: number; since?: string | undefined } = {}): AsyncGenerator<Page, void> {
    const { from = 1, since } = options;
    for (let page = from; ; page += 1) {
      const parameters = { issue_number: this.#options.pullRequest, per_page: PAGE_SIZE, page };
      const comments = await this.#request(v.array(CommentSchema), `GET ${ALL}`, {
        ...parameters,
        ...(since !== undefined && { since }),
      });
      // Only the few comments of interest are kept: a page may have 6 MB of text.
      const isLast = comments.length < PAGE_SIZE || page === MAX_PAGES;
      yield { comments: await this.#keepOwn(comments), next: isLast ? undefined : page + 1 };
      if (isLast) return;
    }
  }

  /** The comment as it is now; undefined if somebody deleted it. Costs nothing if it has not changed since the last read. */
  read(id: number): Promise<Comment | undefined> {
    return orUndefined(this.#poll(id));
  }

  async #poll(id: number): Promise<Comment> {
    const { github, signal } = this.#options;
    const known = this.#known?.comment.id === id ? this.#known : undefined;
    const options = { parameters: { ...this.#repository(), comment_id: id }, signal, etag: known?.etag };
    const polled = await github.poll(CommentSchema, `GET ${ONE}`, options);
    if (polled === 'unchanged' && known !== undefined) return known.comment;
    if (polled === 'unchanged') return this.#request(CommentSchema, `GET ${ONE}`, { comment_id: id });
    this.#known = { comment: polled.body, etag: polled.etag };
    return polled.body;
  }

  /**
   * Creates a comment, and looks which others of ours were written at the same time; all others, if the search before
   * looked for the wrong author.
   */
  async create(body: string): Promise<{ comment: Comment; beside: MarkedComment[] }> {
    const parameters = { issue_number: this.#options.pullRequest, body };
    const comment = await this.#request(CommentSchema, `POST ${ALL}`, parameters);
    const author = comment.user?.login ?? this.#login;
    const isSurprise = this.#login !== undefined && this.#login !== author;
    this.#login = author;
    const at = Date.parse(comment.created_at);
    const since = isSurprise || Number.isNaN(at) ? undefined : new Date(at - AT_ONCE_MS).toISOString();
    const beside: MarkedComment[] = [];
    for await (const { comments } of this.readOwn({ since })) beside.push(...comments);
    return { comment, beside };
  }

  async edit(id: number, body: string): Promise<void> {
    await this.#request(CommentSchema, `PATCH ${ONE}`, { comment_id: id, body });
  }

  async remove(id: number): Promise<void> {
    await orUndefined(this.#request(v.unknown(), `DELETE ${ONE}`, { comment_id: id }));
  }

  /**
   * Whether the preview of a comment that says it is alive cannot be: its end has passed, a later attempt of its run
   * began, or GitHub says that the run is over or never was. A token without `actions: read` cannot ask; the comment's
   * own end then decides, at the latest five days after the last edit.
   */
  async isGone({ marker, updated_at }: MarkedComment, self: Run): Promise<boolean> {
    const now = Date.now();
    if (marker.until !== undefined && now > marker.until.getTime() + CLOCK_MARGIN_MS) return true;
    if (now > Date.parse(updated_at) + LONGEST_JOB_MS) return true;
    // Attempts of a run follow one another, and steps of one attempt are alive as long as this one.
    if (marker.runId === self.runId && marker.runAttempt <= self.runAttempt)
      return compareRuns(marker, self) < 0;
    const state = await this.readRun(marker);
    return state === 'over' || state === 'unknown';
  }

  /** Does not ask again once GitHub has refused. */
  async readRun(run: Run): Promise<RunState> {
    if (this.#runsAreHidden) return 'hidden';
    const state = await readRunState({ ...this.#options, run });
    this.#runsAreHidden = state === 'hidden';
    return state;
  }

  /** The marker is not enough, because anyone who can comment can copy it. */
  async #keepOwn(comments: readonly Comment[]): Promise<MarkedComment[]> {
    const marked = comments.flatMap(comment => {
      const marker = readMarker(comment.body);
      return marker === undefined ? [] : [{ ...comment, marker }];
    });
    if (marked.length === 0) return [];
    const login = await this.#readLogin();
    return marked.filter(({ user }) => user?.login === login);
  }

  async #readLogin(): Promise<string> {
    const { github, signal } = this.#options;
    this.#login ??= await github.readLogin(signal).catch(error => {
      if (error instanceof GitHubError) return JOB_TOKEN_LOGIN;
      throw error;
    });
    return this.#login;
  }

  #request<S extends v.GenericSchema<unknown>>(schema: S, route: string, parameters: Parameters) {
    const { github, signal } = this.#options;
    return github.request(schema, route, { parameters: { ...this.#repository(), ...parameters }, signal });
  }

  #repository(): { owner: string; repo: string } {
    const { owner, name: repo } = this.#options.repository;
    return { owner, repo };
  }
}

function orUndefined<T>(request: Promise<T>): Promise<T | undefined> {
  return request.catch(error => {
    if (isStatus(error, 404)) return undefined;
    throw error;
  });
}

function isStatus(error: unknown, status: number): boolean {
  return error instanceof GitHubError && error.status === status;
}
