import { describe, expect, it } from 'vitest';
import { INPUT_DEFAULTS, parseInputs } from '../../src/inputs/inputs.ts';
import { limitToJob } from '../../src/step/job-limit.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const now = new Date('2026-05-04T12:00:00Z');

function limit(given: Record<string, string>, isHosted: boolean, jobAgeMs: number | undefined) {
  const all: Record<string, string> = { ...INPUT_DEFAULTS, port: '80', ...given };
  const inputs = parseInputs(name => all[name] ?? '', {}, process.cwd());
  const jobStartedAt = jobAgeMs === undefined ? undefined : new Date(now.getTime() - jobAgeMs);
  const limited = limitToJob(inputs, { isHosted, jobStartedAt }, now);
  return { durationMs: limited.durationMs, warnings: limited.warnings };
}

describe('the limit of a job', () => {
  // The limit, less 2 minutes for the start and 5 for what comes after the preview.
  it.each([
    ['a job that has just begun', '6h', 0, 6 * HOUR_MS - 7 * MINUTE_MS, '5h 53m'],
    ['a job of unknown age', '8h', undefined, 6 * HOUR_MS - 7 * MINUTE_MS, '5h 53m'],
    ['a job that has built for an hour', '5h', HOUR_MS, 5 * HOUR_MS - 7 * MINUTE_MS, '4h 53m'],
    ['a job that is nearly over', '30m', 6 * HOUR_MS - MINUTE_MS, MINUTE_MS, '1m'],
  ])('shortens a hold in %s, with a warning', (_, hold, jobAgeMs, durationMs, shown) => {
    const given = { hold };
    expect(limit(given, true, jobAgeMs)).toEqual({
      durationMs,
      warnings: [
        expect.stringMatching(
          `^\`hold\` is .*, but GitHub ends a job on its own runners after 6h: the preview ends after ${shown},`,
        ),
      ],
    });
  });

  it.each<[string, Record<string, string>, boolean, number]>([
    ['fits', { hold: '5h' }, true, 30 * MINUTE_MS],
    ['is on a runner of your own', { hold: '20h' }, false, 0],
    ['lasts until the job ends', {}, true, HOUR_MS],
  ])('changes nothing if the preview %s', (_, given, isHosted, jobAgeMs) => {
    const { durationMs, warnings } = limit(given, isHosted, jobAgeMs);
    expect(warnings).toEqual([]);
    expect(durationMs).toBe(given.hold === undefined ? undefined : Number.parseInt(given.hold, 10) * HOUR_MS);
  });

  it('names the input that was given', () => {
    expect(limit({ duration: '7h' }, true, 0).warnings).toEqual([
      expect.stringMatching('^`duration` is 7h,'),
    ]);
  });
});
