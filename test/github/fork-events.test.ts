// The fork rules, with the payloads that GitHub sends: each event, from each origin that its code may have. The payloads
// are those of @octokit/webhooks-examples, with our repository, people and commits put into them.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FakePullRequest, type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { connectGitHub } from '../../src/github/api.ts';
import { checkForkRules } from '../../src/github/fork-rules.ts';
import { loadSdk } from '../support/provider-sdks.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { HEAD, MERGE, recordLog, sampleJob } from './samples.ts';

const MAIN = 'c'.repeat(40);
/** The head after a push that came between the event and the job. */
const NEWER = 'd'.repeat(40);

const NAME = 'octo/app';
const ID = 41;
const DEPENDABOT = 'dependabot[bot]';

/** Where the code comes from, as the event and, later, the API describe it. */
interface Origin {
  /** The head's repository; null if it is gone. */
  head: { full_name: string; id: number } | null;
  /** What the job calls its own repository. */
  name?: string;
  actor?: string;
  /** The head by the time of the job. */
  now?: string;
}

const ORIGINS = {
  'own repository': { head: { full_name: NAME, id: ID } },
  fork: { head: { full_name: 'mallory/app', id: 66 } },
  'fork within the organisation': { head: { full_name: 'octo/app-fork', id: 67 } },
  'fork that is gone': { head: null },
  Dependabot: { head: { full_name: NAME, id: ID }, actor: DEPENDABOT },
  'repository with a new name': { head: { full_name: NAME, id: ID }, name: 'octo/former' },
  'own repository, pushed to after the event': { head: { full_name: NAME, id: ID }, now: NEWER },
  'fork, pushed to after the event': { head: { full_name: 'mallory/app', id: 66 }, now: NEWER },
} satisfies Record<string, Origin>;

type Kind = 'trusted' | 'skip' | 'refuse';
type OriginName = keyof typeof ORIGINS;

/** The answer for each origin; where none is given, `fork` answers for all forks, and `own repository` for all others. */
type Expected = { 'own repository': Kind; fork: Kind } & Partial<Record<OriginName, Kind>>;

const READ_ONLY_FOR_FORKS: Expected = { 'own repository': 'trusted', fork: 'skip', Dependabot: 'skip' };
const PRIVILEGED: Expected = { 'own repository': 'trusted', fork: 'refuse', Dependabot: 'refuse' };
/** Such an event is never about a fork. */
const OWN_ONLY: Expected = { 'own repository': 'trusted', fork: 'trusted', Dependabot: 'trusted' };

interface Case {
  expected: Expected;
  payload(origin: Origin): object;
  /** The run's own commit. */
  sha: string;
  /** What the workflow checks out: the newest head, unless it takes the event's. */
  checkout: 'head' | 'newest head' | 'own commit';
}

const pullRequestEvent = (event: string, expected: Expected): Case => ({
  expected,
  payload: origin => ({ ...findExample(event), pull_request: describePull(origin) }),
  sha: MERGE,
  checkout: 'head',
});

const ownEvent = (event: string, expected: Expected): Case => ({
  expected,
  payload: () => findExample(event),
  sha: MAIN,
  checkout: 'own commit',
});

const CASES: Record<string, Case> = {
  pull_request: pullRequestEvent('pull_request', READ_ONLY_FOR_FORKS),
  pull_request_review: pullRequestEvent('pull_request_review', READ_ONLY_FOR_FORKS),
  pull_request_review_comment: pullRequestEvent('pull_request_review_comment', READ_ONLY_FOR_FORKS),
  pull_request_target: pullRequestEvent('pull_request', PRIVILEGED),
  issue_comment: {
    // The comment has no head: only the newest one is known.
    expected: PRIVILEGED,
    payload: () =>
      commentOn({ number: 7, pull_request: { url: 'https://api.github.com/repos/octo/app/pulls/7' } }),
    sha: MAIN,
    checkout: 'newest head',
  },
  workflow_run: {
    expected: PRIVILEGED,
    payload: origin => describeRun(origin),
    sha: MAIN,
    checkout: 'head',
  },
  push: ownEvent('push', { ...OWN_ONLY, Dependabot: 'skip' }),
  create: ownEvent('create', { ...OWN_ONLY, Dependabot: 'skip' }),
  deployment: ownEvent('deployment', { ...OWN_ONLY, Dependabot: 'skip' }),
  deployment_status: ownEvent('deployment_status', { ...OWN_ONLY, Dependabot: 'skip' }),
  merge_group: ownEvent('merge_group', OWN_ONLY),
  release: ownEvent('release', OWN_ONLY),
  workflow_dispatch: ownEvent('workflow_dispatch', OWN_ONLY),
  // GitHub describes its payload in words only.
  schedule: { ...ownEvent('push', OWN_ONLY), payload: () => ({ schedule: '15 4 * * *' }) },
  repository_dispatch: ownEvent('repository_dispatch', {
    'own repository': 'refuse',
    fork: 'refuse',
    Dependabot: 'refuse',
  }),
};

interface Example {
  name: string;
  examples: Record<string, unknown>[];
}

function findExample(event: string): Record<string, unknown> {
  const all: Example[] = loadSdk('@octokit/webhooks-examples/api.github.com/index.json');
  const found = all.find(({ name }) => name === event)?.examples[0];
  if (found === undefined) throw new Error(`there is no example of ${event}`);
  return found;
}

function readMember(value: Record<string, unknown>, name: string): object {
  const member = value[name];
  if (typeof member !== 'object' || member === null) throw new Error(`there is no ${name}`);
  return member;
}

/** The repository as every payload has it. */
const REPOSITORY = { full_name: NAME, id: ID, private: false, visibility: 'public' };

function describePull({ head }: Origin): object {
  return {
    ...readMember(findExample('pull_request'), 'pull_request'),
    number: 7,
    state: 'open',
    head: { ref: 'change', sha: HEAD, repo: head },
    base: { ref: 'main', sha: MAIN, repo: REPOSITORY },
  };
}

function commentOn(issue: object): object {
  const example = findExample('issue_comment');
  return { ...example, issue: { ...readMember(example, 'issue'), ...issue } };
}

function describeRun({ head, actor = 'mona' }: Origin): object {
  const example = findExample('workflow_run');
  const run = {
    ...readMember(example, 'workflow_run'),
    event: 'pull_request',
    head_sha: HEAD,
    head_branch: 'change',
    head_repository: head,
    pull_requests: [],
    actor: { login: actor },
    triggering_actor: { login: actor },
  };
  return { ...example, workflow_run: run };
}

let server: GitHubServer;
let path: string;
beforeEach(async () => {
  server = await startGitHubServer({ repository: NAME, formerNames: ['octo/former'] });
  path = mkdtempSync(join(tmpdir(), 'fork-events-'));
  mkdirSync(join(path, '.git'));
});
afterEach(async () => {
  rmSync(path, { recursive: true, force: true });
  await server.stop();
});

const isFork = (name: OriginName) => name.includes('fork');

function expectedOf({ expected }: Case, origin: OriginName): Kind {
  return expected[origin] ?? expected[isFork(origin) ? 'fork' : 'own repository'];
}

const table = Object.keys(CASES).flatMap(event =>
  Object.keys(ORIGINS).map(origin => [event, origin as OriginName] as const),
);

describeWithReal(['provider-sdks'], 'the fork rules', () => {
  it.each(table)('decide on %s by the origin of the code: %s', async (eventName, originName) => {
    const [one, origin]: [Case | undefined, Origin] = [CASES[eventName], ORIGINS[originName]];
    if (one === undefined) throw new Error(`there is no ${eventName}`);
    const newest = origin.now ?? HEAD;
    server.state.pulls = [describeFake(origin, newest)];
    const commits = { head: HEAD, 'newest head': newest, 'own commit': one.sha };
    writeFileSync(join(path, '.git', 'HEAD'), `${commits[one.checkout]}\n`);
    const [owner = '', name = ''] = (origin.name ?? NAME).split('/');
    const verdict = await checkForkRules({
      job: sampleJob({
        eventName,
        event: { ...one.payload(origin), repository: REPOSITORY },
        repository: { owner, name },
        sha: one.sha,
        actor: origin.actor ?? 'mona',
      }),
      github: connectGitHub({ token: 'ghs_test', apiUrl: server.url, logger: recordLog() }),
      path,
      allowUntrustedHead: false,
      signal: AbortSignal.timeout(30_000),
    });
    expect(verdict).toMatchObject({ kind: expectedOf(one, originName) });
  });
});

/** What the API says of the pull request now. */
function describeFake({ head }: Origin, sha: string): FakePullRequest {
  return { number: 7, state: 'open', head: { sha, ref: 'change', repo: head } };
}
