// What main leaves for post in the one state key of the step. No secret is in it: post reads its inputs again.

import * as core from '@actions/core';
import * as v from 'valibot';
import { APP_MODES } from '../shared/state.ts';
import { PreviewSchema } from '../supervisor/config.ts';

const KEY = 'exposure';
const SHOWN_KEY = 'shown';

const StepStateSchema = v.object({
  folder: v.string(),
  hold: v.boolean(),
  /** Absent until the supervisor was spawned. */
  supervisor: v.optional(v.object({ pid: v.number(), startTime: v.string(), role: v.string() })),
  /** Where wasmrun is installed, and nothing is left once it is. */
  installFolder: v.optional(v.string()),
  /** The pull request that was told about it. */
  pullRequest: v.optional(v.number()),
  identity: v.object({ key: v.string(), name: v.string() }),
  mode: v.picklist(APP_MODES),
  preview: PreviewSchema,
});

export type StepState = v.InferOutput<typeof StepStateSchema>;

/** May be called again; the last one counts. */
export function saveStepState(state: StepState): void {
  core.saveState(KEY, JSON.stringify(state));
}

/** How much of the preview's log main has shown, in bytes: post goes on from there. */
export function saveShownLog(bytes: number): void {
  core.saveState(SHOWN_KEY, bytes);
}

/** 0 where main was killed before it could say. */
export function readShownLog(): number {
  return Number(core.getState(SHOWN_KEY)) || 0;
}

/** What main left, or undefined where it never got that far. */
export function readStepState(): StepState | undefined {
  const text = core.getState(KEY);
  return text === '' ? undefined : v.parse(StepStateSchema, JSON.parse(text));
}
