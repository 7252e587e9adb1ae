// Lets a preview end before GitHub ends its job: a job that reaches its limit is cancelled, and the step shows that
// instead of a proper end. Used by action-inputs.

import type { Inputs } from '../inputs/inputs.ts';
import { formatDuration } from '../shared/duration.ts';

/**
 * "Each job in a workflow can run for up to 6 hours" on GitHub's own runners
 * (https://docs.github.com/actions/reference/limits). A lower `timeout-minutes` is not known to the steps of a job.
 */
const HOSTED_LIMIT_MS = 6 * 3_600_000;
/** For what the job does after the preview. */
const AFTER_PREVIEW_MS = 5 * 60_000;
/** If the job is nearly over, somebody may still see the link. */
const MIN_DURATION_MS = 60_000;

export interface JobClock {
  /** Whether the runner is one of GitHub's own. */
  isHosted: boolean;
  /** Undefined if it is unknown. */
  jobStartedAt: Date | undefined;
}

/** With a shorter duration and a warning, if the preview would outlive its job. */
export function limitToJob(inputs: Inputs, { isHosted, jobStartedAt }: JobClock, now: Date): Inputs {
  const { durationMs, hold, app } = inputs;
  if (!isHosted || durationMs === undefined) return inputs;
  const passedMs = Math.max(0, now.getTime() - (jobStartedAt ?? now).getTime());
  // The duration counts from "live", which may come as late as the time limit for the start.
  const leftMs = HOSTED_LIMIT_MS - passedMs - app.startupTimeoutMs - AFTER_PREVIEW_MS;
  const limitedMs = Math.max(leftMs, MIN_DURATION_MS);
  if (durationMs <= limitedMs) return inputs;
  const warning = `\`${hold ? 'hold' : 'duration'}\` is ${formatDuration(durationMs)}, but GitHub ends a job on its own runners after ${formatDuration(HOSTED_LIMIT_MS)}: the preview ends after ${formatDuration(limitedMs)}, so that the job can end by itself`;
  return { ...inputs, durationMs: limitedMs, warnings: [...inputs.warnings, warning] };
}
