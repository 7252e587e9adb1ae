import { expect, it } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { chooseSeed, scale } from '../support/scale.ts';
import { runSoak } from '../support/soak.ts';
import type { MemorySample } from '../support/soak-report.ts';

const SECONDS = scale(45, 180);
const VISITS_PER_SECOND = scale(40, 20);
/** With this seed every kind of fault happens and ends within half a minute; the longest comes first. */
const SEED = 397;
/** Extra time in which open visits finish and the last fault ends. */
const TIMEOUT_MS = (SECONDS + 90) * 1_000;
/**
 * The growth that is allowed between the second quarter and the last. A leak of 16 KB for each visit would be 15 MB in
 * the short run and 30 MB in the long one. Resident memory reaches its final size only after the first minute.
 */
const KEPT_GROWTH_MB = 6;
const RSS_GROWTH_MB = scale(40, 15);

describeWithReal(['bore'], `a tunnel under ${SECONDS} s of visits and faults`, () => {
  it('loses only visits that a fault explains, reconnects every time, and does not grow', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const seed = chooseSeed(SEED);
    const events: string[] = [`seed ${seed}`];
    const report = await runSoak({
      seconds: SECONDS,
      visitsPerSecond: VISITS_PER_SECOND,
      seed,
      onEvent: ({ atSeconds, text }) => events.push(`${atSeconds.toFixed(1)} s: ${text}`),
    });
    const story = events.join('\n');
    expect(report.lostOutside, story).toEqual([]);
    expect(report.notRecovered, story).toEqual([]);
    expect(report.unhandled, story).toEqual([]);
    expect(report.errors, story).toEqual([]);
    expect(report.leftBehind, story).toBe(0);
    expect(report.visits).toBeGreaterThan((SECONDS * VISITS_PER_SECOND) / 2);
    expect(Object.keys(report.faults), story).toHaveLength(5);
    const quarter = Math.floor(report.memory.length / 4);
    const [early, late] = [report.memory.slice(quarter, 2 * quarter), report.memory.slice(-quarter)];
    const measureGrowth = (pick: (sample: MemorySample) => number) => {
      const mean = (part: readonly MemorySample[]) =>
        part.reduce((sum, sample) => sum + pick(sample), 0) / part.length / 1e6;
      return mean(late) - mean(early);
    };
    const samples = JSON.stringify(report.memory);
    expect(
      measureGrowth(({ heapUsed, external }) => heapUsed + external),
      samples,
    ).toBeLessThan(KEPT_GROWTH_MB);
    expect(
      measureGrowth(({ rss }) => rss),
      samples,
    ).toBeLessThan(RSS_GROWTH_MB);
  });
});
