// Durations as people write them in workflows: `90s`, `45m`, `1h30m`. Used by inputs, log lines and reports.

import { InputError } from './errors.ts';

/**
 * 24 days: the longest duration of any input. Node's timers take 2^31 - 1 ms (24.8 days) and turn longer ones into 1
 * ms; the difference is room for what the code adds to a duration.
 */
export const MAX_DURATION_MS = 24 * 24 * 3_600_000;

const UNITS_MS = { h: 3_600_000, m: 60_000, s: 1_000 } as const;

/** Milliseconds of `1h30m`, `45m` or `90s`; `input` names the input in the InputError. */
export function parseDuration(text: string, input: string): number {
  const match = /^(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?$/.exec(text.trim().toLowerCase());
  const [hours, minutes, seconds] = (match ?? []).slice(1).map(part => Number(part ?? 0));
  const total = (hours ?? 0) * UNITS_MS.h + (minutes ?? 0) * UNITS_MS.m + (seconds ?? 0) * UNITS_MS.s;
  if (match === null || total === 0)
    throw new InputError(
      `\`${input}\` is '${text}', which is not a duration: write it like 90s, 45m or 1h30m`,
    );
  if (total > MAX_DURATION_MS)
    throw new InputError(
      `\`${input}\` is '${text}': no duration is longer than ${MAX_DURATION_MS / UNITS_MS.h}h (24 days)`,
    );
  return total;
}

/** `1h 30m`, `45m`, `12s`: the two largest units, rounded down. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'm'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return '0s';
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => `${count}${unit}`).join(' ');
}
