// The machine and the job's folders, as the runner describes them. Used by preview and teardown.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type HostContext, readHost } from '../supervisor/host.ts';
import { readTempFolder, readVariables, readWorkspace } from './job-environment.ts';
import type { JobClock } from './job-limit.ts';

/** The machine, and where the job's files are. */
export interface Machine extends HostContext, JobClock {
  /** Relative paths in inputs start here. */
  workspace: string;
  /** A hold ends when this file is created. */
  continueFile: string;
  /** The run was started with debug logging. */
  isDebug: boolean;
  /** The whole environment, only for lines of the `env` input that copy a variable by its name. */
  variables: NodeJS.ProcessEnv;
}

/** Reads it from the job's environment. */
export function readMachine(): Machine {
  const [variables, workspace] = [readVariables(), readWorkspace()];
  return {
    ...readHost(variables, readTempFolder()),
    workspace,
    continueFile: join(workspace, 'continue'),
    isHosted: variables.RUNNER_ENVIRONMENT === 'github-hosted',
    jobStartedAt: readJobStart(variables.GITHUB_EVENT_PATH),
    isDebug: variables.RUNNER_DEBUG === '1',
    variables,
  };
}

/** The runner writes the event's payload when the job starts, and never again. */
function readJobStart(eventFile: string | undefined): Date | undefined {
  return eventFile ? statSync(eventFile, { throwIfNoEntry: false })?.mtime : undefined;
}
