// The job summary of the step: main writes it when its wait is over, post once more with the final figures.

import * as core from '@actions/core';
import type { Job } from '../github/job.ts';
import { renderSummary } from '../github/markdown.ts';
import { viewOf } from '../github/view.ts';
import type { ExposureState } from '../shared/state.ts';
import { describeFacts } from '../supervisor/reporting.ts';
import { print } from './print.ts';
import type { StepState } from './state.ts';

/** Adds the preview as it is now. A runner without summaries is no reason to fail. */
export async function writeSummary(job: Job, step: StepState, state: ExposureState): Promise<void> {
  const updatedAt = new Date();
  const facts = describeFacts({ job, identity: step.identity }, step.preview, step.mode);
  const view = {
    preview: { ...facts, warnings: [...facts.warnings, ...state.warnings] },
    state: viewOf(state, { now: updatedAt, hideConsole: !step.preview.showConsole }),
    updatedAt,
  };
  // A preview that just went live has no figures worth reading.
  const isOver = state.phase.kind === 'ended' || state.phase.kind === 'failed';
  const text = renderSummary(view, isOver ? { ...state, durationMs: measureLife(state) } : undefined);
  await core.summary
    .addRaw(text, true)
    .write()
    .catch(error => print.debug(`no summary: ${error}`));
}

/** How long it has been live, in milliseconds; 0 where it never was. */
export function measureLife({ phase }: ExposureState): number {
  if (phase.kind === 'starting' || phase.liveAt === undefined) return 0;
  const end = phase.kind === 'live' ? Date.now() : phase.endedAt.getTime();
  return end - phase.liveAt.getTime();
}
