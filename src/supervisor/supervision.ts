// One exposure with its control API, its comment, and the events that end it from outside. Used by the supervisor
// process, and by `expose run` and `demo` in the foreground.

import { startControlApi } from '../control/api.ts';
import { openPublicInspector } from '../control/inspector/public.ts';
import { listPageSecrets } from '../exposure/config.ts';
import { Exposure } from '../exposure/exposure.ts';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { recordProcess } from '../shared/processes.ts';
import { createMask } from '../shared/secrets.ts';
import type { ExposureState } from '../shared/state.ts';
import type { SupervisorConfig } from './config.ts';
import { watchEnds } from './ends.ts';
import { openGitHub } from './github.ts';
import { writeLatest, writeOutcome } from './outcome.ts';
import { writeJournal } from './process-journal.ts';
import { startReporting } from './reporting.ts';
import { sessionFiles } from './session-folder.ts';

/** A bug that repeats must not fill the log. */
const MAX_BUGS_LOGGED = 10;
/** How often state and history are saved. */
const SAVE_MS = 30_000;

export interface Supervision {
  readonly exposure: Exposure;
  /** Base URL of the control API, which answers from now on. */
  readonly controlUrl: string;
  /** Resolves with the last state when everything is stopped, saved and reported. */
  readonly finished: Promise<ExposureState>;
  /** Ends the exposure because of an error that nothing caught; for the program's `uncaughtException`. Never throws. */
  readonly failOnBug: (error: Error) => void;
}

/** Resolves when the control API listens, while the exposure still starts. */
export async function startSupervision(config: SupervisorConfig, logger: Logger): Promise<Supervision> {
  const files = sessionFiles(config.folder);
  const exposure: Exposure = new Exposure({
    config: config.exposure,
    folder: config.folder,
    requestsFile: files.requests,
    logger,
    onChild: ({ pid, role }) => {
      const problem = attempt(() => writeJournal(files.journal, recordProcess(pid, role)));
      if (problem !== undefined)
        exposure.warn(
          `${role} could not be recorded, and would keep running if this process is killed: ${problem}`,
        );
    },
    inspect: key => openPublicInspector(exposure, key, createMask(listPageSecrets(config.exposure))),
    onEnding: last => reporting.announceEnd(last),
  });
  const ended = awaitEnd(exposure);
  const github = config.github && openGitHub(config.github, config.exposure.baseEnvironment, logger);
  const reporting = startReporting({ config, exposure, github, logger });
  const api = await startControlApi(exposure, config.controlToken);
  const unwatch = watchEnds({ ends: config.ends, exposure, github, logger });
  // The reason is part of the last state, which all readers get.
  exposure.start().catch(error => logger.debug(`the start failed: ${describeError(error)}`));
  const stopSaving = saveLatest(config.folder, exposure, logger);
  const finish = async () => {
    const state = await ended;
    unwatch();
    stopSaving();
    const problem = attempt(() => writeOutcome(config.folder, state, exposure.describeHistory()));
    if (problem !== undefined) exposure.warn(`the outcome of the preview could not be saved: ${problem}`);
    await reporting.finish().catch(error => logger.warn(`the last report failed: ${describeError(error)}`));
    await Promise.all([api.stop(), exposure.stop()]);
    return state;
  };
  return { exposure, controlUrl: api.url, finished: finish(), failOnBug: createBugHandler(exposure, logger) };
}

/** Saves the state and the history now and then, and at each change of phase, tunnel or app. Returns what stops that. */
function saveLatest(folder: string, exposure: Exposure, logger: Logger): () => void {
  const save = () => {
    const problem = attempt(() => writeLatest(folder, exposure.state, exposure.describeHistory()));
    if (problem !== undefined) logger.debug(`the latest state could not be saved: ${problem}`);
  };
  let last = '';
  const unsubscribe = exposure.subscribe(({ phase, tunnel, app }) => {
    const key = `${phase.kind} ${tunnel.status} ${app.status}`;
    if (key !== last) save();
    last = key;
  });
  const timer = setInterval(save, SAVE_MS).unref();
  return () => {
    unsubscribe();
    clearInterval(timer);
  };
}

/** Logging and failing may fail, too: neither throws, or the error would come back here. */
function createBugHandler(exposure: Exposure, logger: Logger): (error: Error) => void {
  let left = MAX_BUGS_LOGGED;
  return error => {
    if (left > 0) logger.error(`a bug in expose, please report it: ${error.stack ?? describeError(error)}`);
    left -= 1;
    exposure.fail(error).catch(() => {});
  };
}

/** Why `act` failed; undefined if it did not. */
function attempt(act: () => void): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

function awaitEnd(exposure: Exposure): Promise<ExposureState> {
  return new Promise(resolve => {
    exposure.subscribe(state => {
      if (state.phase.kind === 'ended' || state.phase.kind === 'failed') resolve(state);
    });
  });
}
