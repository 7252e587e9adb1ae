import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeState, type GitHubServer, startGitHubServer } from '../../../src/demo/github/server.ts';
import { connectGitHub } from '../../../src/github/api.ts';
import { CommentWriter } from '../../../src/github/comment/comment-writer.ts';
import { readMarker, renderMarker } from '../../../src/github/comment/marker.ts';
import type { PreviewState } from '../../../src/github/comment/view.ts';
import { recordLog, sampleJob, sampleView } from '../samples.ts';

const KEY = 'abc123';
const BOT = 'github-actions[bot]';
const live: PreviewState = { kind: 'live', url: 'http://bore.pub:2345' };
const ended: PreviewState = { kind: 'ended', reason: 'stopped', endedAt: new Date() };

let server: GitHubServer;
let log: ReturnType<typeof recordLog>;

beforeEach(async () => {
  server = await startGitHubServer({ runs: { '100': 1 } });
  log = recordLog();
});
afterEach(() => server.stop());

/** A run that writes the comment. Each run has a connection of its own, as each job has. */
function startRun(
  runId = '100',
  runAttempt = 1,
  options: { key?: string; signal?: AbortSignal } = {},
): CommentWriter {
  const { key = KEY, signal } = options;
  return new CommentWriter({
    github: connectGitHub({ token: 'ghs_test', apiUrl: server.url, logger: log }),
    job: sampleJob(),
    target: { pullRequest: 7, identity: { key, name: 'web' }, runId, runAttempt },
    logger: log,
    signal,
  });
}

function addComment(
  changes: Partial<FakeState['comments'][number]> = {},
  run = ['90', 1] as [string, number],
): number {
  const id = Math.max(0, ...server.state.comments.map(comment => comment.id)) + 1;
  const body = `${renderMarker({ key: KEY, runId: run[0], runAttempt: run[1] })}\nold`;
  server.state.comments.push({ id, issue: 7, login: BOT, body, ...changes });
  return id;
}

const bodies = () => server.state.comments.map(({ body }) => body);
const writes = () => server.requests.filter(({ method, path }) => method !== 'GET' && path !== '/graphql');
const warnings = () => log.lines.filter(line => line.startsWith('warn'));

describe('the sticky comment', () => {
  it('is created once and edited from then on', async () => {
    const comment = startRun();
    await comment.update(sampleView());
    await comment.update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
    expect(server.state.comments).toMatchObject([{ issue: 7 }]);
    expect(writes().map(({ method }) => method)).toEqual(['POST', 'PATCH']);
    expect(warnings()).toEqual([]);
  });

  it('shows only the newest of several views', async () => {
    const comment = startRun();
    const views = [sampleView(), sampleView(live), sampleView(ended)];
    await Promise.all(views.map(view => comment.update(view)));
    expect(writes()).toHaveLength(1);
    expect(bodies()).toEqual([expect.stringContaining('has ended')]);
  });

  it('loses no view that comes while another is written', async () => {
    const comment = startRun();
    const first = comment.update(sampleView());
    await expect.poll(() => server.requests.length, { timeout: 10_000 }).toBeGreaterThan(0);
    void comment.update(sampleView(live));
    await comment.flush();
    await first;
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
  });

  it('is found on a later page of the list if an earlier run created it', async () => {
    for (let index = 0; index < 150; index += 1) addComment({ body: 'chat', login: 'mona' });
    const id = addComment();
    await startRun().update(sampleView(live));
    expect(server.state.comments).toHaveLength(151);
    expect(server.state.comments.find(candidate => candidate.id === id)?.body).toContain('is live');
  });

  it("is never another user's comment, even one with our marker", async () => {
    addComment({ login: 'mallory' });
    addComment({ body: `look: ${renderMarker({ key: KEY, runId: '90', runAttempt: 1 })}` });
    const before = bodies();
    await startRun().update(sampleView(live));
    expect(bodies().slice(0, 2)).toEqual(before);
    expect(server.state.comments).toHaveLength(3);
  });

  it("is separate from another preview's comment", async () => {
    await startRun('100', 1, { key: 'def456' }).update(sampleView());
    await startRun().update(sampleView(live));
    expect(bodies()).toHaveLength(2);
    expect(bodies()[0]).toContain('is starting');
  });

  it('is created again after somebody deleted it', async () => {
    const comment = startRun();
    await comment.update(sampleView());
    server.state.comments.length = 0;
    await comment.update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
  });
});

describe('two runs that share a comment', () => {
  it('leave it to the newer run: the older one writes no more', async () => {
    server.state.runs = { '100': 1, '101': 1 };
    const older = startRun('100');
    await older.update(sampleView());
    await startRun('101').update(sampleView(live));
    await older.update(sampleView(ended));
    await older.update(sampleView(ended));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
    expect(readMarker(bodies()[0] ?? '')).toMatchObject({ runId: '101' });
    expect(log.lines.filter(line => line.includes('run 101 is newer'))).toHaveLength(1);
  });

  it('may be two attempts of one run: the later one is the newer', async () => {
    server.state.runs = { '100': 2 };
    addComment({}, ['100', 2]);
    await startRun('100', 1).update(sampleView(ended));
    expect(bodies()).toEqual([expect.stringContaining('old')]);
    await startRun('100', 2).update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
  });

  it('do not yield to a newer run that GitHub does not know', async () => {
    addComment({}, ['999999', 1]);
    await startRun().update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
  });

  it('trust the marker if the token lacks `actions: read`', async () => {
    server.state.actions = 'none';
    addComment({}, ['101', 1]);
    await startRun().update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('old')]);
  });

  it("leave one comment, the newer run's, when both start at once", async () => {
    server.state.runs = { '100': 1, '101': 1 };
    const [older, newer] = [startRun('100'), startRun('101')];
    await Promise.all([older.update(sampleView()), newer.update(sampleView())]);
    await Promise.all([older.update(sampleView(ended)), newer.update(sampleView(live))]);
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
  });

  it('remove the older of two comments that were created at once', async () => {
    server.state.runs = { '100': 1, '101': 1 };
    addComment({}, ['100', 1]);
    addComment({}, ['101', 1]);
    await startRun('101').update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
    addComment({}, ['100', 1]);
    await startRun('100').update(sampleView(ended));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
  });
});

describe('a comment that cannot be written', () => {
  it('causes one warning that names the permission and its two lines', async () => {
    server.state.pullRequests = 'read';
    const comment = startRun();
    await comment.update(sampleView());
    await comment.update(sampleView(live));
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toContain('403');
    expect(warnings()[0]).toContain('"permissions:", and indented below it "pull-requests: write"');
    expect(writes()).toHaveLength(1);
  });

  it('is retried after a short failure of GitHub, without a second comment', async () => {
    server.state.faults.push({
      method: 'POST',
      path: /comments/,
      times: 1,
      status: 502,
      message: 'Bad Gateway',
    });
    await startRun().update(sampleView(live));
    expect(bodies()).toHaveLength(1);
    expect(warnings()).toEqual([]);
  });

  it('waits as long as a rate limit requires', async () => {
    const message = 'You have exceeded a secondary rate limit.';
    const headers = { 'retry-after': '1' };
    server.state.faults.push({ method: 'POST', path: /comments/, times: 1, status: 403, message, headers });
    await startRun().update(sampleView(live));
    expect(bodies()).toHaveLength(1);
    expect(log.lines.join()).toContain('trying again in 1 s');
  });

  it('does not delay the end beyond its time limit', async () => {
    const message = 'You have exceeded a secondary rate limit.';
    const headers = { 'retry-after': '50' };
    server.state.faults.push({ path: /comments/, status: 403, message, headers });
    const end = new AbortController();
    const updated = startRun('100', 1, { signal: end.signal }).update(sampleView());
    await expect.poll(() => server.requests.length, { timeout: 10_000 }).toBeGreaterThan(0);
    end.abort();
    await updated;
    expect(warnings()).toEqual([]);
  });

  it('causes a warning when its time is over', async () => {
    const message = 'You have exceeded a secondary rate limit.';
    server.state.faults.push({ path: /./, status: 403, message, headers: { 'retry-after': '50' } });
    await startRun('100', 1, { signal: AbortSignal.timeout(500) }).update(sampleView());
    expect(warnings()).toEqual([expect.stringContaining('did not answer in time')]);
  });

  it('causes one warning for repeated failures, and is written once GitHub answers again', async () => {
    server.state.faults.push({ path: /comments/, times: 6, status: 503, message: 'Unavailable' });
    const comment = startRun();
    await comment.update(sampleView());
    await comment.update(sampleView());
    expect(warnings()).toHaveLength(1);
    await comment.update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
  });
});
