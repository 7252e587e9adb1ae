// Finds the pull request that a run belongs to, in the event or otherwise through the API, and whether the repository
// is public. Used by step/report-target, identity.ts and the fork rules.

import * as v from 'valibot';
import { type GitHub, GitHubError } from './api.ts';
import { compareIds, readIssue, readWorkflowRun } from './events.ts';
import type { Job } from './job.ts';

export interface PullRequest {
  number: number;
  state: 'open' | 'closed';
  headSha: string;
  /** Undefined in a payload that leaves it out. */
  headBranch?: string | undefined;
  /** `owner/name` of the repository the head lives in, or '' if that repository is gone. */
  headRepository: string;
  /** Whether the head lives in the base repository, by their ids; undefined if a payload leaves them out. */
  isOwnHead?: boolean | undefined;
}

const Repository = v.object({ full_name: v.string(), id: v.optional(v.number()) });

/** The fields that are read of a pull request; events and the API describe it in the same form. */
const PullRequestSchema = v.pipe(
  v.object({
    number: v.number(),
    state: v.optional(v.picklist(['open', 'closed']), 'open'),
    head: v.object({ sha: v.string(), ref: v.optional(v.string()), repo: v.nullable(Repository) }),
    base: v.optional(v.object({ repo: v.optional(Repository) })),
  }),
  v.transform(
    ({ number, state, head, base }): PullRequest => ({
      number,
      state,
      headSha: head.sha,
      headBranch: head.ref,
      headRepository: head.repo?.full_name ?? '',
      isOwnHead: head.repo === null ? false : compareIds(head.repo.id, base?.repo?.id),
    }),
  ),
);

const PullRequestEvent = v.object({ pull_request: PullRequestSchema });

/** The pull request in the event's own payload, as it was when the event happened. */
export function readEventPullRequest(job: Job): PullRequest | undefined {
  const result = v.safeParse(PullRequestEvent, job.event);
  return result.success ? result.output.pull_request : undefined;
}

/** Whether the head lives in the job's own repository: by its ids, which a new name does not change, or by its name. */
export function isOwnHead(job: Job, head: Pick<PullRequest, 'isOwnHead' | 'headRepository'>): boolean {
  // GitHub compares owners and names case-insensitively.
  const { owner, name } = job.repository;
  return head.isOwnHead ?? isSameName(head.headRepository, `${owner}/${name}`);
}

function isSameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Events of runs whose commit is a branch's own. That of a schedule may be the head of a pull request by chance. */
const BRANCH_EVENTS = [
  'push',
  'workflow_dispatch',
  'pull_request',
  'pull_request_target',
  'pull_request_review',
  'pull_request_review_comment',
];

interface SearchOptions {
  job: Job;
  github: GitHub;
  signal?: AbortSignal | undefined;
}

/**
 * The pull request to report to, or undefined if the event has none (`merge_group`, `schedule`, a tag, a push to a
 * branch without one). It may be closed. `number` overrides the search. Rejects with a GitHubError.
 */
export async function findPullRequest(
  options: SearchOptions & { number?: number | undefined },
): Promise<PullRequest | undefined> {
  const { job, github, signal } = options;
  const fromEvent = readEventPullRequest(job);
  if (fromEvent && (options.number ?? fromEvent.number) === fromEvent.number) return fromEvent;
  const number = options.number ?? readEventNumber(job);
  if (number !== undefined) return readPullRequest({ job, github, number, signal });
  const head = readHead(job);
  return head && findByHead(head, options);
}

/** The pull request as it is now: whether it is still open, and where its head is. */
export function readPullRequest(options: SearchOptions & { number: number }): Promise<PullRequest> {
  const { owner, name: repo } = options.job.repository;
  const parameters = { owner, repo, pull_number: options.number };
  return options.github.request(PullRequestSchema, 'GET /repos/{owner}/{repo}/pulls/{pull_number}', {
    parameters,
    signal: options.signal,
  });
}

/**
 * What the run is about, from the event alone: the number of a pull request, otherwise the branch or tag. A branch of
 * another repository comes with its owner, because two forks may use the same name.
 */
export function readSubject(job: Job): number | string {
  const number = readEventPullRequest(job)?.number ?? readEventNumber(job);
  if (number !== undefined) return number;
  const run = readWorkflowRun(job);
  if (!run?.head_branch) return job.ref;
  const headRepository = run.head_repository?.full_name ?? '';
  const isOwn = isOwnHead(job, { headRepository, isOwnHead: run.isOwnHead });
  return isOwn ? run.head_branch : `${headRepository.split('/')[0]}:${run.head_branch}`;
}

/** The commit that the preview shows: the pull request's head, otherwise the commit the run is about. */
export function readCommit(job: Job, pullRequest: PullRequest | undefined): string {
  const head = pullRequest ?? readEventPullRequest(job);
  return head?.headSha ?? readWorkflowRun(job)?.head_sha ?? job.sha;
}

/** The number in a payload that names a pull request without describing it. */
function readEventNumber(job: Job): number | undefined {
  const issue = readIssue(job);
  if (issue?.pull_request) return issue.number;
  const run = readWorkflowRun(job);
  return run && BRANCH_EVENTS.includes(run.event) ? run.pullRequests[0] : undefined;
}

/** A commit of a branch. */
interface Head {
  sha: string;
  branch: string | undefined;
  /** `owner/name`, or '' if the repository is gone. */
  repository: string;
  /** Whether that is the job's own repository. */
  isOwn: boolean;
}

/** The head whose pull request is looked up. */
function readHead(job: Job): Head | undefined {
  if (job.eventName === 'push' || job.eventName === 'workflow_dispatch') {
    // Other runners than GitHub's may not know the commit.
    if (job.ref.startsWith('refs/tags/') || job.sha === '') return undefined;
    const branch = /^refs\/heads\/(.+)/.exec(job.ref)?.[1];
    const { owner, name } = job.repository;
    return { sha: job.sha, branch, repository: `${owner}/${name}`, isOwn: true };
  }
  const run = readWorkflowRun(job);
  if (run === undefined || !BRANCH_EVENTS.includes(run.event)) return undefined;
  const headRepository = run.head_repository?.full_name ?? '';
  return {
    sha: run.head_sha,
    branch: run.head_branch ?? undefined,
    repository: headRepository,
    isOwn: isOwnHead(job, { headRepository, isOwnHead: run.isOwnHead }),
  };
}

/**
 * The open pull request of that branch with that commit as its head. If there are several, for other base branches, it
 * is the oldest, so that a new one does not move the report.
 */
async function findByHead(head: Head, options: SearchOptions): Promise<PullRequest | undefined> {
  const isWanted = (pull: PullRequest) =>
    pull.state === 'open' &&
    pull.headSha === head.sha &&
    (pull.headBranch === undefined || head.branch === undefined || pull.headBranch === head.branch) &&
    (head.isOwn ? isOwnHead(options.job, pull) : isSameName(pull.headRepository, head.repository));
  for (const list of [listByCommit, listByBranch]) {
    const found = (await list(head, options)).filter(isWanted).sort((a, b) => a.number - b.number);
    if (found[0] !== undefined) return found[0];
  }
  return undefined;
}

/**
 * Of a commit that is in the default branch already, GitHub lists only the pull request that brought it there, and of a
 * fork's commit often none.
 */
async function listByCommit({ sha }: Head, { job, github, signal }: SearchOptions): Promise<PullRequest[]> {
  const { owner, name: repo } = job.repository;
  const parameters = { owner, repo, commit_sha: sha };
  const route = 'GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls';
  try {
    return await github.list(PullRequestSchema, route, { parameters, signal });
  } catch (error) {
    // The commit is not in this repository: that of a fork, or one whose branch is gone.
    if (error instanceof GitHubError && error.status === 422) return [];
    throw error;
  }
}

/** Finds those of forks, too. GitHub ignores a `head` that it does not understand, and lists everything. */
async function listByBranch(
  { branch, repository }: Head,
  { job, github, signal }: SearchOptions,
): Promise<PullRequest[]> {
  const [headOwner] = repository.split('/');
  if (!branch || !headOwner) return [];
  const { owner, name: repo } = job.repository;
  const parameters = { owner, repo, state: 'open', head: `${headOwner}:${branch}` };
  return github.list(PullRequestSchema, 'GET /repos/{owner}/{repo}/pulls', { parameters, signal });
}

export type Visibility = 'public' | 'not known to be public';

const RepositorySchema = v.object({ private: v.boolean(), visibility: v.optional(v.string()) });
const RepositoryEvent = v.object({ repository: RepositorySchema });

/** Whether everybody can read the repository. Never rejects: an unknown visibility counts as not public. */
export async function readVisibility(job: Job, github: GitHub, signal?: AbortSignal): Promise<Visibility> {
  if (v.is(RepositoryEvent, job.event)) return toVisibility(job.event.repository);
  const { owner, name: repo } = job.repository;
  try {
    const route = 'GET /repos/{owner}/{repo}';
    const repository = await github.request(RepositorySchema, route, { parameters: { owner, repo }, signal });
    return toVisibility(repository);
  } catch {
    return 'not known to be public';
  }
}

/** `internal` repositories of an enterprise are not public either. */
function toVisibility(repository: v.InferOutput<typeof RepositorySchema>): Visibility {
  const isPublic = !repository.private && (repository.visibility ?? 'public') === 'public';
  return isPublic ? 'public' : 'not known to be public';
}
