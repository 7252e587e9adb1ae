// When a preview counts as unused, for any course of its visits. No clock runs here: each look has a time of its own.

import { describe, expect, it } from 'vitest';
import { IdleTime, type Usage } from '../../src/supervisor/idle-time.ts';

const LIMIT = 10;
const quiet: Usage = { begun: 5, open: 0, isReachable: true };

/** When it was over: the first of the looks, which come at 0, 1, 2, … */
function findEnd(looks: readonly Partial<Usage>[]): number {
  const time = new IdleTime(LIMIT);
  return looks.findIndex((look, now) => time.isOver({ ...quiet, ...look }, now));
}

const repeat = (count: number, look: Partial<Usage> = {}) => Array.from({ length: count }, () => look);

describe('the idle time', () => {
  it('begins with the first look at a preview that visitors can reach', () => {
    expect(findEnd(repeat(20))).toBe(10);
    expect(findEnd([...repeat(30, { isReachable: false }), ...repeat(20)])).toBe(40);
  });

  it('begins again with each visit, also one that came and went between two looks', () => {
    expect(findEnd([...repeat(8), ...repeat(20, { begun: 6 })])).toBe(18);
    const often = repeat(50).map((_, now) => ({ begun: Math.floor(now / 9) }));
    expect(findEnd([...often, ...repeat(20, { begun: 5 })])).toBe(45 + 10);
  });

  it('does not pass while a visit lasts, and begins only when that is over for certain', () => {
    expect(findEnd([...repeat(30, { open: 1 }), ...repeat(20)])).toBe(40);
    expect(findEnd([...repeat(30, { open: 3 }), ...repeat(30, { open: 1 }), ...repeat(20)])).toBe(70);
  });

  it('begins again after an outage, in which nobody could come', () => {
    expect(findEnd([...repeat(8), { isReachable: false }, ...repeat(20)])).toBe(19);
  });

  it('is not confused by our own probe, which takes its visit back', () => {
    expect(findEnd([...repeat(5), { begun: 6 }, ...repeat(30)])).toBe(16);
  });
});
