// Finds the pull request that a run belongs to, in the event or otherwise through the API, and whether the repository
// is public. Used by step/report-target, identity.ts and the fork rules.

import * as v from 'valibot';
import type { GitHub } from './api.ts';
import { readIssue, readWorkflowRun } from './events.ts';
import type { Job } from './job.ts';

export interface PullRequest {
  number: number;
  state: 'open' | 'closed';
  headSha: string;
  /** `owner/name` of the repository the head lives in, or '' if that repository is gone. */
  headRepository: string;
}

/** The fields that are read of a pull request; events and the API describe it in the same form. */
const PullRequestSchema = v.pipe(
  v.object({
    number: v.number(),
    state: v.optional(v.picklist(['open', 'closed']), 'open'),
    head: v.object({ sha: v.string(), repo: v.nullable(v.object({ full_name: v.string() })) }),
  }),
  v.transform(
    ({ number, state, head }): PullRequest => ({
      number,
      state,
      headSha: head.sha,
      headRepository: head.repo?.full_name ?? '',
    }),
  ),
);

const PullRequestEvent = v.object({ pull_request: PullRequestSchema });

/** The pull request in the event's own payload, as it was when the event happened. */
export function readEventPullRequest(job: Job): PullRequest | undefined {
  const result = v.safeParse(PullRequestEvent, job.event);
  return result.success ? result.output.pull_request : undefined;
}

/**
 * The pull request to report to, or undefined if the event has none (`merge_group`, `schedule`, a push to a branch
 * without one). `number` overrides the search. Rejects with a GitHubError.
 */
export async function findPullRequest(options: {
  job: Job;
  github: GitHub;
  number?: number | undefined;
  signal?: AbortSignal | undefined;
}): Promise<PullRequest | undefined> {
  const { job, github, signal } = options;
  const fromEvent = readEventPullRequest(job);
  if (fromEvent && (options.number ?? fromEvent.number) === fromEvent.number) return fromEvent;
  const number = options.number ?? readEventNumber(job);
  if (number !== undefined) return readPullRequest({ job, github, number, signal });
  const sha = readEventCommit(job);
  return sha === undefined ? undefined : findByCommit({ job, github, sha, signal });
}

/** The pull request as it is now: whether it is still open, and where its head is. */
export function readPullRequest(options: {
  job: Job;
  github: GitHub;
  number: number;
  signal?: AbortSignal | undefined;
}): Promise<PullRequest> {
  const { owner, name: repo } = options.job.repository;
  const parameters = { owner, repo, pull_number: options.number };
  return options.github.request(PullRequestSchema, 'GET /repos/{owner}/{repo}/pulls/{pull_number}', {
    parameters,
    signal: options.signal,
  });
}

/** What the run is about, from the event alone: the number of a pull request, otherwise the branch or tag. */
export function readSubject(job: Job): number | string {
  const number = readEventPullRequest(job)?.number ?? readEventNumber(job);
  return number ?? readWorkflowRun(job)?.head_branch ?? job.ref;
}

/** The number in a payload that names a pull request without describing it. */
function readEventNumber(job: Job): number | undefined {
  const issue = readIssue(job);
  return issue?.pull_request ? issue.number : readWorkflowRun(job)?.pull_requests[0]?.number;
}

/** For events that are about a commit of a branch: that commit, whose pull request is looked up. */
function readEventCommit(job: Job): string | undefined {
  if (job.eventName === 'push' || job.eventName === 'workflow_dispatch') return job.sha;
  return readWorkflowRun(job)?.head_sha;
}

/** The open pull request whose head is `sha`. The API also lists the closed one that a merged commit came from. */
async function findByCommit(options: {
  job: Job;
  github: GitHub;
  sha: string;
  signal: AbortSignal | undefined;
}): Promise<PullRequest | undefined> {
  const { owner, name: repo } = options.job.repository;
  const parameters = { owner, repo, commit_sha: options.sha };
  const route = 'GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls';
  const all = await options.github.list(PullRequestSchema, route, { parameters, signal: options.signal });
  return all.find(({ state, headSha }) => state === 'open' && headSha === options.sha);
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
