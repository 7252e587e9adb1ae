import { expect, it } from 'vitest';
import { compareRuns } from '../../src/github/run.ts';

it('runs are ordered by id, then by attempt, also beyond 2^53', () => {
  const run = (runId: string, runAttempt = 1) => ({ runId, runAttempt });
  expect(compareRuns(run('9'), run('10'))).toBeLessThan(0);
  expect(compareRuns(run('9007199254740993'), run('9007199254740992'))).toBeGreaterThan(0);
  expect(compareRuns(run('10', 2), run('10', 1))).toBeGreaterThan(0);
  expect(compareRuns(run('10', 2), run('10', 2))).toBe(0);
});
