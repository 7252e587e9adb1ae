// Durations as people write and read them.

import { describe, expect, it } from 'vitest';
import { formatDuration, MAX_DURATION_MS, parseDuration } from '../../src/shared/duration.ts';
import { InputError } from '../../src/shared/errors.ts';

describe('a duration', () => {
  it.each([
    ['90s', 90_000],
    ['45m', 2_700_000],
    ['1h30m', 5_400_000],
    ['1h2m3s', 3_723_000],
    [' 2H ', 7_200_000],
    ['0h5s', 5_000],
  ])('can be written as %s', (text, ms) => {
    expect(parseDuration(text, 'hold')).toBe(ms);
  });

  it.each(['', '0s', '90', '1.5h', '-5m', '5m1h', '1h 30m', '1d', '10 minutes', 'true', '99999999s'])(
    'cannot be written as %j: the error has the input, the value and an example',
    text => {
      const read = () => parseDuration(text, 'hold');
      expect(read).toThrow(InputError);
      expect(read).toThrow(`\`hold\` is '${text}', which is not a duration: write it like 90s, 45m or 1h30m`);
    },
  );

  it.each(['576h1s', '600h', '2000h', '99999h', '999999m', '9999999s'])(
    'cannot be %s, because a Node.js timer would fire at once',
    text => {
      const read = () => parseDuration(text, 'hold');
      expect(read).toThrow(InputError);
      expect(read).toThrow(`\`hold\` is '${text}': no duration is longer than 576h (24 days)`);
    },
  );

  it('may be 24 days at most, which is half a day below the limit of timers', () => {
    expect(parseDuration('576h', 'hold')).toBe(MAX_DURATION_MS);
    expect(MAX_DURATION_MS + 12 * 3_600_000).toBeLessThan(2 ** 31);
  });

  it.each([
    [0, '0s'],
    [-1, '0s'],
    [999, '0s'],
    [12_400, '12s'],
    [60_000, '1m'],
    [61_000, '1m 1s'],
    [3_600_000, '1h'],
    [3_605_000, '1h'],
    [5_405_000, '1h 30m'],
  ])('of %d ms is shown as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
