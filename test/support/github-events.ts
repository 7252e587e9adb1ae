// Payloads of every event that a preview may run in, for the repository octo/app and its pull request 7: those that
// @octokit/webhooks-examples recorded on GitHub, with our repository, people and commits put into them. Used by the
// tests of whole runs.

import { describePull } from '../../src/demo/github/pulls.ts';
import { describeRepository } from '../../src/demo/github/repository.ts';
import { describeMinimalPull } from '../../src/demo/github/runs.ts';
import { createState, type FakePullRequest } from '../../src/demo/github/state.ts';
import { describeUser } from '../../src/demo/github/users.ts';
import { loadSdk } from './provider-sdks.ts';

/** The head of the pull request. */
export const HEAD = 'a'.repeat(40);
/** The merge commit that a `pull_request` run checks out. */
export const MERGE = 'b'.repeat(40);
/** The newest commit of the default branch. */
export const MAIN = 'c'.repeat(40);

const FORK = 'mallory/app';

export const OWN_PULL: FakePullRequest = {
  number: 7,
  state: 'open',
  head: { sha: HEAD, ref: 'change', repo: { full_name: 'octo/app' } },
};
export const FORKED_PULL: FakePullRequest = {
  ...OWN_PULL,
  head: { ...OWN_PULL.head, repo: { full_name: FORK } },
};

/** What the runner tells a job of its event. */
export interface JobEvent {
  eventName: string;
  payload: object;
  sha: string;
  ref: string;
  actor: string;
}

interface Example {
  name: string;
  examples: Record<string, unknown>[];
}

/** The first payload of that event and action that was recorded. */
function findExample(event: string, action?: string): Record<string, unknown> {
  const all: Example[] = loadSdk('@octokit/webhooks-examples/api.github.com/index.json');
  const { examples = [] } = all.find(({ name }) => name === event) ?? {};
  const found = examples.find(example => action === undefined || example.action === action);
  if (found === undefined) throw new Error(`there is no example of ${event} ${action ?? ''}`);
  return found;
}

const REPOSITORY = describeRepository('octo/app', false);

function createEvent(
  eventName: string,
  changes: Partial<JobEvent>,
  example = findExample(eventName),
): JobEvent {
  const payload = { ...example, repository: REPOSITORY, sender: describeUser('mona'), ...changes.payload };
  return { eventName, sha: MAIN, ref: 'refs/heads/main', actor: 'mona', ...changes, payload };
}

function describe(pull: FakePullRequest): object {
  const { pull_request } = findExample('pull_request', 'opened');
  return { ...(pull_request as object), ...describePull(createState({}), pull) };
}

export function pullRequestEvent(action: string, pull: FakePullRequest, actor = 'mona'): JobEvent {
  const payload = { number: pull.number, pull_request: describe(pull) };
  const ref = `refs/pull/${pull.number}/merge`;
  return createEvent(
    'pull_request',
    { payload, sha: MERGE, ref, actor },
    findExample('pull_request', action),
  );
}

/** Runs on the base branch. */
export function pullRequestTargetEvent(pull: FakePullRequest): JobEvent {
  const payload = { number: pull.number, pull_request: describe(pull) };
  return createEvent('pull_request_target', { payload }, findExample('pull_request', 'opened'));
}

interface RunChanges {
  event?: string;
  sha?: string;
  branch?: string;
  fork?: boolean;
  /** Those that GitHub lists. */
  pulls?: FakePullRequest[];
  actor?: string;
}

export function workflowRunEvent({ pulls = [], ...changes }: RunChanges): JobEvent {
  const example = findExample('workflow_run', 'completed');
  const state = createState({ pulls });
  const run = {
    ...(example.workflow_run as object),
    event: changes.event ?? 'pull_request',
    head_sha: changes.sha ?? HEAD,
    head_branch: changes.branch ?? 'change',
    head_repository: describeRepository(changes.fork ? FORK : 'octo/app', false, changes.fork),
    repository: REPOSITORY,
    pull_requests: pulls.map(({ number }) => describeMinimalPull(state, number)),
    actor: describeUser(changes.actor ?? 'mona'),
    triggering_actor: describeUser(changes.actor ?? 'mona'),
  };
  return createEvent('workflow_run', { payload: { workflow_run: run } }, example);
}

/** A comment on pull request 7, or on a plain issue with that number. */
export function issueCommentEvent(on: 'pull request' | 'issue'): JobEvent {
  const example = findExample('issue_comment', 'created');
  const { pull_request: _, ...issue } = example.issue as Record<string, unknown>;
  const link = { pull_request: { url: `${REPOSITORY.url}/pulls/7` } };
  const about = { ...issue, number: 7, ...(on === 'pull request' ? link : {}) };
  return createEvent('issue_comment', { payload: { issue: about } }, example);
}

export function pushEvent(ref: string, sha: string, actor = 'mona'): JobEvent {
  const pushed = { ref, after: sha, before: MAIN, head_commit: { id: sha }, created: false, deleted: false };
  return createEvent('push', { payload: pushed, sha, ref, actor });
}

export function mergeGroupEvent(): JobEvent {
  const { merge_group } = findExample('merge_group');
  const ref = 'refs/heads/gh-readonly-queue/main/pr-7-abc';
  const group = { ...(merge_group as object), head_sha: MERGE, head_ref: ref, base_ref: 'refs/heads/main' };
  return createEvent('merge_group', { payload: { merge_group: group }, sha: MERGE, ref });
}

/** GitHub documents its payload only in words: the cron line beside the repository. */
export function scheduleEvent(): JobEvent {
  return createEvent('schedule', {}, { schedule: '15 4 * * *', workflow: '.github/workflows/preview.yml' });
}

export function dispatchEvent(branch: string, sha: string): JobEvent {
  const ref = `refs/heads/${branch}`;
  return createEvent('workflow_dispatch', { payload: { ref }, ref, sha });
}

export function repositoryDispatchEvent(): JobEvent {
  return createEvent('repository_dispatch', {});
}

export function releaseEvent(): JobEvent {
  return createEvent('release', { ref: 'refs/tags/v1.2.3' });
}

export function deploymentEvent(): JobEvent {
  const { deployment } = findExample('deployment');
  const about = { ...(deployment as object), sha: HEAD, ref: 'change' };
  return createEvent('deployment', { payload: { deployment: about }, sha: HEAD, ref: 'refs/heads/change' });
}
