// What the main step does: checks the fork rules, reads the inputs, starts the supervisor, waits until the preview is
// live, writes the outputs, and in a hold waits for the end. Used by main.

import { setTimeout as delay } from 'node:timers/promises';
import * as core from '@actions/core';
import { followStates, readInspectorUrl } from '../control/client.ts';
import type { Job } from '../github/job.ts';
import type { Inputs } from '../inputs/inputs.ts';
import type { Cancellation } from '../shared/cancellation.ts';
import { describeError, InputError } from '../shared/errors.ts';
import { waitForEnd } from '../shared/processes.ts';
import { sanitise } from '../shared/sanitise.ts';
import type { StateMessage } from '../shared/state-json.ts';
import { type Outcome, readOutcome } from '../supervisor/outcome.ts';
import { type Session, sessionFiles } from '../supervisor/session-folder.ts';
import { readActionInputs } from './action-inputs.ts';
import { awaitState, hold, isOver } from './hold.ts';
import { readForkRuleInputs, readJob } from './job-environment.ts';
import { StepLog } from './log.ts';
import { readMachine } from './machine.ts';
import { print } from './print.ts';
import { publish } from './publish.ts';
import { applyForkRules, connectForStep, findReportTarget } from './report-target.ts';
import { recordShown, type Started, startSupervisor } from './start.ts';
import { writeFinalSummary, writeLiveSummary } from './summary.ts';

/**
 * How long main waits for the end after the preview's time is over, and the app's time to stop: the supervisor should
 * have ended it.
 */
const END_GRACE_MS = 10_000;
/** The sockets of a process that is killed close a moment before it counts as ended. */
const DEATH_TIMEOUT_MS = 1_000;
const OUTCOME_TIMEOUT_MS = 2_000;
const OUTCOME_POLL_MS = 50;

/** The preview could not start, or failed in a hold. The message says why, so that no stack trace is needed. */
class PreviewError extends Error {
  override name = 'PreviewError';
}

/** Runs the step. Throws the error that makes the step red. */
export async function runPreview(cancellation: Cancellation): Promise<void> {
  const job = readJob();
  const guard = readForkRuleInputs();
  const runner = readMachine();
  const github = connectForStep(job, guard, runner);
  const admission = await applyForkRules({ job, github, guard });
  if (admission === undefined) return;
  const inputs = readActionInputs(runner);
  const log = new StepLog(inputs.logLevel);
  cancellation.signal.addEventListener('abort', () =>
    log.tell('cancelled; the post step takes the preview down'),
  );
  try {
    const target = await findReportTarget({ job, github, guard, admission, inputs, log });
    const started = await startSupervisor({ job, guard, inputs, target, runner, cancellation, log });
    await expose(job, inputs, started, log);
  } catch (error) {
    if (inputs.failOnError || error instanceof InputError || cancellation.signal.aborted) throw error;
    log.warn(`no preview: ${describeError(error)}`);
    core.setOutput('status', 'Failed');
  } finally {
    log.stop();
  }
}

/**
 * The one place that decides how an error is shown. The stack trace of an unexpected error is in the debug log only.
 */
export function reportFailure(error: unknown): void {
  const known = error instanceof InputError || error instanceof PreviewError;
  print.failure(describeError(error));
  if (!(error instanceof InputError)) core.setOutput('status', 'Failed');
  if (error instanceof Error && error.stack && !known) print.debug(error.stack);
}

/** Follows the exposure until it is live, writes the outputs, and in a hold follows it to its end. */
async function expose(job: Job, inputs: Inputs, started: Started, log: StepLog): Promise<void> {
  const { session, folder } = started;
  log.follow(sessionFiles(folder).log);
  const over = new AbortController();
  const states = followStates(session, over.signal);
  let last: StateMessage | undefined;
  let shownBytes = 0;
  try {
    last = await awaitState(states, ({ exposure }) => exposure.phase !== 'starting');
    if (last?.exposure.phase === 'live') {
      const inspectorUrl = inputs.inspector
        ? await readInspectorUrl(session).catch(() => undefined)
        : undefined;
      publish(last, started, { hold: inputs.hold, inspectorUrl, log });
      const endGraceMs = END_GRACE_MS + inputs.app.stopTimeoutMs;
      if (inputs.hold) last = await hold(states, last, { session, log, over, endGraceMs });
    }
  } finally {
    shownBytes = log.stop();
    recordShown({ log: shownBytes, warnings: 0, end: false });
    over.abort();
  }
  const state = last ?? readOutcome(folder);
  if (state === undefined) return conclude(state, session, log);
  if (!isOver(state)) await writeLiveSummary(job, started.state, state);
  else await writeFinalSummary(job, started.state, (await awaitOutcome(folder)) ?? state);
  for (const warning of state.warnings) log.warn(warning);
  recordShown({ log: shownBytes, warnings: state.warnings.length, end: isOver(state) });
  return conclude(state, session, log);
}

/** The outcome with its history, which is saved a moment after the end is announced; undefined if it cannot be. */
async function awaitOutcome(folder: string): Promise<Outcome | undefined> {
  for (let waitedMs = 0; waitedMs < OUTCOME_TIMEOUT_MS; waitedMs += OUTCOME_POLL_MS) {
    const outcome = readOutcome(folder);
    if (outcome !== undefined) return outcome;
    await delay(OUTCOME_POLL_MS);
  }
  return undefined;
}

async function conclude(state: StateMessage | undefined, session: Session, log: StepLog): Promise<void> {
  const phase = state?.exposure;
  if (state === undefined || phase === undefined || phase.phase === 'starting')
    throw new PreviewError(
      (await waitForEnd(session, DEATH_TIMEOUT_MS))
        ? 'the supervisor died; the log above may show why'
        : 'the preview did not end in time',
    );
  if (phase.phase === 'failed') {
    throw new PreviewError(renderFailure(phase.reason, phase.last_lines));
  }
  if (phase.phase === 'ended') log.logger.info(`the preview has ended: ${phase.reason}`);
}

function renderFailure(reason: string, lastLines: readonly string[]): string {
  if (lastLines.length === 0) return reason;
  return `${reason}\nthe last lines of the app:\n${lastLines.map(line => `  ${sanitise(line)}`).join('\n')}`;
}
