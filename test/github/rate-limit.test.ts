import { describe, expect, it } from 'vitest';
import { readPauseMs } from '../../src/github/rate-limit.ts';

const NOW = Date.parse('2026-05-04T10:00:00Z');

function pause(status: number, headers: Record<string, string> = {}, said = 'no'): number | undefined {
  return readPauseMs({ status, headers, said }, NOW);
}

describe('the pause that GitHub asks for', () => {
  it.each([
    ['seconds', '90', 90_000],
    ['a date', 'Mon, 04 May 2026 10:00:05 GMT', 5_000],
    ['a date that has passed', 'Mon, 04 May 2026 09:00:00 GMT', 0],
    ['no time at all', '0', 0],
  ])('is read from Retry-After: %s', (_, value, expected) => {
    for (const status of [403, 429, 503]) expect(pause(status, { 'retry-after': value })).toBe(expected);
  });

  it("is read from the time at which the next hour's requests begin", () => {
    const reset = String(NOW / 1000 + 600);
    const headers = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset };
    expect(pause(403, headers)).toBe(601_000);
    expect(pause(429, headers)).toBe(601_000);
    expect(pause(404, headers)).toBeUndefined();
    expect(pause(403, { ...headers, 'x-ratelimit-remaining': '7' })).toBeUndefined();
  });

  it('is a minute if GitHub names no time', () => {
    expect(pause(429)).toBe(60_000);
    expect(pause(403, {}, 'You have exceeded a secondary rate limit. Please wait')).toBe(60_000);
    expect(pause(403, {}, 'You have triggered an abuse detection mechanism.')).toBe(60_000);
  });

  it('is a day at most, because a timer of a month would fire at once', () => {
    const day = 24 * 3_600_000;
    for (const value of ['999999999', 'Fri, 31 Dec 9999 23:59:59 GMT'])
      expect(pause(429, { 'retry-after': value })).toBe(day);
    for (const reset of ['99999999999', '1e300', 'Infinity'])
      expect(pause(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset })).toBe(day);
  });

  it('is none after other answers', () => {
    expect(pause(200, { 'retry-after': '9' })).toBeUndefined();
    expect(pause(403, {}, 'Resource not accessible by integration')).toBeUndefined();
    expect(pause(502)).toBeUndefined();
    expect(pause(503, { 'retry-after': 'soon' })).toBeUndefined();
  });
});
