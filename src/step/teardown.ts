// What the post step does: ends the supervisor and all that it started, makes sure that GitHub shows the end,
// writes the summary, and removes the session folder. Used by post.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { formatDuration } from '../shared/duration.ts';
import { removeFolder } from '../shared/folders.ts';
import type { Logger } from '../shared/log.ts';
import { isAlive } from '../shared/processes.ts';
import type { StateMessage } from '../shared/state-json.ts';
import { limitInPost } from '../shared/stop-times.ts';
import { type StopOptions, stopBackground } from '../supervisor/background.ts';
import { openGitHub } from '../supervisor/github.ts';
import { type Outcome, readLatest } from '../supervisor/outcome.ts';
import { resolveBundle } from '../supervisor/plan.ts';
import type { ReapedProcess } from '../supervisor/process-journal.ts';
import { openReporters } from '../supervisor/reporting.ts';
import { sessionFiles } from '../supervisor/session-folder.ts';
import { keepInstallation } from './installation-cache.ts';
import { readForkRuleInputs, readJob } from './job-environment.ts';
import { createStepLogger, StepLog } from './log.ts';
import { readMachine } from './machine.ts';
import { print } from './print.ts';
import { readShown, readStepState, type StepState } from './state.ts';
import { describeView, measureLife, writeFinalSummary } from './summary.ts';

/** If a preview was live for less than this, reviewers can hardly have seen it. */
const SHORT_LIFE_MS = 60_000;
const REPORT_TIMEOUT_MS = 8_000;
/** Kept of post's time when the processes are ended: for a last SIGKILL, a short comment, and what follows it. */
const AFTER_PROCESSES_MS = 3_000;
/** For the summary, and for removing the folder. */
const AFTER_REPORT_MS = 500;
/** For keeping what was installed: an entry of the cache has some MB. */
const SAVE_LIMIT_MS = 20_000;
/** With less, an attempt is of no use. */
const MIN_SAVE_MS = 2_000;
/** For removing the copy that is saved. */
const AFTER_SAVE_MS = 500;

/** Ends what main started. Does nothing if main started nothing. */
export async function tearDown(): Promise<void> {
  const step = readStepState();
  if (step === undefined) return;
  if (!existsSync(step.folder) && !(step.supervisor && isAlive(step.supervisor)))
    return print.info('the preview was already taken down');
  if (step.supervisor === undefined) return undoStart(step);
  const { reaped, outcome } = await stopBackground(step.folder, step.supervisor, limitStops(step));
  tellReaped(reaped, step);
  const state = outcome ?? describeDeath(step);
  const log = new StepLog(step.logLevel ?? 'info');
  const shown = readShown();
  log.showRest(sessionFiles(step.folder).log, shown.log);
  if (outcome === undefined) await reportDeath(step, state, log.logger);
  if (!shown.end) await writeFinalSummary(readJob(), step, state);
  // If the preview failed before it was live, main has printed the reason.
  if (outcome?.exposure.phase !== 'failed' || outcome.exposure.live_at !== null) explainEnd(step, state);
  if (!step.hold && state.address_changes > 0) warnOfAddressChanges(state.address_changes);
  for (const warning of state.warnings.slice(shown.warnings)) log.warn(warning);
  await removeSession(step);
}

/**
 * Keeps a wasmrun that main installed for later jobs. Now, not earlier: nobody waits for the preview any more, wasmrun
 * has downloaded its runtimes, and post also runs in a job that was cancelled. Never rejects.
 */
export async function keepInstalled(): Promise<void> {
  const { installation, mode, logLevel = 'info' } = readStepState() ?? {};
  if (installation === undefined || mode === undefined) return;
  const logger = createStepLogger(logLevel);
  const limitMs = limitInPost(SAVE_LIMIT_MS, AFTER_SAVE_MS);
  if (limitMs < MIN_SAVE_MS)
    return logger.info(`wasmrun ${installation.version}: not kept in the cache (no time is left in post)`);
  const [machine, script] = [readMachine(), resolveBundle('cache')];
  await keepInstallation({ installation, mode, machine, script, logger, limitMs });
}

/** The recorded requests may stay, for whatever uploads them after this step. The runner empties its temp folder. */
async function removeSession({ folder, logLevel, keepsRequests = false }: StepState): Promise<void> {
  const { requests } = sessionFiles(folder);
  const isKept = keepsRequests && (statSync(requests, { throwIfNoEntry: false })?.size ?? 0) > 0;
  const doomed = isKept
    ? readdirSync(folder)
        .map(name => join(folder, name))
        .filter(path => path !== requests)
    : [folder];
  await removeAll(doomed);
  if (isKept) createStepLogger(logLevel).info(`the recorded requests stay in ${requests}`);
}

/**
 * main was cancelled, or failed, before it started the supervisor: all that can be left is an installation of wasmrun.
 */
async function undoStart(step: StepState): Promise<void> {
  const { folder, installFolder } = step;
  const { reaped } = await stopBackground(folder, undefined, limitStops(step));
  tellReaped(reaped, step);
  await removeAll([...(installFolder === undefined ? [] : [installFolder]), folder]);
}

/** Warns of what is left. */
async function removeAll(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const left = await removeFolder(path);
    if (left !== undefined) print.warning(left);
  }
}

function limitStops({ stopTimeoutMs }: StepState): StopOptions {
  return { stopTimeoutMs, limit: wantedMs => limitInPost(wantedMs, AFTER_PROCESSES_MS) };
}

function tellReaped(reaped: readonly ReapedProcess[], { stopTimeoutMs, logLevel }: StepState): void {
  const logger = createStepLogger(logLevel);
  if (reaped.length === 0) return;
  const list = (some: readonly ReapedProcess[]) => some.map(({ role, pid }) => `${role} (${pid})`).join(', ');
  logger.info(`ended processes that were left behind: ${list(reaped)}`);
  const killed = reaped.filter(one => one.killed);
  if (killed.length > 0)
    logger.info(
      `killed, because it did not stop within ${formatDuration(stopTimeoutMs)}, the \`stop-timeout\`: ${list(killed)}`,
    );
}

/** Not called after a hold, because no later step runs during it. */
function warnOfAddressChanges(changes: number): void {
  print.warning(
    `the public address changed ${changes === 1 ? 'once' : `${changes} times`} while the preview was up: steps that used \`url\` after the change had the old address; they should call \`expose url\` instead`,
  );
}

/** The last state of an exposure whose supervisor was killed: what it had saved, if it got that far. */
function describeDeath(step: StepState): Outcome {
  const latest = readLatest(step.folder) ?? { ...UNKNOWN, mode: step.mode };
  const { exposure } = latest;
  return {
    ...latest,
    status: 'Failed',
    preview_url: null,
    inspector_url: null,
    connected_at: null,
    tunnel_reason: 'killed',
    app: { status: 'stopped', port: null, reason: null },
    exposure: {
      phase: 'failed',
      reason: 'the process that kept the preview alive was killed',
      last_lines: [],
      live_at: exposure.phase === 'starting' ? null : exposure.live_at,
      ended_at: new Date().toISOString(),
    },
  };
}

const UNKNOWN: Omit<StateMessage, 'mode'> = {
  status: 'Failed',
  public_url: null,
  preview_url: null,
  public_host: null,
  public_port: null,
  connected_at: null,
  inspector_url: null,
  tunnel_reason: null,
  verified: null,
  doubt: null,
  app: { status: 'stopped', port: null, reason: null },
  restarts: 0,
  reconnects: 0,
  address_changes: 0,
  visits: 0,
  warnings: [],
  exposure: { phase: 'starting' },
};

/** Reports the end of a preview whose supervisor died, so that nothing on GitHub leads a reader to a dead address. */
async function reportDeath(step: StepState, state: StateMessage, logger: Logger): Promise<void> {
  const job = readJob();
  const { token } = readForkRuleInputs();
  if (token === '') return;
  const reporters = openReporters({
    github: openGitHub({ job, token }, readMachine().proxy, logger),
    report: step.report,
    logger,
    warn: logger.warn,
    isOrphan: true,
    signal: AbortSignal.timeout(limitInPost(REPORT_TIMEOUT_MS, AFTER_REPORT_MS)),
  });
  const view = describeView(job, step, state);
  await Promise.all(reporters.map(reporter => reporter.update(view)));
}

/** Reports a failure or an early end of a background preview, because main had ended before. */
function explainEnd(step: StepState, state: StateMessage): void {
  const { exposure } = state;
  if (step.hold) return;
  if (exposure.phase === 'failed') print.warning(`the preview failed: ${exposure.reason}`);
  if (exposure.phase !== 'ended') return;
  createStepLogger(step.logLevel).info(`the preview has ended: ${exposure.reason}`);
  if (step.report.comment !== undefined && measureLife(state) < SHORT_LIFE_MS)
    print.notice(
      'the preview lived for less than a minute, because it ends with its job: `hold: 30m` keeps the step, and the link, alive for reviewers',
    );
}
