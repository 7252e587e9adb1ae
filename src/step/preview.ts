// What the main step does: checks the fork rules, reads the inputs, starts the supervisor, waits until the preview is
// live, writes the outputs, and in a hold waits for the end. Used by main.

import { existsSync } from 'node:fs';
import * as core from '@actions/core';
import type { OnChild } from '../app/program.ts';
import { followStates, readInspectorUrl } from '../control/client.ts';
import { identifyAddress } from '../github/identity.ts';
import type { Job } from '../github/job.ts';
import { planWatch } from '../github/pull-request-watch.ts';
import type { Inputs } from '../inputs/inputs.ts';
import type { Cancellation } from '../shared/cancellation.ts';
import { formatDuration, MAX_DURATION_MS } from '../shared/duration.ts';
import { describeError, InputError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { findAncestor, recordProcess, waitForEnd } from '../shared/processes.ts';
import { renderClientRow } from '../shared/public-url.ts';
import { sanitise } from '../shared/sanitise.ts';
import type { StateMessage } from '../shared/state-json.ts';
import { startBackground } from '../supervisor/background.ts';
import { describeLeftOut, locateWasmrun, planSupervisor, resolveBundle } from '../supervisor/plan.ts';
import { writeJournal } from '../supervisor/process-journal.ts';
import {
  createSessionFolder,
  readOutcome,
  type Session,
  sessionFiles,
  writeCommand,
} from '../supervisor/session-folder.ts';
import { readActionInputs } from './action-inputs.ts';
import { openInstallationStore } from './installation-cache.ts';
import { type ForkRuleInputs, readForkRuleInputs, readJob } from './job-environment.ts';
import { createStepLogger, relayLog } from './log.ts';
import { type Machine, readMachine } from './machine.ts';
import { print } from './print.ts';
import { applyForkRules, connectForStep, findReportTarget, type ReportTarget } from './report-target.ts';
import { type StepState, saveShownLog, saveStepState } from './state.ts';
import { writeSummary } from './summary.ts';

/** How often a hold repeats the link in the log: annotations are shown only after the step. */
const REMIND_MS = 60_000;
/**
 * How long main waits for the end after the preview's time is over, and the app's time to stop: the supervisor should
 * have ended it.
 */
const END_GRACE_MS = 10_000;
/** The sockets of a process that is killed close a moment before it counts as ended. */
const DEATH_TIMEOUT_MS = 1_000;

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
  try {
    const target = await findReportTarget({ job, github, guard, admission, inputs });
    await expose(job, inputs, await startSupervisor({ job, guard, inputs, target, runner, cancellation }));
  } catch (error) {
    if (inputs.failOnError || error instanceof InputError || cancellation.signal.aborted) throw error;
    print.warning(`no preview: ${describeError(error)}`);
    core.setOutput('status', 'Failed');
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

interface Started {
  session: Session;
  folder: string;
  state: StepState;
  /** The key in the link, if it was generated for this run; otherwise ''. */
  key: string;
}

async function startSupervisor(options: {
  job: Job;
  guard: ForkRuleInputs;
  inputs: Inputs;
  target: ReportTarget;
  runner: Machine;
  cancellation: Cancellation;
}): Promise<Started> {
  const { job, guard, inputs, target, runner, cancellation } = options;
  const logger = createStepLogger(inputs.logLevel);
  logger.info(`mode ${inputs.app.mode}: ${inputs.app.modeReason}`);
  const leftOut = describeLeftOut(inputs.app, runner);
  if (leftOut !== undefined) logger.info(leftOut);
  const { access, report } = target;
  const folder = createSessionFolder(runner.tempFolder);
  let state: StepState = {
    folder,
    hold: inputs.hold,
    mode: inputs.app.mode,
    logLevel: inputs.logLevel,
    stopTimeoutMs: inputs.app.stopTimeoutMs,
    report,
    // Paths were named, by `capture`, `public-paths` or `verify`: somebody wants these requests.
    keepsRequests: inputs.webhooks.capture.kind === 'paths',
  };
  const save = (more: Partial<StepState>) => {
    state = { ...state, ...more };
    saveStepState(state);
  };
  // Save before anything is started: if main is killed, post must know what to end.
  save({});
  const onChild: OnChild = child => recordChild(folder, child, logger);
  const store = inputs.cache
    ? openInstallationStore({
        mode: inputs.app.mode,
        folder: sessionFiles(folder).wasmrun,
        machine: runner,
        script: resolveBundle('cache'),
        logger,
        onChild,
        // Code from outside may have run before this step: it must not be able to leave anything for other jobs.
        noteInstalled: installation => guard.allowUntrustedHead || save({ installation }),
      })
    : undefined;
  const wasmrun = await cancellation.guard(signal =>
    locateWasmrun(inputs.app, runner, logger, {
      signal,
      onChild,
      onFolder: installFolder => save({ installFolder }),
      gitHub: { token: guard.token, apiUrl: job.apiUrl },
      store,
    }),
  );
  const config = planSupervisor({
    inputs,
    host: runner,
    wasmrun,
    folder,
    name: report.identity.name,
    identity: identifyAddress(job, report.identity, inputs.prNumber),
    access,
    ends: {
      continueFile: inputs.hold ? runner.continueFile : undefined,
      idleTimeoutMs: inputs.idleTimeoutMs,
      pullRequest: inputs.hold && target.pullRequest ? planWatch(job, target.pullRequest) : undefined,
      runner: findAncestor('Runner.Worker'),
    },
    github: guard.token ? { job, token: guard.token } : undefined,
    report: guard.token ? report : undefined,
  });
  core.setSecret(config.controlToken);
  const { inspector } = config.exposure;
  if (inspector?.isPublished === false) core.setSecret(inspector.key);
  try {
    const session = await startBackground({
      script: resolveBundle('supervisor'),
      config,
      environment: runner.childEnvironments.program,
      onSpawn: supervisor => save({ supervisor }),
    });
    const key = access.kind === 'link' && access.isGenerated ? access.key : '';
    return { session, folder, state, key };
  } catch (error) {
    recordShownLog(relayLog(sessionFiles(folder).log).stop());
    throw error;
  }
}

/** A failure is only a warning: without a record, the process stays behind only if main is killed while it runs. */
function recordChild(folder: string, { pid, role }: { pid: number; role: string }, logger: Logger): void {
  try {
    writeJournal(sessionFiles(folder).journal, recordProcess(pid, role));
  } catch (error) {
    logger.warn(`${role} could not be recorded: ${describeError(error)}`);
  }
}

/** Follows the exposure until it is live, writes the outputs, and in a hold follows it to its end. */
async function expose(job: Job, inputs: Inputs, started: Started): Promise<void> {
  const { session, folder } = started;
  const relay = relayLog(sessionFiles(folder).log);
  const over = new AbortController();
  const states = followStates(session, over.signal);
  let last: StateMessage | undefined;
  try {
    last = await awaitState(states, ({ exposure }) => exposure.phase !== 'starting');
    if (last?.exposure.phase === 'live') {
      const inspectorUrl = inputs.inspector
        ? await readInspectorUrl(session).catch(() => undefined)
        : undefined;
      publish(last, started, { hold: inputs.hold, inspectorUrl });
      const endGraceMs = END_GRACE_MS + inputs.app.stopTimeoutMs;
      if (inputs.hold) last = await hold(states, last, { over, endGraceMs });
    }
  } finally {
    recordShownLog(relay.stop());
    over.abort();
  }
  const state = last ?? readOutcome(folder);
  if (state) await writeSummary(job, started.state, state);
  if (inputs.hold) for (const warning of state?.warnings ?? []) print.warning(warning);
  await conclude(state, session);
}

async function awaitState(
  states: AsyncGenerator<StateMessage>,
  isWanted: (state: StateMessage) => boolean,
): Promise<StateMessage | undefined> {
  for (let next = await states.next(); !next.done; next = await states.next())
    if (isWanted(next.value)) return next.value;
  return undefined;
}

/** Writes the outputs and prints the link. Outputs are files, so the runner's command parser may be off. */
function publish(
  state: StateMessage,
  started: Started,
  { hold, inspectorUrl }: { hold: boolean; inspectorUrl: string | undefined },
): void {
  try {
    writeOutputs(state, started, inspectorUrl);
  } catch (error) {
    // Without outputs, later steps would have no address. In a hold, no later step runs before the end: a warning is
    // enough.
    if (!hold) throw new Error('the outputs could not be written', { cause: error });
    print.info(`warning: the outputs could not be written: ${describeError(error)}`);
  }
  const url = state.preview_url ?? '';
  const inspector = state.inspector_url === null ? '' : `  Inspector: ${state.inspector_url}\n`;
  print.info(`\n  Preview: ${url}\n${renderClientRow(url)}${inspector}`);
}

function writeOutputs(
  state: StateMessage,
  { session, folder, key }: Started,
  inspectorUrl: string | undefined,
): void {
  const expiresAt = state.exposure.phase === 'live' ? state.exposure.expires_at : null;
  const outputs = {
    url: state.public_url,
    'preview-url': state.preview_url,
    'inspector-url': inspectorUrl,
    host: state.public_host,
    port: state.public_port,
    status: state.status,
    'expires-at': expiresAt,
    'app-port': state.app.port,
    mode: state.mode,
    key,
    'control-url': session.controlUrl,
    'control-token': session.controlToken,
    session: sessionFiles(folder).session,
    'requests-file': existsSync(sessionFiles(folder).requests) ? sessionFiles(folder).requests : '',
    'log-file': sessionFiles(folder).log,
  };
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value ?? '');
  core.addPath(writeCommand(folder, resolveBundle('cli')));
}

/** Saves how much of the log main has shown. If this fails, post only shows these lines again. */
function recordShownLog(bytes: number): void {
  try {
    saveShownLog(bytes);
  } catch (error) {
    print.debug(`the length of the log could not be saved: ${describeError(error)}`);
  }
}

/** Waits for the end and repeats the link; stops waiting when the end is overdue. */
async function hold(
  states: AsyncGenerator<StateMessage>,
  live: StateMessage,
  { over, endGraceMs }: { over: AbortController; endGraceMs: number },
): Promise<StateMessage | undefined> {
  const endsAt = live.exposure.phase === 'live' ? live.exposure.expires_at : null;
  let url = live.preview_url;
  const reminder = setInterval(() => print.info(`Preview: ${url}${describeRest(endsAt)}`), REMIND_MS);
  const leftMs = endsAt === null ? undefined : Math.min(Date.parse(endsAt) - Date.now(), MAX_DURATION_MS);
  const untilEnd = leftMs === undefined ? undefined : leftMs + endGraceMs;
  const deadline = untilEnd === undefined ? undefined : setTimeout(() => over.abort(), untilEnd);
  try {
    return await awaitState(states, ({ exposure, preview_url }) => {
      url = preview_url ?? url; // the supervisor itself logs a change of the address
      return exposure.phase === 'ended' || exposure.phase === 'failed';
    });
  } finally {
    clearInterval(reminder);
    clearTimeout(deadline);
  }
}

function describeRest(endsAt: string | null): string {
  return endsAt === null ? '' : ` (${formatDuration(Date.parse(endsAt) - Date.now())} left)`;
}

async function conclude(state: StateMessage | undefined, session: Session): Promise<void> {
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
  if (phase.phase === 'live') print.notice(`Preview: ${state.preview_url}`);
  else print.info(`the preview has ended: ${phase.reason}`);
}

function renderFailure(reason: string, lastLines: readonly string[]): string {
  if (lastLines.length === 0) return reason;
  return `${reason}\nthe last lines of the app:\n${lastLines.map(line => `  ${sanitise(line)}`).join('\n')}`;
}
