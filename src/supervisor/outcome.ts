// The last state of an exposure, and what happened up to it, in files of its session folder: the supervisor writes them,
// and the step and the `expose` command read them.

import { closeSync, constants, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import * as v from 'valibot';
import { type HistoryMessage, HistorySchema } from '../shared/history.ts';
import type { ExposureState } from '../shared/state.ts';
import { describeState, StateMessageSchema } from '../shared/state-json.ts';
import { OUTCOME_BYTES, readDocument, sessionFiles } from './session-folder.ts';

const OutcomeSchema = v.object({ ...StateMessageSchema.entries, history: v.optional(HistorySchema) });

/** A state, and what happened up to it. */
export type Outcome = v.InferOutput<typeof OutcomeSchema>;

/**
 * Saves the last state, for post, and for `expose status` after the end. It replaces the blanks that were written at
 * the start: a full disk has no room for a new file, and without one post would report a killed supervisor.
 */
export function writeOutcome(folder: string, state: ExposureState, history?: HistoryMessage): void {
  const text = Buffer.from(describeOutcome(state, history).padEnd(OUTCOME_BYTES));
  const file = openSync(sessionFiles(folder).outcome, constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    if (writeSync(file, text, 0, text.length, 0) < text.length) throw new Error('no space is left');
  } finally {
    closeSync(file);
  }
}

export function readOutcome(folder: string): Outcome | undefined {
  return readDocument(sessionFiles(folder).outcome, OutcomeSchema);
}

/** Saves what is known now, in one step: a process may be killed at any moment. */
export function writeLatest(folder: string, state: ExposureState, history: HistoryMessage): void {
  const { latest } = sessionFiles(folder);
  writeFileSync(`${latest}.new`, describeOutcome(state, history), { mode: 0o600 });
  renameSync(`${latest}.new`, latest);
}

/** What `writeLatest` saved last. */
export function readLatest(folder: string): Outcome | undefined {
  return readDocument(sessionFiles(folder).latest, OutcomeSchema);
}

function describeOutcome(state: ExposureState, history: HistoryMessage | undefined): string {
  return JSON.stringify({ ...describeState(state), ...(history && { history }) });
}
