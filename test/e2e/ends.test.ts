// What ends a hold from outside, driven through the built action: visitors who stay away, and what happens to the pull
// request. The server that plays GitHub decides when the supervisor sees its pull request, so that nothing waits for the
// next look.

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { FakePullRequest } from '../../src/demo/github/server.ts';
import { startGate } from '../support/github-gate.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { isFull } from '../support/scale.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import {
  awaitFree,
  awaitGone,
  createPreview,
  goLive,
  type Preview,
  SECRET,
  SERVER,
  startHold,
  visit,
} from './job-rig.ts';

const PAGE = { 'index.html': '<h1>the preview</h1>' };
const HEAD = { sha: 'a'.repeat(40), repo: { full_name: 'octo/app' } };
const PULL_REQUEST: FakePullRequest = { number: 7, state: 'open', head: HEAD, labels: ['preview'] };

/** The event of the run, and the pull request as it is at its start. */
function setScene(preview: Preview, event: object, pull: Partial<FakePullRequest> = {}): FakePullRequest {
  const now = { ...PULL_REQUEST, ...pull };
  preview.github.state.pulls = [now];
  const payload = { pull_request: PULL_REQUEST, repository: { private: false }, ...event };
  writeFileSync(join(preview.job.folder, 'event.json'), JSON.stringify(payload));
  return now;
}

/** The step is green and says why; post finds nothing to do; the comment says the same, and nothing is left. */
async function expectGreenEnd(
  preview: Preview,
  url: string,
  reason: string,
  sentence: string,
): Promise<void> {
  const records = preview.processes();
  const main = await preview.job.finished();
  expect(main.log).toContain(`the preview has ended: ${reason}`);
  expect(main.code).toBe(0);
  await awaitFree(url);
  await awaitGone(records);
  expect((await preview.job.post()).code).toBe(0);
  expect(readdirSync(preview.job.temp)).toEqual([]);
  expect(preview.titles()).toEqual(['is starting', 'is live', 'has ended']);
  expect(preview.github.state.comments).toHaveLength(1);
  expect(preview.github.state.comments[0]?.body).toContain(sentence);
}

const NEWER = { ...HEAD, sha: 'b'.repeat(40) };
const LABELED = { action: 'labeled', label: { name: 'preview' } };

describeWithReal(['bore'], 'a hold', () => {
  it.each<[string, string, Partial<FakePullRequest>, string]>([
    ['pull request closed', '127.0.3.1', { state: 'closed' }, 'The pull request was closed, so it ended'],
    [
      'pull request merged',
      '127.0.3.2',
      { state: 'closed', merged: true },
      'The pull request was merged, so it ended',
    ],
    ['newer commit', '127.0.3.3', { head: NEWER }, 'A newer commit was pushed, so it ended'],
    ['label removed', '127.0.3.4', { labels: [] }, 'Its label was removed, so it ended'],
  ])('ends: %s', async (reason, host, change, sentence) => {
    await startRealServer(host, { secret: SECRET });
    const gate = await startGate(/^GET .*\/pulls\/7$/);
    const preview = await createPreview({ server: host, hold: 'true' }, PAGE, { GITHUB_API_URL: gate.url });
    gate.guard(preview.github.url);
    const pull = setScene(preview, LABELED);
    const url = await startHold(preview);
    await waitUntil(() => preview.titles().includes('is live'), 'the comment says so');
    Object.assign(pull, change);
    gate.open();
    await expectGreenEnd(preview, url, reason, sentence);
  });

  it('ends if a newer commit came before the preview was live', async () => {
    const host = '127.0.3.5';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ server: host, hold: 'true' }, PAGE);
    setScene(preview, {}, { head: NEWER });
    const main = await preview.job.main();
    expect(main.log).toContain('pull request #7: it has a newer commit, bbbbbbb');
    expect(main.log).toContain('the preview has ended: newer commit');
    expect(main.code).toBe(0);
    expect((await preview.job.post()).code).toBe(0);
    expect(preview.titles().at(-1)).toBe('has ended');
  });

  it('goes on if GitHub does not let it see the pull request, and warns once', async () => {
    const host = '127.0.3.6';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ server: host, hold: '5s' }, PAGE);
    preview.github.state.faults.push({
      path: /pulls\/7$/,
      status: 403,
      message: 'Resource not accessible by integration',
    });
    const url = await startHold(preview);
    await expectGreenEnd(preview, url, 'duration over', 'Its time was over');
    const warnings = preview.job.log
      .split('\n')
      .filter(line => line.includes('could not see whether the pull request'));
    expect(warnings).toEqual([expect.stringContaining('pull-requests: read')]);
  });

  it('with an idle time ends when the last visitor has left', async () => {
    const host = '127.0.3.7';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview(
      { server: host, hold: 'true', 'idle-timeout': '4s', mode: 'port', command: 'node server.js' },
      { 'server.js': SERVER },
    );
    const url = await startHold(preview);
    const visitor = await visit(url, 'GET /stream HTTP/1.1\r\nHost: HOST\r\n\r\n');
    const cameAt = Date.now();
    await waitUntil(() => Date.now() - cameAt > 5_000, 'the visitor has stayed longer than that');
    expect([(await preview.status()).exposure.phase, visitor.gone]).toEqual(['live', false]);
    visitor.leave();
    await expectGreenEnd(preview, url, 'idle timeout', 'Nobody used it any more, so it ended');
  });

  // Half a minute, as users have it.
  it.runIf(isFull)(
    'notices within a minute what happens to its pull request',
    async () => {
      const host = '127.0.3.8';
      await startRealServer(host, { secret: SECRET });
      const preview = await createPreview({ server: host, hold: 'true' }, PAGE);
      const pull = setScene(preview, {});
      const url = await startHold(preview);
      const looks = () => preview.github.requests.filter(({ path }) => path.endsWith('/pulls/7')).length;
      await waitUntil(() => looks() === 1, 'the first look');
      pull.state = 'closed';
      await waitUntil(() => looks() === 2, 'the second look', 60_000);
      await expectGreenEnd(preview, url, 'pull request closed', 'The pull request was closed, so it ended');
    },
    120_000,
  );
});

describeWithReal(['bore'], 'a preview in the background', () => {
  it('stays up for later steps, whatever happens to its pull request', async () => {
    const host = '127.0.3.9';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ server: host }, PAGE);
    setScene(preview, LABELED, { state: 'closed', head: NEWER, labels: [] });
    await goLive(preview);
    expect((await preview.status()).exposure.phase).toBe('live');
    expect(preview.github.requests.filter(({ path }) => path.endsWith('/pulls/7'))).toEqual([]);
    const post = await preview.job.post();
    expect(post.log).toContain('the preview has ended: job ended');
  });

  it('refuses an idle time, because later steps are no visitors', async () => {
    const preview = await createPreview({ server: '127.0.3.10', 'idle-timeout': '10m' }, PAGE);
    const main = await preview.job.main();
    expect(main.code).toBe(1);
    expect(main.log).toContain('without `hold` later steps use the preview');
    expect(preview.github.requests).toEqual([]);
  });
});
