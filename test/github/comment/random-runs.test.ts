// Runs of one preview that start, end, are killed and are repeated in random order: the comment shows the newest one that
// is alive, otherwise the newest end.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { startGitHubServer } from '../../../src/demo/github/server.ts';
import { CommentWriter } from '../../../src/github/comment/comment-writer.ts';
import { readMarker } from '../../../src/github/comment/marker.ts';
import { compareRuns, type Run } from '../../../src/github/run.ts';
import { scale } from '../../support/scale.ts';
import { recordLog, sampleJob, sampleView } from '../samples.ts';
import { connectQuickly } from './quick-github.ts';

const EVENTS = fc.array(
  fc.tuple(fc.integer({ min: 100, max: 103 }), fc.constantFrom('start', 'end', 'kill')),
  {
    minLength: 2,
    maxLength: 12,
  },
);

interface Attempt extends Run {
  writer: CommentWriter;
}

async function play(events: [number, string][]): Promise<void> {
  const server = await startGitHubServer();
  const log = recordLog();
  const alive = new Map<number, Attempt>();
  const start = async (id: number) => {
    const known = server.state.runs[id];
    const runAttempt = typeof known === 'object' ? (known.attempt ?? 1) + 1 : 1;
    server.state.runs[id] = { attempt: runAttempt, status: 'in_progress' };
    const runId = `${id}`;
    const writer = new CommentWriter({
      github: connectQuickly(server.url),
      job: sampleJob({ runId, runAttempt }),
      target: { pullRequest: 7, identity: { key: 'abc', name: 'web' }, instance: `${id}${runAttempt}` },
      logger: log,
      warn: log.warn,
      checkMs: { taken: [20], yielded: 20 },
    });
    alive.set(id, { runId, runAttempt, writer });
    await writer.update(sampleView({ kind: 'live', url: 'http://bore.pub:2345' }));
  };
  try {
    for (const [id, event] of events) {
      const attempt = alive.get(id);
      if (attempt === undefined) await start(id);
      else if (event !== 'start') {
        alive.delete(id);
        if (event === 'end') {
          await attempt.writer.update(sampleView({ kind: 'ended', reason: 'stopped', endedAt: new Date() }));
        }
        await attempt.writer.flush();
        server.state.runs[id] = { attempt: attempt.runAttempt, status: 'completed' };
      }
    }
    const newest = [...alive.values()].sort(compareRuns).at(-1);
    if (newest === undefined) return;
    const { runId, runAttempt } = newest;
    await expect
      .poll(() => server.state.comments.map(({ body }) => readMarker(body)), { timeout: 10_000 })
      .toMatchObject([{ runId, runAttempt, state: 'live' }]);
  } finally {
    await Promise.all([...alive.values()].map(({ writer }) => writer.flush()));
    await server.stop();
  }
}

it('shows the newest run that is alive, in whatever order runs start, end, are killed and are repeated', async () => {
  await fc.assert(fc.asyncProperty(EVENTS, play), { numRuns: scale(15, 300) });
}, 240_000);
