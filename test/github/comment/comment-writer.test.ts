import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type FakeComment, type GitHubServer, startGitHubServer } from '../../../src/demo/github/server.ts';
import { connectGitHub } from '../../../src/github/api.ts';
import { CommentWriter } from '../../../src/github/comment/comment-writer.ts';
import { renderComment } from '../../../src/github/comment/markdown.ts';
import { type Marker, readMarker, renderMarker } from '../../../src/github/comment/marker.ts';
import { identifyWorkflow } from '../../../src/github/identity.ts';
import type { PreviewState } from '../../../src/github/view.ts';
import { recordLog, sampleJob, sampleView } from '../samples.ts';
import { connectQuickly } from './quick-github.ts';

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

interface RunOptions {
  key?: string;
  instance?: string;
  signal?: AbortSignal;
  /** How soon it looks at the comment again; by default never within a test. */
  checkMs?: { taken: number[]; yielded: number };
  /** Also paces its writes, as a job does. */
  isReal?: boolean;
}

/** A run that writes the comment. Each run has a connection of its own, as each job has. */
function startRun(runId = '100', runAttempt = 1, options: RunOptions = {}): CommentWriter {
  const { key = KEY, instance = `${runId}${runAttempt}`, signal, checkMs, isReal } = options;
  const writer = new CommentWriter({
    github: isReal
      ? connectGitHub({ token: 'ghs_test', apiUrl: server.url, logger: log })
      : connectQuickly(server.url),
    job: sampleJob({ runId, runAttempt }),
    target: { pullRequest: 7, identity: { key, name: 'web' }, instance },
    logger: log,
    warn: log.warn,
    signal,
    checkMs,
  });
  onTestFinished(() => writer.flush());
  return writer;
}

/** A comment that run 90 left, or that `changes` describes. */
function addComment(changes: Partial<FakeComment> = {}, marker: Partial<Marker> = {}): number {
  const id = Math.max(0, ...server.state.comments.map(comment => comment.id)) + 1;
  const body = `${renderMarker({ key: KEY, runId: '90', runAttempt: 1, ...marker })}\nold`;
  const updatedAt = new Date().toISOString();
  server.state.comments.push({ id, issue: 7, login: BOT, body, updatedAt, ...changes });
  return id;
}

const bodies = () => server.state.comments.map(({ body }) => body);
const writes = () => server.requests.filter(({ method, path }) => method !== 'GET' && path !== '/graphql');
const warnings = () => log.lines.filter(line => line.startsWith('warn'));

describe('the sticky comment', () => {
  it('is created once and edited from then on', async () => {
    const comment = startRun('100', 1, { isReal: true });
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

  it('is ours also after somebody removed its marker', async () => {
    const comment = startRun();
    await comment.update(sampleView());
    for (const one of server.state.comments) one.body = 'edited by hand';
    await comment.update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
  });

  it('is found among comments without an author or a text', async () => {
    addComment({ login: null });
    addComment({ body: '' });
    addComment();
    await startRun().update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('old'), '', expect.stringContaining('is live')]);
  });

  it('is not written again if nothing in it would change', async () => {
    const comment = startRun();
    await comment.update(sampleView(live));
    await comment.update(sampleView(live));
    expect(writes()).toHaveLength(1);
  });

  it('belongs to the user of the token, whoever that is', async () => {
    server.state.login = 'expose-bot[bot]';
    server.state.faults.push({ path: /graphql/, status: 403, message: 'Resource not accessible' });
    const id = addComment({ login: 'expose-bot[bot]' });
    await startRun().update(sampleView(live));
    expect(server.state.comments).toMatchObject([{ login: 'expose-bot[bot]' }]);
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
    expect(server.state.comments.some(comment => comment.id === id)).toBe(false);
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
    await older.update(sampleView(live));
    await older.update(sampleView(ended));
    await older.update(sampleView(ended));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
    expect(readMarker(bodies()[0] ?? '')).toMatchObject({ runId: '101', state: 'live' });
    expect(log.lines.filter(line => line.includes('the preview of run 101'))).toHaveLength(1);
  });

  it('may be two attempts of one run: the later one is the newer', async () => {
    server.state.runs = { '100': 2 };
    addComment({}, { runId: '100', runAttempt: 2 });
    await startRun('100', 1).update(sampleView(ended));
    expect(bodies()).toEqual([expect.stringContaining('old')]);
    await startRun('100', 2).update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
  });

  it('give it to the one that is alive, also if that is a new attempt of the older run', async () => {
    server.state.runs = { '100': 2, '200': 1 };
    const newer = startRun('200');
    await newer.update(sampleView(live));
    await newer.update(sampleView(ended));
    const older = startRun('100', 2);
    await older.update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
    expect(readMarker(bodies()[0] ?? '')).toMatchObject({ runId: '100', runAttempt: 2 });
  });

  it('give it back to the older one when the newer one ends first', async () => {
    server.state.runs = { '100': 1, '200': 1 };
    const older = startRun('100', 1, { checkMs: { taken: [10, 50], yielded: 10 } });
    await older.update(sampleView(live));
    const newer = startRun('200');
    await newer.update(sampleView(live));
    await older.update(sampleView({ ...live, endsAt: new Date() }));
    await newer.update(sampleView(ended));
    await expect.poll(() => readMarker(bodies()[0] ?? '')?.runId, { timeout: 10_000 }).toBe('100');
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
  });

  it('leave it to the newer end when both have ended', async () => {
    addComment({}, { runId: '200', state: 'ended' });
    await startRun('100').update(sampleView(ended));
    expect(bodies()).toEqual([expect.stringContaining('old')]);
    await startRun('300').update(sampleView(ended));
    expect(bodies()).toEqual([expect.stringContaining('has ended')]);
  });

  it.each([
    ['GitHub does not know', { runId: '999999' }],
    ['is over', { runId: '200' }],
    ['has a later attempt', { runId: '300' }],
    ['must have ended by now', { runId: '400', until: new Date(Date.now() - 3_600_000) }],
  ])('do not yield to a newer run that %s', async (_, marker) => {
    server.state.runs = { '200': { status: 'completed' }, '300': 2, '400': 1 };
    addComment({}, { state: 'live', ...marker });
    await startRun().update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
  });

  it('trust the marker if the token lacks `actions: read`, but not longer than a job can last', async () => {
    server.state.actions = 'none';
    addComment({}, { runId: '101', state: 'live' });
    await startRun().update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('old')]);
    for (const comment of server.state.comments) comment.updatedAt = '2026-01-01T00:00:00Z';
    await startRun().update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
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
    addComment({}, { runId: '100' });
    addComment({}, { runId: '101' });
    await startRun('101', 1).update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
    addComment({}, { runId: '100' });
    await startRun('100').update(sampleView(ended));
    expect(bodies()[0]).toContain('is live');
  });

  it('repair the comment if the older run wrote its end in the same moment', async () => {
    server.state.runs = { '100': 1, '101': 1 };
    const id = addComment({}, { runId: '100', state: 'live' });
    await startRun('101', 1, { checkMs: { taken: [50, 100], yielded: 50 } }).update(sampleView(live));
    const comment = server.state.comments.find(candidate => candidate.id === id);
    if (comment === undefined) throw new Error('the comment is gone');
    comment.body = `${renderMarker({ key: KEY, runId: '100', runAttempt: 1, state: 'ended' })}\nold`;
    await expect.poll(bodies, { timeout: 10_000 }).toEqual([expect.stringContaining('is live')]);
  });
});

describe('two steps of one run that cannot be told apart', () => {
  const twins = () => [
    startRun('100', 1, { instance: 'a', checkMs: { taken: [50, 100], yielded: 50 } }),
    startRun('100', 1, { instance: 'b', checkMs: { taken: [50, 100], yielded: 50 } }),
  ];
  const names = () => bodies().map(body => /Preview `(.*?)`/.exec(body)?.[1]);
  const updateAll = (writers: CommentWriter[], state: PreviewState) =>
    Promise.all(writers.map(writer => writer.update(sampleView(state))));

  it('have a comment each, and the second one is warned once', async () => {
    const writers = twins();
    for (const state of [{ kind: 'starting' } as const, live, ended])
      for (const writer of writers) await writer.update(sampleView(state));
    expect(names()).toEqual(['web', 'web (2)']);
    expect(bodies().every(body => body.includes('has ended'))).toBe(true);
    expect(warnings()).toEqual([expect.stringContaining('set `name` to a different text')]);
  });

  it('have a comment each when both start at once', async () => {
    const writers = twins();
    await updateAll(writers, { kind: 'starting' });
    await updateAll(writers, live);
    expect(names().sort()).toEqual(['web', 'web (2)']);
    expect(warnings()).toHaveLength(1);
  });

  it('have a comment each when one has ended before the other starts', async () => {
    const [first, second] = twins();
    await first?.update(sampleView(ended));
    await second?.update(sampleView(live));
    expect(names()).toEqual(['web', 'web (2)']);
  });

  it('use the two comments of an earlier run, also if both take the same one at first', async () => {
    addComment({}, { state: 'ended' });
    addComment({}, { state: 'ended', slot: 2 });
    await updateAll(twins(), live);
    const instances = () => bodies().map(body => readMarker(body)?.instance);
    await expect.poll(() => instances().sort(), { timeout: 10_000 }).toEqual(['a', 'b']);
    expect(names()).toEqual(['web', 'web (2)']);
  });

  it('may be three', async () => {
    const writers = [...twins(), startRun('100', 1, { instance: 'c' })];
    await updateAll(writers, { kind: 'starting' });
    await updateAll(writers, live);
    expect(names().sort()).toEqual(['web', 'web (2)', 'web (3)']);
  });

  it('are one preview where runs have no ids of their own, as with act', async () => {
    server.state.runs = {};
    await startRun('1', 1, { instance: 'a' }).update(sampleView(ended));
    await startRun('1', 1, { instance: 'b' }).update(sampleView(live));
    expect(names()).toEqual(['web']);
    expect(warnings()).toEqual([]);
  });
});

describe('comments of runs that were killed', () => {
  const WORKFLOW = identifyWorkflow(sampleJob());
  const body = (marker: Partial<Marker>) =>
    renderComment(
      sampleView(live, { name: 'gone (leg)' }),
      renderMarker({ key: 'def', runId: '90', runAttempt: 1, workflow: WORKFLOW, state: 'live', ...marker }),
    );

  it('are marked as ended by the next run of the workflow', async () => {
    server.state.runs = { '90': { status: 'completed' }, '100': 1 };
    addComment({ body: body({}) });
    const writer = startRun();
    await writer.update(sampleView(live));
    await expect.poll(() => bodies()[0], { timeout: 10_000 }).toContain('Preview `gone (leg)` has ended');
    expect(readMarker(bodies()[0] ?? '')).toMatchObject({ key: 'def', runId: '90', state: 'ended' });
    expect(bodies()[0]).toContain("`http://bore.pub:2345`, which may be somebody else's by now");
    expect(bodies()[1]).toContain('is live');
  });

  it('are left alone if they are not certainly ours and over', async () => {
    server.state.runs = { '80': { status: 'completed' }, '91': 1, '100': 2 };
    addComment({ body: body({ runId: '80' }), login: 'mallory' });
    addComment({ body: body({ runId: '80' }), login: null });
    addComment({ body: `> ${body({ runId: '80' })}` });
    addComment({ body: body({ runId: '80', workflow: 'facade' }) });
    addComment({ body: body({ runId: '80', state: 'failed' }) });
    addComment({ body: body({ runId: '91' }) });
    addComment({ body: body({ runId: '100', runAttempt: 2 }) });
    addComment({ body: body({ runId: '80' }) });
    const before = bodies();
    await startRun('100', 2).update(sampleView(live));
    await expect.poll(() => bodies().at(-2), { timeout: 10_000 }).toContain('has ended');
    expect(bodies().slice(0, 7)).toEqual(before.slice(0, 7));
  });

  it('are few at a time, and the next run does the rest', async () => {
    server.state.runs = { '90': { status: 'completed' }, '100': 1, '101': 1 };
    for (let index = 0; index < 7; index += 1) addComment({ body: body({ key: `def${index}` }) });
    const countEnded = () => bodies().filter(text => text.includes('has ended')).length;
    await startRun('100').update(sampleView(live));
    await expect.poll(countEnded, { timeout: 15_000 }).toBe(5);
    await startRun('101').update(sampleView(live));
    await expect.poll(countEnded, { timeout: 15_000 }).toBe(7);
  }, 40_000);

  it('are not known to be over without `actions: read`, until their own end has passed', async () => {
    server.state.actions = 'none';
    addComment({ body: body({ until: new Date(Date.now() + 3_600_000) }) });
    addComment({ body: body({ until: new Date(Date.now() - 3_600_000) }) });
    await startRun().update(sampleView(live));
    await expect.poll(() => bodies()[1], { timeout: 10_000 }).toContain('has ended');
    expect(bodies()[0]).toContain('is live');
  });
});

describe('a thread', () => {
  it('with 3,000 comments is read only as far as our own comment, and no comment is kept', async () => {
    const id = addComment();
    for (let index = 0; index < 3_000; index += 1)
      server.state.comments.push({
        id: id + 1 + index,
        issue: 7,
        login: index % 3 ? 'mona' : null,
        body: '',
      });
    const writer = startRun();
    await writer.update(sampleView(live));
    const reads = server.requests.filter(({ path }) => path.includes('/issues/7/comments'));
    expect(reads.map(({ path }) => path).filter(path => /[?&]page=1(&|$)/.test(path)).length).toBeGreaterThan(
      0,
    );
    const edit = server.requests.findIndex(({ method }) => method === 'PATCH');
    expect(server.requests.slice(0, edit).filter(({ path }) => path.includes('/issues/7/'))).toHaveLength(1);
    expect(bodies()[0]).toContain('is live');
  });
});

describe('a comment that cannot be written', () => {
  it('causes one warning that names the permission and its two lines', async () => {
    server.state.pullRequests = 'read';
    const comment = startRun('100', 1, { isReal: true });
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
    await startRun('100', 1, { isReal: true }).update(sampleView(live));
    expect(bodies()).toHaveLength(1);
    expect(warnings()).toEqual([]);
  });

  it('waits as long as a rate limit requires', async () => {
    const message = 'You have exceeded a secondary rate limit.';
    const headers = { 'retry-after': '1' };
    server.state.faults.push({ method: 'POST', path: /comments/, times: 1, status: 403, message, headers });
    await startRun('100', 1, { isReal: true }).update(sampleView(live));
    expect(bodies()).toHaveLength(1);
    expect(log.lines.join()).toContain('trying again in 1 s');
  });

  it('does not delay the end beyond its time limit', async () => {
    const message = 'You have exceeded a secondary rate limit.';
    const headers = { 'retry-after': '50' };
    server.state.faults.push({ path: /comments/, status: 403, message, headers });
    const end = new AbortController();
    const updated = startRun('100', 1, { isReal: true, signal: end.signal }).update(sampleView());
    await expect.poll(() => server.requests.length, { timeout: 10_000 }).toBeGreaterThan(0);
    end.abort();
    await updated;
    expect(warnings()).toEqual([]);
  });

  it('causes a warning when its time is over', async () => {
    const message = 'You have exceeded a secondary rate limit.';
    server.state.faults.push({ path: /./, status: 403, message, headers: { 'retry-after': '50' } });
    await startRun('100', 1, { isReal: true, signal: AbortSignal.timeout(500) }).update(sampleView());
    expect(warnings()).toEqual([expect.stringContaining('did not answer in time')]);
  });

  it('causes one warning for repeated failures, and is written once GitHub answers again', async () => {
    server.state.faults.push({ path: /comments/, times: 6, status: 503, message: 'Unavailable' });
    const comment = startRun('100', 1, { isReal: true });
    await comment.update(sampleView());
    await comment.update(sampleView());
    expect(warnings()).toHaveLength(1);
    await comment.update(sampleView(live));
    expect(bodies()).toEqual([expect.stringContaining('is live')]);
  });
});
