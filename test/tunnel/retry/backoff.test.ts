import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Backoff } from '../../../src/tunnel/retry/backoff.ts';
import { TIMINGS } from '../../../src/tunnel/timings.ts';

it('tries at once, then every 200 to 400 ms for half a minute, then at growing intervals of up to 8 s, so that previews are back within 10 s of their server', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), random => {
      const backoff = new Backoff(TIMINGS, () => random);
      expect(backoff.next(0)).toBe(0);
      for (let now = 0; now < 30_000; now += 1_000) {
        const pause = backoff.next(now);
        expect(pause).toBeGreaterThanOrEqual(200);
        expect(pause).toBeLessThanOrEqual(400);
      }
      const pauses = Array.from({ length: 10 }, () => backoff.next(30_000));
      expect(pauses).toEqual(pauses.toSorted((a, b) => a - b));
      expect(pauses.at(-1)).toBeGreaterThanOrEqual(4_000);
      expect(pauses.at(-1)).toBeLessThanOrEqual(8_000);
    }),
  );
});

it('tries again at once after a good session, and soon after that, because a server that is restarted is back soon', () => {
  const backoff = new Backoff(TIMINGS, () => 0);
  backoff.next(0);
  expect(backoff.next(60_000)).toBeGreaterThan(0);
  backoff.reset();
  expect([0, 0, 50, 150, 350].map(after => backoff.next(60_001 + after))).toEqual([0, 50, 100, 200, 200]);
});
