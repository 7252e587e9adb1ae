import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakePullRequest, type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { connectGitHub, type GitHub } from '../../src/github/api.ts';
import type { Job } from '../../src/github/job.ts';
import {
  findPullRequest,
  readCommit,
  readPullRequest,
  readSubject,
  readVisibility,
} from '../../src/github/pull-request.ts';
import { HEAD, MERGE, recordLog, sampleJob, samplePull, sampleWorkflowRun } from './samples.ts';

let server: GitHubServer;
let github: GitHub;
beforeEach(async () => {
  server = await startGitHubServer({ pulls: [samplePull('octo/app')] });
  github = connectGitHub({ token: 'ghs_test', apiUrl: server.url, logger: recordLog() });
});
afterEach(() => server.stop());

const OLD = 'e'.repeat(40);

/** An open pull request of the branch `change` with the head HEAD. */
const pull = (number: number, head: Partial<FakePullRequest['head']> = {}): FakePullRequest => ({
  number,
  state: 'open',
  head: { sha: HEAD, ref: 'change', repo: { full_name: 'octo/app' }, ...head },
});

/** The answer to a request for a list. */
const NONE = { status: 200, body: '[]', message: '', headers: { 'content-type': 'application/json' } };

/** As a run lists it. */
const listed = (number: number) => ({ number, head: { sha: HEAD } });

const find = (changes: Partial<Job> = {}, number?: number) =>
  findPullRequest({ job: sampleJob(changes), github, number });

describe('the pull request of a run', () => {
  it('is read from the event without a request', async () => {
    expect(await find()).toEqual({ number: 7, state: 'open', headSha: HEAD, headRepository: 'octo/app' });
    expect(server.requests).toEqual([]);
  });

  it.each([
    ['push', { sha: HEAD, event: {} }],
    ['workflow_dispatch', { sha: HEAD, event: {} }],
    ['issue_comment', { event: { issue: { number: 7, pull_request: {} } } }],
    ['workflow_run', { event: sampleWorkflowRun({ pull_requests: [{ number: 7 }] }) }],
    ['workflow_run', { event: sampleWorkflowRun({ pull_requests: [] }) }],
  ] satisfies [string, Partial<Job>][])('is requested on %s (%#)', async (eventName, changes) => {
    expect(await find({ eventName, ...changes })).toMatchObject({ number: 7, headSha: HEAD });
  });

  it.each(['merge_group', 'schedule', 'release', 'repository_dispatch'])(
    'does not exist on %s',
    async eventName => {
      expect(await find({ eventName, event: {} })).toBeUndefined();
      expect(server.requests).toEqual([]);
    },
  );

  it('does not exist for a comment on an issue, or for a push to a branch without one', async () => {
    expect(await find({ eventName: 'issue_comment', event: { issue: { number: 7 } } })).toBeUndefined();
    expect(await find({ eventName: 'push', event: {}, sha: 'b'.repeat(40) })).toBeUndefined();
  });

  it('is not the merged one that contained a pushed commit', async () => {
    server.state.pulls = [samplePull('octo/app', HEAD, 'closed')];
    expect(await find({ eventName: 'push', event: {}, sha: HEAD })).toBeUndefined();
  });

  it('does not exist on the push of a tag, although its commit is the head of one', async () => {
    const tag = { ref: 'refs/tags/v1', sha: HEAD, event: {} };
    expect(await find({ eventName: 'push', ...tag })).toBeUndefined();
    expect(await find({ eventName: 'workflow_dispatch', ...tag })).toBeUndefined();
    expect(server.requests).toEqual([]);
  });

  it.each(['schedule', 'merge_group', 'release', 'issue_comment', 'workflow_run'])(
    'does not exist after a run of %s, although its commit is the head of one',
    async event => {
      const run = sampleWorkflowRun({ event, head_branch: 'change-7', pull_requests: [listed(7)] });
      expect(await find({ eventName: 'workflow_run', event: run })).toBeUndefined();
      expect(server.requests).toEqual([]);
    },
  );

  it('does not exist where the runner does not know the commit', async () => {
    expect(await find({ eventName: 'push', sha: '', event: {} })).toBeUndefined();
    expect(await find({ eventName: 'workflow_dispatch', sha: '', event: {} })).toBeUndefined();
    expect(server.requests).toEqual([]);
  });

  it('is that of the pushed branch, if another branch has the same commit', async () => {
    server.state.pulls = [pull(7, { ref: 'below' }), pull(8, { ref: 'above' })];
    const above = { eventName: 'push', event: {}, sha: HEAD, ref: 'refs/heads/above' };
    expect(await find(above)).toMatchObject({ number: 8 });
    expect(await find({ ...above, ref: 'refs/heads/without-one' })).toBeUndefined();
  });

  it('is the oldest open one, if a branch has several for other base branches', async () => {
    const base = (ref: string) => ({ ref, sha: 'd'.repeat(40) });
    server.state.pulls = [
      { ...pull(9), base: base('next') },
      { ...pull(8), base: base('main') },
      { ...pull(7), state: 'closed', base: base('old') },
    ];
    const job = { eventName: 'push', event: {}, sha: HEAD, ref: 'refs/heads/change' };
    expect(await find(job)).toMatchObject({ number: 8 });
    const run = sampleWorkflowRun({ pull_requests: [listed(9), listed(8)] });
    expect(await find({ eventName: 'workflow_run', event: run })).toMatchObject({ number: 8 });
  });

  it.each([
    ['GitHub lists none for the commit', NONE],
    ['GitHub does not know the commit', { status: 422, message: 'No commit found for SHA: e' }],
  ])('is found by its branch, if %s', async (_, answer) => {
    server.state.faults.push({ path: /commits/, ...answer });
    server.state.pulls = [pull(7)];
    const job = { eventName: 'push', event: {}, sha: HEAD, ref: 'refs/heads/change' };
    expect(await find(job)).toMatchObject({ number: 7 });
  });

  it("is that of the fork whose run it was, not another fork's with the same branch", async () => {
    server.state.pulls = [
      pull(7, { repo: { full_name: 'eve/app' } }),
      pull(8, { repo: { full_name: 'mallory/app' } }),
      pull(9),
    ];
    server.state.faults.push({ path: /commits/, ...NONE });
    const run = (repository: string) =>
      sampleWorkflowRun({ head_branch: 'change', head_repository: { full_name: repository } });
    const findAfter = (repository: string) => find({ eventName: 'workflow_run', event: run(repository) });
    expect(await findAfter('mallory/app')).toMatchObject({ number: 8 });
    expect(await findAfter('eve/app')).toMatchObject({ number: 7 });
    expect(await findAfter('octo/app')).toMatchObject({ number: 9 });
    expect(await findAfter('someone/else')).toBeUndefined();
  });

  it('is not one that a run lists for another repository, or that has a newer head', async () => {
    server.state.pulls = [pull(7), pull(8)];
    const listing = (...pull_requests: object[]) => ({
      ...sampleWorkflowRun({ head_sha: OLD, pull_requests }),
      repository: { id: 1 },
    });
    const findAfter = (event: object) => find({ eventName: 'workflow_run', event });
    const old = { head: { sha: OLD } };
    expect(await findAfter(listing(listed(7)))).toBeUndefined();
    expect(await findAfter(listing({ ...old, number: 7, base: { repo: { id: 2 } } }))).toBeUndefined();
    expect(await findAfter(listing({ ...old, number: 8, base: { repo: { id: 1 } } }))).toMatchObject({
      number: 8,
    });
  });

  it('is found although the repository has a new name', async () => {
    server.state.pulls = [pull(7)];
    const job = { eventName: 'push', event: {}, sha: HEAD, ref: 'refs/heads/change' };
    server.state.formerNames = ['octo/old'];
    expect(await find({ ...job, repository: { owner: 'octo', name: 'old' } })).toMatchObject({ number: 7 });
  });

  it('is closed, if it was closed by the time of the request', async () => {
    server.state.pulls = [{ ...pull(7), state: 'closed' }];
    const event = { issue: { number: 7, pull_request: {} } };
    expect(await find({ eventName: 'issue_comment', event })).toMatchObject({ number: 7, state: 'closed' });
  });

  it('can be given by number', async () => {
    server.state.pulls.push({ ...samplePull('octo/app', 'c'.repeat(40)), number: 8 });
    expect(await find({}, 8)).toMatchObject({ number: 8 });
    await expect(find({}, 9)).rejects.toMatchObject({ name: 'GitHubError', status: 404 });
  });

  it('can be read again, because it may be closed by now', async () => {
    server.state.pulls = [samplePull(null, HEAD, 'closed')];
    const now = await readPullRequest({ job: sampleJob(), github, number: 7 });
    expect(now).toMatchObject({ number: 7, state: 'closed', headSha: HEAD, headRepository: '' });
  });
});

describe('what a run is about', () => {
  const jobAfter = (changes: object, event = 'pull_request') =>
    sampleJob({
      eventName: 'workflow_run',
      ref: 'refs/heads/main',
      event: sampleWorkflowRun({ event, head_branch: 'change', ...changes }),
    });

  it('is the pull request of the event, or the branch or tag', () => {
    expect(readSubject(sampleJob())).toBe(7);
    expect(readSubject(sampleJob({ eventName: 'push', event: {}, ref: 'refs/tags/v1' }))).toBe(
      'refs/tags/v1',
    );
    expect(readSubject(jobAfter({ pull_requests: [listed(7)] }))).toBe(7);
    expect(readSubject(jobAfter({}))).toBe('change');
  });

  it("is different for two forks' branches of the same name", () => {
    expect(readSubject(jobAfter({ head_repository: { full_name: 'eve/app' } }))).toBe('eve:change');
    expect(readSubject(jobAfter({ head_repository: { full_name: 'mallory/app' } }))).toBe('mallory:change');
  });

  it("has a commit: the pull request's head, that of the run before, or the run's own", () => {
    expect(readCommit(sampleJob(), undefined)).toBe(HEAD);
    expect(readCommit(jobAfter({ head_sha: OLD }, 'push'), undefined)).toBe(OLD);
    const job = sampleJob({ eventName: 'push', event: {}, sha: MERGE });
    expect(readCommit(job, undefined)).toBe(MERGE);
    expect(readCommit(job, { number: 7, state: 'open', headSha: HEAD, headRepository: '' })).toBe(HEAD);
  });
});

describe('the visibility of the repository', () => {
  const visibility = (repository?: object) => readVisibility(sampleJob({ event: { repository } }), github);

  it('is read from the event', async () => {
    expect(await visibility({ private: false, visibility: 'public' })).toBe('public');
    expect(await visibility({ private: false })).toBe('public');
    expect(await visibility({ private: true })).toBe('not known to be public');
    expect(await visibility({ private: true, visibility: 'internal' })).toBe('not known to be public');
    expect(server.requests).toEqual([]);
  });

  it('is requested if the event does not contain it', async () => {
    expect(await visibility()).toBe('public');
    server.state.isPrivate = true;
    expect(await visibility()).toBe('not known to be public');
  });

  it('is not public as long as it is unknown', async () => {
    const job = sampleJob({ event: {} });
    expect(await readVisibility(job, github, AbortSignal.abort())).toBe('not known to be public');
    server.state.faults.push({ path: /./, status: 403, message: 'no' });
    expect(await visibility()).toBe('not known to be public');
  });
});
