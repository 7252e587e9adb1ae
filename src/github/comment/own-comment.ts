// Our one comment on a pull request: finds it by its marker and its author, on all pages, and writes it. The marker is
// not enough, because anyone who can comment can copy it. Used by comment-writer.ts, which decides when to write.

import * as v from 'valibot';
import type { Logger } from '../../shared/log.ts';
import { type GitHub, GitHubError, type Parameters } from '../api.ts';
import type { PreviewIdentity } from '../identity.ts';
import { compareRuns, type Marker, type Run, readMarker } from './marker.ts';

/** The run that writes, the pull request, and the preview that the comment is about. */
export interface CommentTarget extends Run {
  pullRequest: number;
  identity: PreviewIdentity;
}

/**
 * The result of a write. `yielded`: a newer run has taken over the comment, and this run must not write it any more.
 */
export type Written = { kind: 'written' } | { kind: 'yielded'; to: Run };

export interface OwnCommentOptions {
  github: GitHub;
  repository: { owner: string; name: string };
  target: CommentTarget;
  logger: Logger;
  signal?: AbortSignal | undefined;
}

const CommentSchema = v.object({
  id: v.number(),
  body: v.nullish(v.string(), ''),
  user: v.nullable(v.object({ login: v.string() })),
});

type Comment = v.InferOutput<typeof CommentSchema>;
type MarkedComment = Comment & { marker: Marker };

const RunSchema = v.object({ run_attempt: v.optional(v.number(), 1) });

/** The login of a job's own token, for servers that do not return the token's user. */
const JOB_TOKEN_LOGIN = 'github-actions[bot]';

const ONE = '/repos/{owner}/{repo}/issues/comments/{comment_id}';
const ALL = '/repos/{owner}/{repo}/issues/{issue_number}/comments';

export class OwnComment {
  readonly #options: OwnCommentOptions;
  /** The first line of every body that is written. */
  readonly marker: Marker;
  /** The comment that this process wrote, and its author, once they are known. */
  #id: number | undefined;
  #login: string | undefined;

  constructor(options: OwnCommentOptions) {
    const { runId, runAttempt, identity } = options.target;
    this.#options = options;
    this.marker = { key: identity.key, runId, runAttempt };
  }

  /**
   * Creates or edits the comment. `body` must begin with the marker. Can be repeated after a failure: it finds a
   * comment that the failed attempt created. Rejects with a GitHubError.
   */
  async write(body: string): Promise<Written> {
    const found = (await this.#readOwn()) ?? (await this.#findAll());
    const created = found.length === 0 ? await this.#create(body) : undefined;
    const [kept, ...spare] = created ? await this.#findBeside(created) : found;
    if (kept === undefined) throw new Error('a comment was created and then not found');
    for (const { id } of spare) await this.#remove(id);
    if (await this.#mustYieldTo(kept.marker)) return { kind: 'yielded', to: kept.marker };
    this.#id = kept.id;
    if (kept.id !== created?.id)
      await this.#request(CommentSchema, `PATCH ${ONE}`, { comment_id: kept.id, body });
    return { kind: 'written' };
  }

  /** The comment that this process wrote before, as it is now; undefined if there is none, or somebody deleted it. */
  async #readOwn(): Promise<MarkedComment[] | undefined> {
    if (this.#id === undefined) return undefined;
    try {
      const comment = await this.#request(CommentSchema, `GET ${ONE}`, { comment_id: this.#id });
      return [{ ...comment, marker: this.#readMarker(comment) ?? this.marker }];
    } catch (error) {
      if (!isStatus(error, 404)) throw error;
      this.#id = undefined;
      return undefined;
    }
  }

  /**
   * All our comments for this preview, that of the newest run first. There are several only if two runs started at
   * once.
   */
  async #findAll(): Promise<MarkedComment[]> {
    const { github, target, signal } = this.#options;
    const parameters = { ...this.#repository(), issue_number: target.pullRequest };
    const comments = await github.list(CommentSchema, `GET ${ALL}`, { parameters, signal });
    const marked = comments.flatMap(comment => {
      const marker = this.#readMarker(comment);
      return marker === undefined ? [] : [{ ...comment, marker }];
    });
    if (marked.length === 0) return [];
    const author = await this.#readLogin();
    return marked
      .filter(({ user }) => user?.login === author)
      .sort((a, b) => compareRuns(b.marker, a.marker) || a.id - b.id);
  }

  async #create(body: string): Promise<MarkedComment> {
    const parameters = { issue_number: this.#options.target.pullRequest, body };
    const comment = await this.#request(CommentSchema, `POST ${ALL}`, parameters);
    this.#login = comment.user?.login ?? this.#login;
    return { ...comment, marker: this.marker };
  }

  /** Looks again after a comment was created, because another run may have created its own at the same time. */
  async #findBeside(created: MarkedComment): Promise<MarkedComment[]> {
    const all = await this.#findAll();
    return all.some(({ id }) => id === created.id) ? all : [...all, created];
  }

  async #remove(id: number): Promise<void> {
    this.#options.logger.debug(`deleting comment ${id}: another comment shows the same preview`);
    try {
      await this.#request(v.unknown(), `DELETE ${ONE}`, { comment_id: id });
    } catch (error) {
      if (!isStatus(error, 404)) throw error;
    }
  }

  /**
   * True if the marker names a newer run that GitHub knows. If GitHub does not know it, this run takes over the
   * comment.
   */
  async #mustYieldTo(marker: Marker): Promise<boolean> {
    if (compareRuns(marker, this.marker) <= 0) return false;
    try {
      const route = 'GET /repos/{owner}/{repo}/actions/runs/{run_id}';
      const run = await this.#request(RunSchema, route, { run_id: marker.runId });
      return run.run_attempt >= marker.runAttempt;
    } catch (error) {
      // A token without `actions: read` cannot check the run. The author is our own user, so trust the marker: at worst
      // this hides one link, while overwriting the link of a newer run would leave a dead one.
      if (isStatus(error, 403)) return true;
      if (isStatus(error, 404)) return false;
      throw error;
    }
  }

  async #readLogin(): Promise<string> {
    const { github, signal } = this.#options;
    this.#login ??= await github.readLogin(signal).catch(error => {
      if (error instanceof GitHubError) return JOB_TOKEN_LOGIN;
      throw error;
    });
    return this.#login;
  }

  #readMarker(comment: Comment): Marker | undefined {
    const marker = readMarker(comment.body);
    return marker?.key === this.marker.key ? marker : undefined;
  }

  #request: GitHubRequest = (schema, route, parameters) => {
    const { github, signal } = this.#options;
    return github.request(schema, route, { parameters: { ...this.#repository(), ...parameters }, signal });
  };

  #repository(): { owner: string; repo: string } {
    const { owner, name: repo } = this.#options.repository;
    return { owner, repo };
  }
}

type GitHubRequest = <S extends v.GenericSchema<unknown>>(
  schema: S,
  route: string,
  parameters: Parameters,
) => Promise<v.InferOutput<S>>;

function isStatus(error: unknown, status: number): boolean {
  return error instanceof GitHubError && error.status === status;
}
