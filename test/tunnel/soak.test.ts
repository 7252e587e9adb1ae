import { expect, it } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { runSoak } from '../support/soak.ts';

const SECONDS = 180;
/** Visits under way may finish, and the last fault is waited for. */
const TIMEOUT_MS = (SECONDS + 90) * 1_000;
/** What may be added between the second quarter and the last: a leak of a page of 16 KB in every visit is 30 MB. */
const GROWTH_MB = 15;

describeWithReal(['bore'], 'a tunnel under three minutes of visits and faults', () => {
  it('loses no visit that a fault does not explain, comes back every time, and does not grow', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const events: string[] = [`seed ${seed}`];
    const report = await runSoak({
      seconds: SECONDS,
      visitsPerSecond: 20,
      seed,
      onEvent: ({ atSeconds, text }) => events.push(`${atSeconds.toFixed(1)} s: ${text}`),
    });
    const story = events.join('\n');
    expect(report.lostOutside, story).toEqual([]);
    expect(report.notRecovered, story).toEqual([]);
    expect(report.unhandled, story).toEqual([]);
    expect(report.errors, story).toEqual([]);
    expect(report.leftBehind, story).toBe(0);
    expect(report.visits).toBeGreaterThan((SECONDS * 20) / 2);
    expect(Object.keys(report.faults), story).toHaveLength(5);
    const quarter = Math.floor(report.memory.length / 4);
    const mean = (samples: typeof report.memory) =>
      samples.reduce((sum, { rss }) => sum + rss, 0) / samples.length / 1e6;
    const [early, late] = [report.memory.slice(quarter, 2 * quarter), report.memory.slice(-quarter)];
    expect(mean(late) - mean(early), JSON.stringify(report.memory)).toBeLessThan(GROWTH_MB);
  });
});
