// The summary of the step, which GitHub shows when main or post has ended, one below the other, for good. So the end is
// written once: by main after a hold, or if the preview failed to start, and by post otherwise. Beside later steps, main
// writes the link.

import * as core from '@actions/core';
import type { Job } from '../github/job.ts';
import { renderFinalSummary, renderLiveSummary } from '../github/summary/summary.ts';
import { describePreview, type PreviewView, viewOf } from '../github/view.ts';
import type { StateMessage } from '../shared/state-json.ts';
import type { Outcome } from '../supervisor/outcome.ts';
import { print } from './print.ts';
import type { StepState } from './state.ts';

/** Never rejects, because a runner may not support summaries. */
export async function writeLiveSummary(job: Job, step: StepState, state: StateMessage): Promise<void> {
  await write(renderLiveSummary(describeView(job, step, state)));
}

/** Never rejects. */
export async function writeFinalSummary(job: Job, step: StepState, outcome: Outcome): Promise<void> {
  const view = describeView(job, step, outcome);
  const { history } = outcome;
  await write(renderFinalSummary({ view, state: outcome, history, exposedAs: step.exposedAs }));
}

async function write(text: string): Promise<void> {
  await core.summary
    .addRaw(text, true)
    .write()
    .catch(error => print.debug(`no summary: ${error}`));
}

/** The preview as reports show it. */
export function describeView(job: Job, step: StepState, state: StateMessage): PreviewView {
  const { preview, identity } = step.report;
  const updatedAt = new Date();
  const facts = describePreview(job, { ...preview, name: identity.name, mode: step.mode });
  return {
    preview: { ...facts, warnings: [...facts.warnings, ...state.warnings] },
    state: viewOf(state, { now: updatedAt, hideConsole: !preview.showConsole }),
    updatedAt,
  };
}

/** How long the exposure has been live, in milliseconds; 0 if it never was. */
export function measureLife({ exposure }: StateMessage): number {
  if (exposure.phase === 'starting' || exposure.live_at === null) return 0;
  const end = exposure.phase === 'live' ? Date.now() : Date.parse(exposure.ended_at);
  return end - Date.parse(exposure.live_at);
}
