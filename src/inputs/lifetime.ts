// Parses the inputs that say how long a preview stays up: `hold`, `duration` and `idle-timeout`. Used by inputs.ts.

import { formatDuration, parseDuration } from '../shared/duration.ts';
import { InputError } from '../shared/errors.ts';
import type { InputSource } from './problems.ts';

const DEFAULT_HOLD_MS = 30 * 60_000;
/** The job's token expires after a day; from then on the comment cannot be edited. */
const LONG_DURATION_MS = 24 * 60 * 60_000;

export interface LifetimeInputs {
  /** Whether the step itself waits for the end of the preview. */
  hold: boolean;
  /** Counted from "live"; undefined: until the job ends. */
  durationMs: number | undefined;
  /** The preview ends when nobody has used it for so long; undefined: it does not matter whether anybody does. */
  idleTimeoutMs: number | undefined;
}

/** `inForeground`: the caller itself waits for the end, as a step with `hold` does. */
export function parseLifetime(read: InputSource, inForeground: boolean): LifetimeInputs {
  const idleText = read('idle-timeout').trim();
  const idleTimeoutMs = idleText === '' ? undefined : parseDuration(idleText, 'idle-timeout');
  const life = parseHold(read('hold').trim(), read('duration').trim());
  if (idleTimeoutMs !== undefined && !life.hold && !inForeground)
    throw new InputError(
      `\`idle-timeout\` is '${idleText}', but without \`hold\` later steps use the preview, and it ends with the job: set \`hold\` as well, or remove \`idle-timeout\``,
    );
  return { ...life, idleTimeoutMs };
}

/** `hold` is false, true or a duration, which a `duration` must not contradict. */
function parseHold(holdText: string, durationText: string): Pick<LifetimeInputs, 'hold' | 'durationMs'> {
  const duration = durationText === '' ? undefined : parseDuration(durationText, 'duration');
  const word = holdText.toLowerCase();
  if (word === '' || word === 'false') return { hold: false, durationMs: duration };
  if (word === 'true') return { hold: true, durationMs: duration ?? DEFAULT_HOLD_MS };
  const hold = parseDuration(holdText, 'hold');
  if (duration !== undefined && duration !== hold)
    throw new InputError(
      `\`hold\` is '${holdText}' and \`duration\` is '${durationText}': give only one of them`,
    );
  return { hold: true, durationMs: hold };
}

export function listLifetimeWarnings({ durationMs, idleTimeoutMs }: LifetimeInputs): string[] {
  if (durationMs === undefined) return [];
  return [
    ...(durationMs > LONG_DURATION_MS
      ? [
          "the duration is above 24 hours: the job's token will have expired by then, so the comment cannot be updated",
        ]
      : []),
    ...(idleTimeoutMs !== undefined && idleTimeoutMs >= durationMs
      ? [
          `\`idle-timeout\` has no effect: the preview ends after ${formatDuration(durationMs)} in any case; set a longer \`hold\` or a shorter \`idle-timeout\``,
        ]
      : []),
  ];
}
