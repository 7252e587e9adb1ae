// How often a report is written. What is written, and what follows a failure, is in the tests of comment and deployment.

import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ReportQueue } from '../../src/github/report-queue.ts';
import type { PreviewView } from '../../src/github/view.ts';
import { silentLogger } from '../../src/shared/log.ts';
import { sampleView } from './samples.ts';

it('a preview that keeps changing its state is written ten times, and then at its end', async () => {
  const written: PreviewView[] = [];
  const write = async (view: PreviewView) => {
    written.push(view);
    return 'written' as const;
  };
  const queue = new ReportQueue({ feature: 'comment', write, logger: silentLogger });
  const states = ['tunnel', 'app'] as const;
  const change = (at: number) =>
    sampleView({ kind: 'reconnecting', outage: states[at % 2] ?? 'app', since: new Date(at) });
  for (let at = 0; at < 10; at += 1) await queue.update(change(at));
  expect(written).toHaveLength(10);

  const waiting = queue.update(change(10));
  for (let turns = 0; turns < 5; turns += 1) await turn();
  expect(written).toHaveLength(10);
  const last = sampleView({ kind: 'ended', reason: 'job ended', endedAt: new Date() });
  await Promise.all([waiting, queue.update(last)]);
  expect(written).toHaveLength(11);
  expect(written.at(-1)).toBe(last);
});
