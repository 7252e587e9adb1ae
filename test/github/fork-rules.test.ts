import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { connectGitHub } from '../../src/github/api.ts';
import { checkForkRules, FORKS_PAGE, type Verdict } from '../../src/github/fork-rules.ts';
import type { Job } from '../../src/github/job.ts';
import { HEAD, MERGE, recordLog, sampleJob, samplePull, sampleWorkflowRun } from './samples.ts';

const OTHER = 'b'.repeat(40);

let server: GitHubServer;
let path: string;
beforeEach(async () => {
  server = await startGitHubServer({ pulls: [samplePull('octo/app')] });
  path = mkdtempSync(join(tmpdir(), 'guard-'));
  checkOut(HEAD);
});
afterEach(async () => {
  rmSync(path, { recursive: true, force: true });
  await server.stop();
});

function checkOut(sha: string): void {
  mkdirSync(join(path, '.git'), { recursive: true });
  writeFileSync(join(path, '.git', 'HEAD'), `${sha}\n`);
}

function judge(
  changes: Partial<Job>,
  allowUntrustedHead = false,
  signal = new AbortController().signal,
): Promise<Verdict> {
  const github = connectGitHub({ token: 'ghs_test', apiUrl: server.url, logger: recordLog() });
  return checkForkRules({ job: sampleJob(changes), github, path, allowUntrustedHead, signal });
}

const fork = { pull_request: samplePull('mallory/app') };
const own = { pull_request: samplePull('octo/app') };
const run = sampleWorkflowRun;
const comment = (issue: object = { number: 7, pull_request: {} }) => ({ issue });

describe('the fork rules, on events without secrets for forks,', () => {
  it.each(['pull_request', 'pull_request_review', 'pull_request_review_comment'])(
    'skip forks: %s',
    async eventName => {
      expect(await judge({ eventName, event: own })).toEqual({ kind: 'trusted' });
      const verdict = await judge({ eventName, event: fork });
      expect(verdict).toMatchObject({ kind: 'skip', reason: expect.stringContaining('mallory/app') });
      expect(verdict).toMatchObject({ reason: expect.stringContaining(FORKS_PAGE) });
      expect(server.requests).toEqual([]);
    },
  );

  it('skip a head whose repository is gone or unknown', async () => {
    expect(await judge({ event: { pull_request: samplePull(null) } })).toMatchObject({ kind: 'skip' });
    expect(await judge({ event: {} })).toMatchObject({ kind: 'skip' });
  });

  it('skip Dependabot, on pushes too', async () => {
    const actor = 'dependabot[bot]';
    expect(await judge({ actor })).toMatchObject({ kind: 'skip' });
    expect(await judge({ actor, eventName: 'push', event: {} })).toMatchObject({ kind: 'skip' });
  });

  it('allow untrusted code if `allow-untrusted-head` is set, and warn that there will be no comment', async () => {
    expect(await judge({ event: fork }, true)).toMatchObject({
      kind: 'allowed untrusted',
      reason: expect.stringContaining('no comment'),
    });
  });

  it('sanitise the name of a fork', async () => {
    const verdict = await judge({ event: { pull_request: samplePull('x\n::error::y') } });
    expect(JSON.stringify(verdict)).not.toContain('\\n');
  });

  it.each(['push', 'schedule', 'merge_group'])('trust %s, with and without a checkout', async eventName => {
    expect(await judge({ eventName, event: {} })).toEqual({ kind: 'trusted' });
    rmSync(join(path, '.git'), { recursive: true });
    expect(await judge({ eventName, event: {} })).toEqual({ kind: 'trusted' });
  });

  it('compare repository names case-insensitively', async () => {
    expect(await judge({ event: { pull_request: samplePull('Octo/App') } })).toEqual({ kind: 'trusted' });
  });
});

describe('the fork rules, on events that may be about any code,', () => {
  const events = ['workflow_dispatch', 'release', 'issues', 'discussion_comment', 'check_run', 'deployment'];

  it.each(events)("trust the run's own commit and refuse any other: %s", async eventName => {
    expect(await judge({ eventName, event: {}, sha: HEAD })).toEqual({ kind: 'trusted' });
    checkOut(OTHER);
    expect(await judge({ eventName, event: {}, sha: HEAD })).toMatchObject({
      kind: 'refuse',
      reason: expect.stringMatching(`${OTHER} is checked out .* own commit ${HEAD} was expected`),
    });
    expect(await judge({ eventName, event: {}, sha: HEAD }, true)).toMatchObject({
      kind: 'allowed untrusted',
    });
  });

  it.each([
    ['workflow_dispatch', 'trusted'],
    ['release', 'trusted'],
    ['issues', 'refuse'],
    ['discussion_comment', 'refuse'],
    ['check_run', 'refuse'],
  ])('decide without a checkout: %s is %s', async (eventName, kind) => {
    rmSync(join(path, '.git'), { recursive: true });
    expect(await judge({ eventName, event: {}, sha: HEAD })).toMatchObject({ kind });
  });

  it('say why an event is dangerous, also one that begins with a vowel', async () => {
    checkOut(OTHER);
    expect(await judge({ eventName: 'issues', event: {}, sha: HEAD })).toMatchObject({
      reason: expect.stringContaining('A job of the event issues has secrets and a token that can write'),
    });
  });

  it("refuse repository_dispatch, even if the run's own commit is checked out", async () => {
    const job = { eventName: 'repository_dispatch', event: { client_payload: own, ...own }, sha: HEAD };
    expect(await judge(job)).toMatchObject({
      kind: 'refuse',
      reason: expect.stringContaining('it is unknown whose code it is about'),
    });
    expect(await judge(job, true)).toMatchObject({ kind: 'allowed untrusted' });
  });
});

describe('the fork rules, on events with secrets,', () => {
  const events: [string, object][] = [
    ['pull_request_target', own],
    ['issue_comment', comment()],
    ['workflow_run', run()],
  ];

  it.each(events)("trust the repository's own head if it is checked out: %s", async (eventName, event) => {
    expect(await judge({ eventName, event })).toEqual({ kind: 'trusted' });
  });

  it.each(events)('refuse any other commit: %s', async (eventName, event) => {
    checkOut(OTHER);
    const verdict = await judge({ eventName, event });
    expect(verdict).toMatchObject({ kind: 'refuse', reason: expect.stringContaining(OTHER) });
    expect(verdict).toMatchObject({ reason: expect.stringContaining(FORKS_PAGE) });
    expect(await judge({ eventName, event }, true)).toMatchObject({ kind: 'allowed untrusted' });
  });

  it.each(events)('refuse code without a commit, such as an artifact: %s', async (eventName, event) => {
    rmSync(join(path, '.git'), { recursive: true });
    expect(await judge({ eventName, event })).toMatchObject({ kind: 'refuse' });
  });

  it.each([
    ['pull_request_target', fork],
    ['issue_comment', comment()],
    ['workflow_run', run({ head_repository: { full_name: 'mallory/app' } })],
    ['workflow_run', run({ head_repository: null })],
  ] as [string, object][])('refuse forks, whatever is checked out: %s (%#)', async (eventName, event) => {
    server.state.pulls = [samplePull('mallory/app')];
    for (const sha of [HEAD, MERGE]) {
      checkOut(sha);
      expect(await judge({ eventName, event })).toMatchObject({ kind: 'refuse' });
    }
  });

  it('trust the API, not the event, about the repository of the head', async () => {
    server.state.pulls = [samplePull('mallory/app')];
    expect(await judge({ eventName: 'pull_request_target', event: own })).toMatchObject({ kind: 'refuse' });
  });

  it("accept the event's head as well as the newest one, because a push may have come in between", async () => {
    server.state.pulls = [samplePull('octo/app', OTHER)];
    expect(await judge({ eventName: 'pull_request_target', event: own })).toEqual({ kind: 'trusted' });
    checkOut(OTHER);
    expect(await judge({ eventName: 'pull_request_target', event: own })).toEqual({ kind: 'trusted' });
    checkOut(MERGE);
    expect(await judge({ eventName: 'pull_request_target', event: own })).toMatchObject({ kind: 'refuse' });
  });

  it.each(['pull_request_target', 'issue_comment', 'workflow_run', 'repository_dispatch'])(
    'refuse what was built by a run of %s',
    async event => {
      expect(await judge({ eventName: 'workflow_run', event: run({ event }) })).toMatchObject({
        kind: 'refuse',
      });
    },
  );

  it('refuse what a Dependabot run built, even if somebody else re-ran it', async () => {
    const mona = { login: 'mona' };
    const dependabot = { login: 'dependabot[bot]' };
    const eventName = 'workflow_run';
    const people = run({ actor: mona, triggering_actor: mona });
    expect(await judge({ eventName, event: people })).toEqual({ kind: 'trusted' });
    for (const job of [
      { event: run({ actor: dependabot, triggering_actor: mona }) },
      { event: run({ actor: mona, triggering_actor: dependabot }) },
      { event: people, actor: dependabot.login },
    ]) {
      const verdict = await judge({ eventName, ...job });
      expect(verdict).toMatchObject({ kind: 'refuse', reason: expect.stringContaining('Dependabot') });
    }
  });

  it('trust the default branch after a comment on a plain issue', async () => {
    const job = { eventName: 'issue_comment', event: comment({ number: 3 }) };
    expect(await judge({ ...job, sha: HEAD })).toEqual({ kind: 'trusted' });
    expect(await judge({ ...job, sha: OTHER })).toMatchObject({ kind: 'refuse' });
  });

  it('refuse code if GitHub does not answer in time, and reject once the check is cancelled', async () => {
    const job = { eventName: 'pull_request_target', event: own };
    const late = AbortSignal.abort(new DOMException('over', 'TimeoutError'));
    expect(await judge(job, false, late)).toMatchObject({
      kind: 'refuse',
      reason: expect.stringContaining('in time'),
    });
    await expect(judge(job, false, AbortSignal.abort(new Error('cancelled')))).rejects.toThrow('cancelled');
  });

  it('refuse code of unknown origin', async () => {
    for (const { eventName } of [{ eventName: 'pull_request_target' }, { eventName: 'workflow_run' }]) {
      expect(await judge({ eventName, event: {} })).toMatchObject({ kind: 'refuse' });
    }
    server.state.faults.push({
      path: /pulls/,
      status: 403,
      message: 'Resource not accessible by integration',
    });
    expect(await judge({ eventName: 'issue_comment', event: comment() })).toMatchObject({
      kind: 'refuse',
      reason: expect.stringContaining('403'),
    });
  });
});
