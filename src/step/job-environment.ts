// The only reader of the job's environment. Also reads the inputs that are needed before all others: those of the fork
// rules, and those of the `stop` and `wait` actions. These need nothing else, so this file imports little; machine.ts
// has the rest. Secrets are masked when they are read.

import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import * as core from '@actions/core';
import type { Job } from '../github/job.ts';
import { describeError } from '../shared/errors.ts';

/** Read before the other inputs, which look wrong in a fork's job, because it has no `vars` and no secrets. */
export interface ForkRuleInputs {
  path: string;
  token: string;
  allowUntrustedHead: boolean;
}

/** The inputs of the fork rules. Masks the token. */
export function readForkRuleInputs(): ForkRuleInputs {
  const token = core.getInput('github-token');
  if (token) core.setSecret(token);
  return {
    path: resolve(readWorkspace(), core.getInput('path') || '.'),
    token,
    allowUntrustedHead: core.getInput('allow-untrusted-head').toLowerCase() === 'true',
  };
}

/** Which session the `stop` action must end; undefined means the only one. */
export function readStopInputs(): { session: string | undefined } {
  return { session: core.getInput('session') || undefined };
}

/** What the `wait` action waits for, and in which session; an empty input is undefined. */
export interface WaitInputs {
  session: string | undefined;
  path: string | undefined;
  method: string | undefined;
  count: string | undefined;
  timeout: string | undefined;
  since: string | undefined;
  match: string[];
}

export function readWaitInputs(): WaitInputs {
  const read = (name: string) => core.getInput(name) || undefined;
  return {
    session: read('session'),
    path: read('path'),
    method: read('method'),
    count: read('count'),
    timeout: read('timeout'),
    since: read('since'),
    match: core.getMultilineInput('match'),
  };
}

/** The job as the runner describes it, for the fork rules and the comment. Throws if the payload cannot be read. */
export function readJob(): Job {
  return describeJob(process.env, core.getInput('matrix'));
}

/** The whole environment, for machine.ts. */
export function readVariables(): NodeJS.ProcessEnv {
  return process.env;
}

/** Where the session folders of this job are. */
export function readTempFolder(): string {
  return process.env.RUNNER_TEMP || tmpdir();
}

/** Where the job's checkout is; relative paths in inputs start here. */
export function readWorkspace(): string {
  return process.env.GITHUB_WORKSPACE || process.cwd();
}

/** `matrix` is the leg's values as JSON. Throws if the event's payload cannot be read. */
function describeJob(environment: NodeJS.ProcessEnv, matrix: string): Job {
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
