// The job as the runner's variables describe it. Used by inputs, which alone reads the environment.

import { readFileSync } from 'node:fs';
import { describeError } from '../errors.ts';
import type { Job } from '../report/job.ts';

/** `matrix` is the leg's values as JSON. Throws where the event's payload cannot be read. */
export function describeJob(environment: NodeJS.ProcessEnv, matrix: string): Job {
  const [owner = '', name = ''] = (environment.GITHUB_REPOSITORY ?? '').split('/');
  return {
    eventName: environment.GITHUB_EVENT_NAME ?? '',
    event: readEvent(environment.GITHUB_EVENT_PATH),
    repository: { owner, name },
    sha: environment.GITHUB_SHA ?? '',
    ref: environment.GITHUB_REF ?? '',
    runId: environment.GITHUB_RUN_ID ?? '',
    runAttempt: Number(environment.GITHUB_RUN_ATTEMPT ?? 1) || 1,
    serverUrl: environment.GITHUB_SERVER_URL || 'https://github.com',
    apiUrl: environment.GITHUB_API_URL || 'https://api.github.com',
    workflowRef: environment.GITHUB_WORKFLOW_REF || environment.GITHUB_WORKFLOW || '',
    jobId: environment.GITHUB_JOB ?? '',
    stepId: environment.GITHUB_ACTION ?? '',
    matrix: parseMatrix(matrix),
    actor: environment.GITHUB_ACTOR ?? '',
    workspace: environment.GITHUB_WORKSPACE || process.cwd(),
  };
}

function readEvent(file: string | undefined): unknown {
  if (!file) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`the event's payload ${file} cannot be read: ${describeError(error)}`, { cause: error });
  }
}

function parseMatrix(text: string): unknown {
  try {
    return JSON.parse(text || 'null');
  } catch {
    return text;
  }
}
