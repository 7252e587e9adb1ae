// The fork rules decide whether the code on the runner may run in a job that has secrets. The step checks them before
// it reads its other inputs, because a fork's job has no `vars` and no secrets, so its inputs look wrong. docs/forks.md
// explains the rules to users; GitHub Security Lab describes the attack in "Preventing pwn requests".

import { describeError } from '../shared/errors.ts';
import { sanitise } from '../shared/sanitise.ts';
import { type GitHub, GitHubError } from './api.ts';
import { readCheckedOutCommit } from './checkout.ts';
import { readIssue, readWorkflowRun } from './events.ts';
import type { Job } from './job.ts';
import { isOwnHead, type PullRequest, readEventPullRequest, readPullRequest } from './pull-request.ts';

/**
 * `skip`: a notice, and the step is green. `refuse`: an error. The reason is the whole text to show. `isReadOnly`: the
 * job's token can write nothing, unless the repository's settings say otherwise.
 */
export type Verdict =
  | { kind: 'trusted' }
  | { kind: 'skip'; reason: string }
  | { kind: 'refuse'; reason: string }
  | { kind: 'allowed untrusted'; reason: string; isReadOnly: boolean };

export const FORKS_PAGE = 'https://github.com/wasmrun/expose-action/blob/main/docs/forks.md';

/** For a pull request from a fork, jobs of these events have a read-only token and no secrets. */
const PULL_REQUEST_EVENTS = ['pull_request', 'pull_request_review', 'pull_request_review_comment'];

/**
 * If Dependabot is the actor, jobs of these events get Dependabot's own secrets and a read-only token (GitHub docs).
 */
const DEPENDABOT_EVENTS = [...PULL_REQUEST_EVENTS, 'push', 'create', 'deployment', 'deployment_status'];

/**
 * Jobs of these events have secrets and a write token, whoever caused the event, and are often about untrusted code.
 */
const PRIVILEGED_EVENTS = ['pull_request_target', 'workflow_run', 'issue_comment', 'repository_dispatch'];

/** These events are about a commit of the repository itself, so workflows have no reason to check out a fork. */
const OWN_COMMIT_EVENTS = ['push', 'schedule', 'merge_group'];

/**
 * People with write access cause these, mostly for the run's own commit; what the job built may be outside any
 * checkout.
 */
const CHECKOUT_OPTIONAL_EVENTS = ['workflow_dispatch', 'release'];

const DEPENDABOT = 'dependabot[bot]';

interface ForkRuleOptions {
  job: Job;
  github: GitHub;
  /** The folder or file to be exposed; its checkout must be at the pull request's head. */
  path: string;
  allowUntrustedHead: boolean;
  signal: AbortSignal;
}

/**
 * If GitHub gives no answer in time, the code is untrusted. Rejects only if the signal is aborted for another reason.
 */
export async function checkForkRules(options: ForkRuleOptions): Promise<Verdict> {
  const { job, allowUntrustedHead } = options;
  const withheld = findWithheld(job);
  if (withheld !== undefined) {
    const reason = `${withheld}, so its job gets a read-only token and no secrets`;
    if (allowUntrustedHead)
      return { kind: 'allowed untrusted', reason: `${reason}: there will be no comment`, isReadOnly: true };
    return { kind: 'skip', reason: `no preview: ${reason}. See ${FORKS_PAGE}` };
  }
  if ([...PULL_REQUEST_EVENTS, ...OWN_COMMIT_EVENTS].includes(job.eventName)) return { kind: 'trusted' };
  const reason = await findUntrustedReason(options);
  if (reason === undefined) return { kind: 'trusted' };
  if (allowUntrustedHead) return { kind: 'allowed untrusted', reason, isReadOnly: false };
  return { kind: 'refuse', reason: renderRefusal(job, reason) };
}

/** Why GitHub withholds secrets from this job; undefined if it does not. */
function findWithheld(job: Job): string | undefined {
  if (DEPENDABOT_EVENTS.includes(job.eventName) && job.actor === DEPENDABOT) {
    return renderDependabot('this run');
  }
  if (!PULL_REQUEST_EVENTS.includes(job.eventName)) return undefined;
  const head = readEventPullRequest(job);
  if (head === undefined) return "this run's event does not say where the pull request comes from";
  return isOwnHead(job, head) ? undefined : renderOrigin(head.headRepository);
}

/** Why the code at `path` is untrusted; undefined if it is the repository's own. */
async function findUntrustedReason(options: ForkRuleOptions): Promise<string | undefined> {
  const { job, path } = options;
  if (!PRIVILEGED_EVENTS.includes(job.eventName)) return findUnexpectedCommit(job, path);
  if (job.eventName === 'repository_dispatch')
    return 'this run was started by repository_dispatch, and it is unknown whose code it is about';
  if (job.actor === DEPENDABOT) return renderDependabot('this run');
  try {
    const head = job.eventName === 'workflow_run' ? readRunHead(job) : await readHead(options);
    if (typeof head === 'string') return head;
    if (!head.isOwn) return renderOrigin(head.repository);
    const commit = readCheckedOutCommit(path);
    if (commit !== undefined && head.commits.includes(commit)) return undefined;
    const expected = head.commits.map(sha => sanitise(sha)).join(' or ');
    return `${renderFound(path, commit)}, but the head ${expected} was expected`;
  } catch (error) {
    if (error instanceof GitHubError)
      return `the origin of the code could not be determined: ${describeError(error)}`;
    throw error;
  }
}

/** A slash command may have passed a pull request's number to this run, which then checked out a fork. */
function findUnexpectedCommit(job: Job, path: string): string | undefined {
  const commit = readCheckedOutCommit(path);
  if (commit === job.sha) return undefined;
  if (commit === undefined && CHECKOUT_OPTIONAL_EVENTS.includes(job.eventName)) return undefined;
  return `${renderFound(path, commit)}, but this run's own commit ${sanitise(job.sha)} was expected`;
}

interface Head {
  repository: string;
  /** Whether that is the job's own repository. */
  isOwn: boolean;
  /** The commits that may lie at `path`. */
  commits: readonly string[];
}

/** The head of the pull request a privileged event is about, or why it is unknown. */
async function readHead({ job, github, signal }: ForkRuleOptions): Promise<Head | string> {
  const fromEvent = readEventPullRequest(job);
  const issue = readIssue(job);
  if (!fromEvent && !issue) return 'the event does not say which pull request it is about';
  // A comment on a plain issue is about the default branch.
  if (!fromEvent && !issue?.pull_request) return { repository: '', isOwn: true, commits: [job.sha] };
  const number = fromEvent?.number ?? issue?.number ?? 0;
  const now = await readPullRequest({ job, github, number, signal });
  return { repository: now.headRepository, isOwn: isOwnHead(job, now), commits: listHeads(now, fromEvent) };
}

/**
 * The head now, and the head at the time of the event, because within one repository a push in between is not an
 * attack.
 */
function listHeads(now: PullRequest, then: PullRequest | undefined): string[] {
  const isSame = then !== undefined && then.headRepository === now.headRepository;
  return isSame ? [...new Set([then.headSha, now.headSha])] : [now.headSha];
}

/** The head of the run that a `workflow_run` event waited for, or why it is unknown. */
function readRunHead(job: Job): Head | string {
  const run = readWorkflowRun(job);
  if (run === undefined) return 'the event does not say which run it is about';
  // Such a run was privileged itself, and may have built any code.
  if (PRIVILEGED_EVENTS.includes(run.event)) {
    return `the run before this one was started by ${run.event}, and it is unknown whose code it built`;
  }
  if ([run.actor?.login, run.triggering_actor?.login].includes(DEPENDABOT))
    return renderDependabot('the run before this one');
  const repository = run.head_repository?.full_name ?? '';
  const isOwn = isOwnHead(job, { headRepository: repository, isOwnHead: run.isOwnHead });
  return { repository, isOwn, commits: [run.head_sha] };
}

/** The branch is the repository's own, but has a new release of a dependency: GitHub treats it like a fork's. */
function renderDependabot(run: string): string {
  return `${run} was started by Dependabot`;
}

function renderFound(path: string, commit: string | undefined): string {
  const found = commit === undefined ? 'no commit was found' : `commit ${commit} is checked out`;
  return `${found} at ${sanitise(path)}`;
}

function renderOrigin(repository: string): string {
  return repository === ''
    ? 'this pull request comes from a repository that is gone'
    : `this pull request comes from the fork ${sanitise(repository)}`;
}

function renderRefusal(job: Job, reason: string): string {
  return (
    `refused: ${reason}. A job of the event ${job.eventName} has secrets and a token that can write, so code that ` +
    `nobody has approved must not run in it. A safe way to preview forks: ${FORKS_PAGE}`
  );
}
