// What main saves for post in the step's state. It contains no secret; post reads the token from the inputs again.

import * as core from '@actions/core';
import * as v from 'valibot';
import { NewInstallationSchema } from '../app/wasmrun/kept.ts';
import { ACCESSES } from '../github/wording.ts';
import { LOG_LEVELS } from '../shared/log.ts';
import { APP_MODES, PROTOCOLS } from '../shared/state.ts';
import { ReportSchema } from '../supervisor/config.ts';

const KEY = 'exposure';
const SHOWN_KEY = 'shown';

const StepStateSchema = v.object({
  folder: v.string(),
  hold: v.boolean(),
  /** Absent until the supervisor was spawned. */
  supervisor: v.optional(v.object({ pid: v.number(), startTime: v.string(), role: v.string() })),
  /** The folder that wasmrun is installed into; gone when the installation has ended. */
  installFolder: v.optional(v.string()),
  /** The wasmrun that main installed and post keeps in the runner's cache service; absent if there is nothing to keep. */
  installation: v.optional(NewInstallationSchema),
  mode: v.picklist(APP_MODES),
  /** How much post says; absent: info. */
  logLevel: v.optional(v.picklist(LOG_LEVELS)),
  /** How long the app may take to stop. */
  stopTimeoutMs: v.number(),
  report: ReportSchema,
  /** For the summary. */
  exposedAs: v.optional(
    v.object({
      protocol: v.picklist(PROTOCOLS),
      access: v.picklist(ACCESSES),
      servers: v.array(v.string()),
    }),
  ),
  /** Whether the recorded requests outlive the job's steps; absent: no. */
  keepsRequests: v.optional(v.boolean()),
});

export type StepState = v.InferOutput<typeof StepStateSchema>;

/** May be called several times: the last state counts. */
export function saveStepState(state: StepState): void {
  core.saveState(KEY, JSON.stringify(state));
}

/** What main has shown of the preview: post continues from there. */
export interface Shown {
  /** Of its log, in bytes. */
  log: number;
  /** Of its warnings, a count. */
  warnings: number;
  /** Whether the summary has its end. */
  end: boolean;
}

const ShownSchema = v.object({ log: v.number(), warnings: v.number(), end: v.boolean() });

export function saveShown(shown: Shown): void {
  core.saveState(SHOWN_KEY, JSON.stringify(shown));
}

/** Reads what `saveShown` saved; nothing if main was killed before that. */
export function readShown(): Shown {
  const text = core.getState(SHOWN_KEY);
  if (text === '') return { log: 0, warnings: 0, end: false };
  return v.parse(ShownSchema, JSON.parse(text));
}

/** What main saved, or undefined if it did not get that far. */
export function readStepState(): StepState | undefined {
  const text = core.getState(KEY);
  return text === '' ? undefined : v.parse(StepStateSchema, JSON.parse(text));
}
