// Starts the supervisor: prepares its session folder, finds or installs wasmrun, and saves for post what to end. Used by
// preview.

import * as core from '@actions/core';
import type { OnChild } from '../app/program.ts';
import { readCheckedOutCommit } from '../github/checkout.ts';
import { identifyAddress } from '../github/identity.ts';
import type { Job } from '../github/job.ts';
import { planWatch } from '../github/pull-request-watch.ts';
import type { Inputs } from '../inputs/inputs.ts';
import type { Cancellation } from '../shared/cancellation.ts';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { findAncestor, recordProcess } from '../shared/processes.ts';
import { addBrackets } from '../shared/public-url.ts';
import { startBackground } from '../supervisor/background.ts';
import type { SupervisorConfig } from '../supervisor/config.ts';
import {
  describeLeftOut,
  locateWasmrun,
  needsWasmrun,
  planSupervisor,
  resolveBundle,
} from '../supervisor/plan.ts';
import { writeJournal } from '../supervisor/process-journal.ts';
import { createSessionFolder, type Session, sessionFiles } from '../supervisor/session-folder.ts';
import { openInstallationStore } from './installation-cache.ts';
import type { ForkRuleInputs } from './job-environment.ts';
import { START_SECTION, type StepLog } from './log.ts';
import type { Machine } from './machine.ts';
import { print } from './print.ts';
import type { ReportTarget } from './report-target.ts';
import { type Shown, type StepState, saveShown, saveStepState } from './state.ts';

/** A supervisor that runs, and what main knows of it. */
export interface Started {
  session: Session;
  folder: string;
  state: StepState;
  /** The key in the link, if it was generated for this run; otherwise ''. */
  key: string;
  /** When the supervisor was started: a time of performance.now(). */
  startedAt: number;
}

interface StartOptions {
  job: Job;
  guard: ForkRuleInputs;
  inputs: Inputs;
  target: ReportTarget;
  runner: Machine;
  cancellation: Cancellation;
  log: StepLog;
}

/** Resolves when the supervisor's API listens; its exposure still starts. Rejects with the error that makes the step red. */
export async function startSupervisor(options: StartOptions): Promise<Started> {
  const { inputs, target, runner, log } = options;
  log.logger.info(`mode ${inputs.app.mode}: ${inputs.app.modeReason}`);
  const leftOut = describeLeftOut(inputs.app, runner);
  if (leftOut !== undefined) log.logger.info(leftOut);
  const folder = createSessionFolder(runner.tempFolder);
  let state = describeStep(options, folder);
  const save: Save = more => {
    state = { ...state, ...more };
    saveStepState(state);
  };
  // Save before anything is started: if main is killed, post must know what to end.
  save({});
  const wasmrun = await findWasmrun(options, folder, save);
  const config = planExposure(options, folder, wasmrun);
  core.setSecret(config.controlToken);
  const { inspector } = config.exposure;
  if (inspector?.isPublished === false) core.setSecret(inspector.key);
  const startedAt = performance.now();
  try {
    const session = await startBackground({
      script: resolveBundle('supervisor'),
      config,
      environment: runner.childEnvironments.program,
      onSpawn: supervisor => save({ supervisor }),
    });
    const { access } = target;
    const key = access.kind === 'link' && access.isGenerated ? access.key : '';
    return { session, folder, state, key, startedAt };
  } catch (error) {
    log.follow(sessionFiles(folder).log);
    recordShown({ log: log.stop(), warnings: 0, end: false });
    throw error;
  }
}

/** Adds to what post reads. */
type Save = (more: Partial<StepState>) => void;

function describeStep({ inputs, target }: StartOptions, folder: string): StepState {
  return {
    folder,
    hold: inputs.hold,
    mode: inputs.app.mode,
    logLevel: inputs.logLevel,
    stopTimeoutMs: inputs.app.stopTimeoutMs,
    report: target.report,
    exposedAs: {
      protocol: inputs.protocol,
      access: target.shownAccess,
      servers: inputs.tunnel.servers.map(({ address: { host, port } }) => `${addBrackets(host)}:${port}`),
    },
    // Paths were named, by `capture`, `public-paths` or `verify`: somebody wants these requests.
    keepsRequests: inputs.webhooks.capture.kind === 'paths',
  };
}

/** wasmrun's program file, found or installed in a section of the log of its own; '' if the app needs none. */
async function findWasmrun(options: StartOptions, folder: string, save: Save): Promise<string> {
  const { job, guard, inputs, runner, cancellation, log } = options;
  const { mode } = inputs.app;
  if (!needsWasmrun(mode)) return '';
  log.beginSection('Installation of wasmrun');
  const onChild: OnChild = child => recordChild(folder, child, log.logger);
  const store = inputs.cache
    ? openInstallationStore({
        mode,
        folder: sessionFiles(folder).wasmrun,
        machine: runner,
        script: resolveBundle('cache'),
        logger: log.logger,
        onChild,
        // Code from outside may have run before this step: it must not be able to leave anything for other jobs.
        noteInstalled: installation => guard.allowUntrustedHead || save({ installation }),
      })
    : undefined;
  const wasmrun = await cancellation.guard(signal =>
    locateWasmrun(inputs.app, runner, log.logger, {
      signal,
      onChild,
      onFolder: installFolder => save({ installFolder }),
      gitHub: { token: guard.token, apiUrl: job.apiUrl },
      store,
    }),
  );
  log.beginSection(START_SECTION);
  return wasmrun;
}

function planExposure(options: StartOptions, folder: string, wasmrun: string): SupervisorConfig {
  const { job, guard, inputs, target, runner } = options;
  const { access, report, pullRequest } = target;
  return planSupervisor({
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
      pullRequest:
        inputs.hold && pullRequest
          ? planWatch(job, pullRequest, readCheckedOutCommit(inputs.app.path))
          : undefined,
      runner: findAncestor('Runner.Worker'),
    },
    github: guard.token ? { job, token: guard.token } : undefined,
    report: guard.token ? report : undefined,
  });
}

/** A failure is only a warning: without a record, the process stays behind only if main is killed while it runs. */
function recordChild(folder: string, { pid, role }: { pid: number; role: string }, logger: Logger): void {
  try {
    writeJournal(sessionFiles(folder).journal, recordProcess(pid, role));
  } catch (error) {
    logger.warn(`${role} could not be recorded: ${describeError(error)}`);
  }
}

/** If this fails, post only shows these lines again. */
export function recordShown(shown: Shown): void {
  try {
    saveShown(shown);
  } catch (error) {
    print.debug(`what the log has shown could not be saved: ${describeError(error)}`);
  }
}
