import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { connectGitHub, type GitHub } from '../../src/github/api.ts';
import type { Job } from '../../src/github/job.ts';
import { findPullRequest, readPullRequest, readVisibility } from '../../src/github/pull-request.ts';
import { HEAD, recordLog, sampleJob, samplePull, sampleWorkflowRun } from './samples.ts';

let server: GitHubServer;
let github: GitHub;
beforeEach(async () => {
  server = await startGitHubServer({ pulls: [samplePull('octo/app')] });
  github = connectGitHub({ token: 'ghs_test', apiUrl: server.url, logger: recordLog() });
});
afterEach(() => server.stop());

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
