// One whole run of the built action for every event that a preview may run in: main, a visit, post. The table says what
// each must yield. That every request is valid by GitHub's description is checked after each test (check-github.ts).

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type FakeState, startGitHubServer } from '../../src/demo/github/server.ts';
import type { StepResult } from '../../src/demo/runner/job.ts';
import * as events from '../support/github-events.ts';
import { FORKED_PULL, HEAD, type JobEvent, MAIN, MERGE, OWN_PULL } from '../support/github-events.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { click } from '../support/reviewer.ts';
import { RunnerJob } from '../support/runner.ts';
import { isFull } from '../support/scale.ts';
import { launchRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const HOST = '127.0.0.189';

interface Case {
  event: JobEvent;
  /** Like another one, but for a detail that its own unit tests have, too. */
  nightly?: true;
  /** The commit that was checked out; the run's own by default, `none` for no checkout. */
  checkout?: string;
  github?: Partial<FakeState>;
  inputs?: Record<string, string>;
  environment?: Record<string, string>;
  /** What there must be, after the run, apart from the link. */
  yields: Live | { skipped: RegExp } | { refused: RegExp };
}

interface Live {
  /** The pull request with the comment. */
  comment?: number;
  environment?: string;
  warnings?: RegExp[];
}

const OWN = { pulls: [OWN_PULL] };
const FORKED = { pulls: [FORKED_PULL] };
const OTHER = { ...OWN_PULL, number: 9, head: { ...OWN_PULL.head, sha: 'd'.repeat(40) } };
const UNTRUSTED = { 'allow-untrusted-head': 'true' };
/** What a job for a fork or for Dependabot gets. */
const READ_ONLY: Partial<FakeState> = { pullRequests: 'read', deployments: 'read' };
/** A called workflow: its job, while event and workflow file are those of the caller. */
const CALLED = { GITHUB_JOB: 'called', GITHUB_ACTION: '__wasmrun_expose-action_2' };
const SEVEN: Live = { comment: 7, environment: 'preview/pr-7' };

const CASES: Record<string, Case> = {
  'pull_request opened': {
    event: events.pullRequestEvent('opened', OWN_PULL),
    github: OWN,
    yields: SEVEN,
  },
  'pull_request synchronize': {
    nightly: true,
    event: events.pullRequestEvent('synchronize', OWN_PULL),
    github: OWN,
    yields: SEVEN,
  },
  'pull_request labeled, in a called workflow': {
    nightly: true,
    event: events.pullRequestEvent('labeled', OWN_PULL),
    github: OWN,
    environment: CALLED,
    yields: SEVEN,
  },
  'pull_request closed': {
    event: events.pullRequestEvent('closed', { ...OWN_PULL, state: 'closed', merged: true }),
    github: { pulls: [{ ...OWN_PULL, state: 'closed', merged: true }] },
    yields: SEVEN,
  },
  'pull_request from a fork': {
    event: events.pullRequestEvent('opened', FORKED_PULL),
    github: { ...FORKED, ...READ_ONLY },
    yields: { skipped: /comes from the fork mallory\/app, so its job gets a read-only token/ },
  },
  'pull_request from a fork, allowed': {
    event: events.pullRequestEvent('opened', FORKED_PULL),
    github: { ...FORKED, ...READ_ONLY },
    inputs: UNTRUSTED,
    yields: { warnings: [/`allow-untrusted-head` is set: .*there will be no comment/] },
  },
  'pull_request from Dependabot': {
    event: events.pullRequestEvent('opened', OWN_PULL, 'dependabot[bot]'),
    github: { ...OWN, ...READ_ONLY },
    yields: { skipped: /started by Dependabot/ },
  },
  pull_request_target: {
    event: events.pullRequestTargetEvent(OWN_PULL),
    checkout: HEAD,
    github: OWN,
    yields: SEVEN,
  },
  'pull_request_target from a fork': {
    event: events.pullRequestTargetEvent(FORKED_PULL),
    checkout: HEAD,
    github: FORKED,
    yields: { refused: /comes from the fork mallory\/app/ },
  },
  'pull_request_target from a fork, allowed': {
    nightly: true,
    event: events.pullRequestTargetEvent(FORKED_PULL),
    checkout: HEAD,
    github: FORKED,
    inputs: UNTRUSTED,
    yields: { ...SEVEN, warnings: [/`allow-untrusted-head` is set: .*mallory\/app/] },
  },
  workflow_run: {
    event: events.workflowRunEvent({ pulls: [OWN_PULL] }),
    checkout: HEAD,
    github: OWN,
    yields: SEVEN,
  },
  'workflow_run, with several pull requests listed': {
    event: events.workflowRunEvent({ pulls: [OTHER, OWN_PULL] }),
    checkout: HEAD,
    github: { pulls: [OTHER, OWN_PULL] },
    yields: SEVEN,
  },
  'workflow_run, in a called workflow, with no pull request listed': {
    nightly: true,
    event: events.workflowRunEvent({}),
    checkout: HEAD,
    github: OWN,
    environment: CALLED,
    yields: SEVEN,
  },
  'workflow_run of a fork': {
    event: events.workflowRunEvent({ fork: true }),
    checkout: HEAD,
    github: FORKED,
    yields: { refused: /comes from the fork mallory\/app/ },
  },
  'workflow_run of a fork, allowed': {
    nightly: true,
    event: events.workflowRunEvent({ fork: true }),
    checkout: HEAD,
    github: FORKED,
    inputs: UNTRUSTED,
    yields: { ...SEVEN, warnings: [/`allow-untrusted-head` is set: .*mallory\/app/] },
  },
  'workflow_run of Dependabot': {
    event: events.workflowRunEvent({ pulls: [OWN_PULL], actor: 'dependabot[bot]' }),
    checkout: HEAD,
    github: OWN,
    yields: { refused: /started by Dependabot/ },
  },
  'workflow_run of a push to the default branch': {
    nightly: true,
    event: events.workflowRunEvent({ event: 'push', sha: MAIN, branch: 'main' }),
    github: OWN,
    yields: { environment: 'preview/main' },
  },
  'issue_comment on a pull request': {
    event: events.issueCommentEvent('pull request'),
    checkout: HEAD,
    github: OWN,
    yields: SEVEN,
  },
  'issue_comment on a pull request from a fork': {
    event: events.issueCommentEvent('pull request'),
    checkout: HEAD,
    github: FORKED,
    yields: { refused: /comes from the fork mallory\/app/ },
  },
  'issue_comment on an issue': {
    nightly: true,
    event: events.issueCommentEvent('issue'),
    yields: { environment: 'preview/main' },
  },
  merge_group: {
    event: events.mergeGroupEvent(),
    github: OWN,
    yields: { environment: 'preview/merge-queue' },
  },
  'push to a branch with a pull request': {
    event: events.pushEvent('refs/heads/change', HEAD),
    github: OWN,
    yields: SEVEN,
  },
  'push to a branch without a pull request': {
    nightly: true,
    event: events.pushEvent('refs/heads/other', MERGE),
    github: OWN,
    yields: { environment: 'preview/other' },
  },
  'push of a tag': {
    nightly: true,
    event: events.pushEvent('refs/tags/v1', HEAD),
    github: OWN,
    yields: { environment: 'preview/v1' },
  },
  'push by Dependabot': {
    event: events.pushEvent('refs/heads/dependabot/npm/x', HEAD, 'dependabot[bot]'),
    github: READ_ONLY,
    yields: { skipped: /started by Dependabot/ },
  },
  schedule: {
    nightly: true,
    event: events.scheduleEvent(),
    github: OWN,
    yields: { environment: 'preview/main' },
  },
  'workflow_dispatch on a branch with a pull request': {
    nightly: true,
    event: events.dispatchEvent('change', HEAD),
    github: OWN,
    yields: SEVEN,
  },
  'workflow_dispatch on the default branch, with pr-number': {
    event: events.dispatchEvent('main', MAIN),
    github: OWN,
    inputs: { 'pr-number': '7' },
    yields: SEVEN,
  },
  repository_dispatch: {
    event: events.repositoryDispatchEvent(),
    yields: { refused: /started by repository_dispatch, and it is unknown whose code/ },
  },
  release: {
    nightly: true,
    event: events.releaseEvent(),
    checkout: 'none',
    yields: { environment: 'preview/v1.2.3' },
  },
  deployment: {
    nightly: true,
    event: events.deploymentEvent(),
    github: OWN,
    yields: { environment: 'preview/change' },
  },
};

describeWithReal(['bore', 'github-api', 'provider-sdks'], 'a whole run', () => {
  let server: Awaited<ReturnType<typeof launchRealServer>>;
  beforeAll(async () => {
    server = await launchRealServer(HOST);
  });
  afterAll(() => server.kill());

  // They mostly wait: GitHub wants a second between two writes.
  it.concurrent.for(Object.entries(CASES).filter(([, { nightly }]) => isFull || !nightly))(
    'after %s does what it must',
    async ([, one], { expect, onTestFinished }) => {
      const { github, job } = await createRun(one, onTestFinished);
      const main = await job.main();
      if (isLive(one.yields)) await visit(job, one.yields, github.state);
      const post = await job.post();
      const said = (kind: string) => [...findLines(main, kind), ...findLines(post, kind)];
      expect({
        codes: [main.code, post.code],
        status: job.outputs.status,
        errors: said('error'),
        warnings: said('warning'),
        comments: github.state.comments.map(({ issue, body }) => [issue, readTitle(body)]),
        deployments: github.state.deploymentList.map(({ environment, statuses }) => [
          environment,
          statuses.at(-1)?.state,
        ]),
      }).toEqual(describeExpected(one.yields));
      if ('skipped' in one.yields)
        expect(said('notice')).toEqual([expect.stringMatching(one.yields.skipped)]);
    },
  );
});

function describeExpected(yields: Case['yields']) {
  const match = (pattern: RegExp) => expect.stringMatching(pattern);
  const nothing = { errors: [], warnings: [], comments: [], deployments: [] };
  if ('refused' in yields)
    return { ...nothing, codes: [1, 0], status: undefined, errors: [match(yields.refused)] };
  if ('skipped' in yields) return { ...nothing, codes: [0, 0], status: 'Skipped' };
  const { comment, environment, warnings = [] } = yields;
  return {
    codes: [0, 0],
    status: 'Connected',
    errors: [],
    warnings: warnings.map(match),
    comments: comment === undefined ? [] : [[comment, 'has ended']],
    deployments: environment === undefined ? [] : [[environment, 'inactive']],
  };
}

function isLive(yields: Case['yields']): yields is Live {
  return !('refused' in yields || 'skipped' in yields);
}

async function createRun(
  { event, checkout = event.sha, ...one }: Case,
  onTestFinished: (clean: () => Promise<void>) => void,
) {
  const github = await startGitHubServer({ repository: 'octo/app', ...one.github });
  const job = new RunnerJob({
    inputs: {
      server: HOST,
      path: 'site',
      access: 'open',
      deployment: 'true',
      'github-token': github.state.token,
      ...one.inputs,
    },
    eventName: event.eventName,
    event: event.payload,
    apiUrl: github.url,
    environment: {
      GITHUB_SHA: event.sha,
      GITHUB_REF: event.ref,
      GITHUB_ACTOR: event.actor,
      ...one.environment,
    },
  });
  onTestFinished(async () => {
    await github.stop();
    job.remove();
  });
  const site = join(job.workspace, 'site');
  mkdirSync(site);
  writeFileSync(join(site, 'index.html'), 'the preview');
  if (checkout !== 'none') {
    mkdirSync(join(job.workspace, '.git'));
    writeFileSync(join(job.workspace, '.git', 'HEAD'), `${checkout}\n`);
  }
  return { github, job };
}

async function visit(job: RunnerJob, { comment, environment }: Live, state: FakeState): Promise<void> {
  const reviewer = await click(job.outputs['preview-url'] ?? '');
  if ((await (await reviewer.visit()).text()) !== 'the preview') throw new Error('that is another page');
  const isShown = () =>
    (comment === undefined || state.comments.some(({ body }) => readTitle(body) === 'is live')) &&
    (environment === undefined || state.deploymentList[0]?.statuses.at(-1)?.state === 'success');
  await waitUntil(isShown, 'GitHub shows that it is live');
}

function readTitle(body: string): string | undefined {
  return /Preview `.*?` (.*)/.exec(body)?.[1];
}

/** The annotations of that kind. */
function findLines({ log }: StepResult, kind: string): string[] {
  return [...log.matchAll(new RegExp(`^::${kind}(?: [^:]*)?::(.*)$`, 'gm'))].map(([, text = '']) => text);
}
