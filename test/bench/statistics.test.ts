import { describe, expect, it } from 'vitest';
import { describeSpread, fitSlope, median, quantile } from '../../bench/statistics.ts';

describe('a quantile', () => {
  it('of one half is the middle sample, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it('is interpolated between two samples', () => {
    expect(quantile([0, 10, 20, 30, 40], 0.95)).toBeCloseTo(38);
    expect(quantile([7], 0.95)).toBe(7);
  });

  it('does not sort the given samples', () => {
    const samples = [3, 1, 2];
    median(samples);
    expect(samples).toEqual([3, 1, 2]);
  });

  it('is NaN without samples', () => {
    expect(median([])).toBeNaN();
  });
});

describe('the spread', () => {
  it('is the smallest and the largest sample and the median', () => {
    expect(describeSpread([5, 1, 9])).toEqual({ median: 5, low: 1, high: 9 });
  });
});

describe('the slope', () => {
  it('is that of the least-squares line', () => {
    const line = [0, 1, 2, 3].map(x => [x, 2 * x + 5] as const);
    expect(fitSlope(line)).toBeCloseTo(2);
    const bumpy = [0, 1, 2, 3].map(x => [x, 7 + (x % 2 === 0 ? 1 : -1)] as const);
    expect(Math.abs(fitSlope(bumpy))).toBeLessThan(0.5);
  });
});
