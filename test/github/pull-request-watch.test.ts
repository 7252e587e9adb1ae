import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type FakePullRequest, type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { connectGitHub } from '../../src/github/api.ts';
import type { Job } from '../../src/github/job.ts';
import { readEventPullRequest } from '../../src/github/pull-request.ts';
import {
  type PullRequestEnd,
  planWatch,
  type WatchedPullRequest,
  watchPullRequest,
} from '../../src/github/pull-request-watch.ts';
import { waitUntil } from '../support/wait-until.ts';
import { HEAD, recordLog, sampleJob, samplePull } from './samples.ts';

const POLL_MS = 20;
const NEWER = 'b'.repeat(40);

let server: GitHubServer;
let pull: FakePullRequest;
beforeEach(async () => {
  pull = { ...samplePull('octo/app'), labels: ['preview', 'bug'] };
  server = await startGitHubServer({ pulls: [pull] });
});
afterEach(() => server.stop());

interface Watching {
  ends: PullRequestEnd[];
  log: string[];
  /** Resolves after this many more answers. */
  looks(count: number): Promise<void>;
}

/** What a step on `job` watches; `changes` differ from that. */
function watch(
  changes: Partial<WatchedPullRequest> = {},
  job: Partial<Job> = {},
  checkedOut?: string,
): Watching {
  const sample = sampleJob(job);
  const found = readEventPullRequest(sample) ?? samplePullRequest();
  const logger = recordLog();
  const ends: PullRequestEnd[] = [];
  const stop = watchPullRequest({
    github: connectGitHub({ token: 'ghs_test', apiUrl: server.url, logger }),
    job: sample,
    watched: { ...planWatch(sample, found, checkedOut), ...changes },
    logger,
    onEnd: reason => ends.push(reason),
    pollMs: POLL_MS,
  });
  onTestFinished(stop);
  const looks = (count: number) => {
    const wanted = server.requests.length + count;
    return waitUntil(() => server.requests.length >= wanted, `${count} looks`);
  };
  return { ends, log: logger.lines, looks };
}

const samplePullRequest = () => ({
  number: 7,
  state: 'open' as const,
  headSha: HEAD,
  headRepository: 'octo/app',
});

const labeled = (label: object, changes: Partial<Job> = {}): Partial<Job> => ({
  event: { action: 'labeled', label, pull_request: samplePull('octo/app') },
  ...changes,
});

const awaitEnd = ({ ends }: Watching) => waitUntil(() => ends.length > 0, 'the watch ends the preview');

describe('a watched pull request', () => {
  it.each<[PullRequestEnd, Partial<FakePullRequest>, string]>([
    ['pull request closed', { state: 'closed' }, 'it was closed'],
    ['pull request merged', { state: 'closed', merged: true }, 'it was merged'],
    ['newer commit', { head: { sha: NEWER, repo: null } }, 'it has a newer commit, bbbbbbb'],
    ['label removed', { labels: ['bug'] }, "the label 'preview' was removed"],
  ])('ends the preview once: %s', async (reason, change, line) => {
    const watching = watch({}, labeled({ name: 'preview' }));
    await watching.looks(2);
    expect(watching.ends).toEqual([]);
    Object.assign(pull, change);
    await awaitEnd(watching);
    expect(watching.ends).toEqual([reason]);
    expect(watching.log).toEqual([`info: pull request #7: ${line}`]);
  });

  it.each<[string, Partial<FakePullRequest>]>([
    ['it becomes a draft', { draft: true }],
    ['it gets another title', { title: 'Another one' }],
    ['another label is removed', { labels: ['preview'] }],
    ['it is locked', { locked: true }],
    ['its fork is deleted', { head: { sha: HEAD, repo: null } }],
    ['its base branch moves on', { base: { sha: NEWER, ref: 'main' } }],
  ])('stays if %s', async (_, change) => {
    const watching = watch({}, labeled({ name: 'preview' }));
    await watching.looks(2);
    Object.assign(pull, change);
    await watching.looks(3);
    expect(watching.ends).toEqual([]);
    pull.state = 'closed';
    await awaitEnd(watching);
  });

  it('ends at the first look if it has changed since the event', async () => {
    pull.head = { ...pull.head, sha: NEWER };
    const watching = watch();
    await awaitEnd(watching);
    expect(watching.ends).toEqual(['newer commit']);
    expect(server.requests).toHaveLength(1);
  });

  it('may have a newer head that a step before has pushed and checked out', async () => {
    pull.head = { ...pull.head, sha: NEWER };
    const watching = watch({}, {}, NEWER);
    await watching.looks(3);
    expect(watching.ends).toEqual([]);
    pull.head = { ...pull.head, sha: HEAD };
    await awaitEnd(watching);
    expect(watching.ends).toEqual(['newer commit']);
  });

  it('loses its label only if the run was started by that label', async () => {
    const watching = watch({}, { event: { action: 'synchronize', pull_request: samplePull('octo/app') } });
    await watching.looks(2);
    pull.labels = [];
    await watching.looks(3);
    expect(watching.ends).toEqual([]);
  });

  it('has its label still if that only got another name', async () => {
    const response = await fetch(`${server.url}/repos/octo/app/pulls/7`);
    const { labels } = (await response.json()) as { labels: { id: number }[] };
    const watching = watch({}, labeled({ id: labels[0]?.id, name: 'its former name' }));
    await watching.looks(3);
    expect(watching.ends).toEqual([]);
    pull.labels = ['bug'];
    await awaitEnd(watching);
    expect(watching.ends).toEqual(['label removed']);
  });

  it.each<[string, Partial<FakePullRequest>, PullRequestEnd, Partial<FakePullRequest>]>([
    ['with a newer commit', { head: { sha: NEWER, repo: null } }, 'pull request closed', { state: 'closed' }],
    ['closed', { state: 'closed' }, 'newer commit', { head: { sha: NEWER, repo: null } }],
    ['without the label', { labels: [] }, 'pull request merged', { state: 'closed', merged: true }],
  ])(
    'that is %s when a run is repeated ends it only with the next change',
    async (_, before, reason, then) => {
      Object.assign(pull, before);
      const watching = watch({}, labeled({ name: 'preview' }, { runAttempt: 2 }));
      await watching.looks(3);
      expect(watching.ends).toEqual([]);
      Object.assign(pull, then);
      await awaitEnd(watching);
      expect(watching.ends).toEqual([reason]);
    },
  );

  it('that was closed before may be opened, and then it can be closed again', async () => {
    pull.state = 'closed';
    const watching = watch({}, { event: { pull_request: samplePull('octo/app', HEAD, 'closed') } });
    await watching.looks(2);
    expect(watching.ends).toEqual([]);
    pull.state = 'open';
    await watching.looks(2);
    pull.state = 'closed';
    await awaitEnd(watching);
    expect(watching.ends).toEqual(['pull request closed']);
  });
});

describe('the watch', () => {
  it('asks only whether something has changed', async () => {
    const watching = watch();
    await watching.looks(3);
    pull.title = 'Another one';
    await watching.looks(3);
    const statuses = server.requests.map(({ status }) => status);
    expect(statuses.slice(0, 3)).toEqual([200, 304, 304]);
    expect(statuses.filter(status => status === 200)).toHaveLength(2);
    expect(new Set(server.requests.map(({ path }) => path))).toEqual(new Set(['/repos/octo/app/pulls/7']));
  });

  it.each([403, 404])('says once which permission is missing (%s), and goes on', async status => {
    server.state.faults.push({ path: /pulls/, times: 3, status, message: 'Resource not accessible' });
    const watching = watch();
    await watching.looks(5);
    expect(watching.log.filter(line => line.startsWith('warn'))).toEqual([
      expect.stringMatching(
        /^warn: could not see whether the pull request is closed or changed, .*Resource not accessible.*"pull-requests: read"$/,
      ),
    ]);
    pull.state = 'closed';
    await awaitEnd(watching);
  });

  it('says nothing of one short failure, and something of a lasting one', async () => {
    server.state.faults.push({ path: /pulls/, times: 2, status: 502, message: 'Bad Gateway' });
    const watching = watch();
    await watching.looks(4);
    expect(watching.log.filter(line => line.startsWith('warn'))).toEqual([]);
    server.state.faults.push({ path: /pulls/, times: 4, does: 'cut' });
    await watching.looks(5);
    expect(watching.log.filter(line => line.startsWith('warn'))).toHaveLength(1);
    pull.state = 'closed';
    await awaitEnd(watching);
  });

  it('waits as long as GitHub asks for', async () => {
    const headers = { 'retry-after': '1' };
    server.state.faults.push({ path: /pulls/, times: 1, status: 503, message: 'Unavailable', headers });
    const watching = watch();
    await watching.looks(1);
    const refusedAt = performance.now();
    await watching.looks(1);
    // Its own pause would have been 20 ms.
    expect(performance.now() - refusedAt).toBeGreaterThan(900);
  });

  it('waits longer after each failure', async () => {
    server.state.faults.push({ path: /pulls/, times: 5, status: 500, message: 'Oops' });
    const watching = watch();
    await watching.looks(1);
    const begun = performance.now();
    await watching.looks(4);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(POLL_MS * (1 + 2 + 4 + 8) - 10);
  });
});
