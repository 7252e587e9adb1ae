import { expect, it } from 'vitest';
import { findLost, fitSlope, type LostVisit } from './soak-report.ts';

const lost = (from: number, until: number): LostVisit => ({ from, until, mode: 'm', kind: 'k', reason: 'r' });

it('a fault explains the visits that it could have cost, and no others', () => {
  const visits = [lost(0, 900), lost(0, 1_100), lost(1_500, 1_600), lost(2_001, 2_002)];
  const window = { from: 1_000, until: 2_000 };
  const count = (excuses: 'all' | 'arrivals', atMost?: number) =>
    findLost(visits, [{ ...window, excuses, ...(atMost !== undefined && { atMost }) }]).outside.length;
  expect(count('all')).toBe(2);
  expect(count('arrivals')).toBe(3);
  expect(count('all', 1)).toBe(3);
  expect(count('all', 0)).toBe(4);
});

it('memory that grows has a slope, and growth during the warm-up does not count', () => {
  const sample = (at: number, megabytes: number) => ({
    atSeconds: at,
    rss: megabytes * 1e6,
    heapUsed: 0,
    external: 0,
  });
  const minutes = Array.from({ length: 61 }, (_, minute) => minute * 60);
  expect(fitSlope(minutes.map(at => sample(at, 50 + at / 360)))).toBeCloseTo(10);
  expect(fitSlope(minutes.map(at => sample(at, at < 600 ? 20 + at / 20 : 50)))).toBeCloseTo(0);
});
