import { describe, expect, it } from 'vitest';
import { compareRuns, readMarker, renderMarker } from '../../../src/github/comment/marker.ts';

describe('the marker', () => {
  const marker = { key: 'abc123', runId: '19123456789', runAttempt: 2 };

  it('can be read from the beginning of a comment', () => {
    expect(readMarker(`${renderMarker(marker)}\r\nhello`)).toEqual(marker);
  });

  it('counts only at the beginning of the body', () => {
    expect(readMarker(`> ${renderMarker(marker)}`)).toBeUndefined();
    expect(readMarker(`\n${renderMarker(marker)}`)).toBeUndefined();
  });

  it('is not read from malformed text', () => {
    expect(readMarker('<!-- expose-action preview=zz run=1 attempt=1 -->')).toBeUndefined();
    expect(readMarker('<!-- expose-action preview=a run=-1 attempt=1 -->')).toBeUndefined();
    expect(readMarker(`<!-- expose-action preview=a run=${'9'.repeat(30)} attempt=1 -->`)).toBeUndefined();
  });

  it('orders runs by id, then by attempt, also beyond 2^53', () => {
    const run = (runId: string, runAttempt = 1) => ({ runId, runAttempt });
    expect(compareRuns(run('9'), run('10'))).toBeLessThan(0);
    expect(compareRuns(run('9007199254740993'), run('9007199254740992'))).toBeGreaterThan(0);
    expect(compareRuns(run('10', 2), run('10', 1))).toBeGreaterThan(0);
    expect(compareRuns(run('10', 2), run('10', 2))).toBe(0);
  });
});
