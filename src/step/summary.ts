// The job summary of the step. main writes it after its wait, and post writes it again with the final figures.

import * as core from '@actions/core';
import { renderSummary } from '../github/comment/markdown.ts';
import { describePreview, viewOf } from '../github/comment/view.ts';
import type { Job } from '../github/job.ts';
import type { StateMessage } from '../shared/state-json.ts';
import { print } from './print.ts';
import type { StepState } from './state.ts';

/** Adds the preview as it is now to the summary. Never rejects, because a runner may not support summaries. */
export async function writeSummary(job: Job, step: StepState, state: StateMessage): Promise<void> {
  const updatedAt = new Date();
  const facts = describePreview(job, {
    ...step.report.preview,
    name: step.report.identity.name,
    mode: step.mode,
  });
  const view = {
    preview: { ...facts, warnings: [...facts.warnings, ...state.warnings] },
    state: viewOf(state, { now: updatedAt, hideConsole: !step.report.preview.showConsole }),
    updatedAt,
  };
  // Figures are shown at the end only.
  const isOver = state.exposure.phase === 'ended' || state.exposure.phase === 'failed';
  const figures = { ...state, addressChanges: state.address_changes, durationMs: measureLife(state) };
  const text = renderSummary(view, isOver ? figures : undefined);
  await core.summary
    .addRaw(text, true)
    .write()
    .catch(error => print.debug(`no summary: ${error}`));
}

/** How long the exposure has been live, in milliseconds; 0 if it never was. */
export function measureLife({ exposure }: StateMessage): number {
  if (exposure.phase === 'starting' || exposure.live_at === null) return 0;
  const end = exposure.phase === 'live' ? Date.now() : Date.parse(exposure.ended_at);
  return end - Date.parse(exposure.live_at);
}
