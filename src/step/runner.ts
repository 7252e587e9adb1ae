// The only reader of the action's inputs and of the job's environment. Everything is read once, and secrets are masked
// in that moment.

import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as core from '@actions/core';
import type { Job } from '../github/job.ts';
import { type Inputs, parseInputs } from '../inputs/inputs.ts';
import type { InputSource } from '../inputs/problems.ts';
import { splitSecrets } from '../inputs/tunnel.ts';
import { describeError } from '../shared/errors.ts';
import { listKeyTexts } from '../shared/secrets.ts';
import type { Surroundings } from '../supervisor/plan.ts';

/** What the fork rules need; read before anything else is judged, for a fork's job sees no `vars` and no secrets. */
export interface GuardInputs {
  path: string;
  token: string;
  allowUntrustedHead: boolean;
}

/** Reads the inputs of the step that is running, and masks the secrets among them. */
export function readActionInputs(): Inputs {
  // Each on its own: where only one of them is printed, the runner would not know it.
  for (const secret of [...splitSecrets(readUntrimmed('secret')), ...readCredentials(), ...readKeyTexts()])
    if (secret !== '') core.setSecret(secret);
  const source: InputSource = name => (LISTS.has(name) ? readUntrimmed(name) : core.getInput(name));
  const inputs = parseInputs(source, process.env, process.env.GITHUB_WORKSPACE || process.cwd());
  return process.env.RUNNER_DEBUG === '1' ? { ...inputs, logLevel: 'debug' } : inputs;
}

/** The visitors' key and password, in each of the forms in which they could be printed. */
function readCredentials(): string[] {
  const basicAuth = core.getInput('basic-auth');
  const password = basicAuth.slice(basicAuth.indexOf(':') + 1);
  return [core.getInput('access-key'), basicAuth, password, Buffer.from(basicAuth).toString('base64')];
}

/** A key that was put in the wrong place is a key all the same. */
function readKeyTexts(): string[] {
  const cert = core.getInput('tls-cert');
  const misplaced = cert.includes('PRIVATE KEY') ? cert : '';
  return listKeyTexts(`${core.getInput('tls-key')}\n${misplaced}`);
}

/** Where an empty line at the ends is an entry whose variable is not set. */
const LISTS: ReadonlySet<string> = new Set(['server', 'secret']);

function readUntrimmed(name: string): string {
  return core.getInput(name, { trimWhitespace: false });
}

/** The few inputs the fork rules need. Masks the token. */
export function readGuardInputs(): GuardInputs {
  const token = core.getInput('github-token');
  if (token) core.setSecret(token);
  return {
    path: resolve(process.env.GITHUB_WORKSPACE || process.cwd(), core.getInput('path') || '.'),
    token,
    allowUntrustedHead: core.getInput('allow-untrusted-head').toLowerCase() === 'true',
  };
}

/** Which session the `stop` action is to end; undefined: the only one. */
export function readStopInputs(): { session: string | undefined } {
  return { session: core.getInput('session') || undefined };
}

/** What the runner says about the job, for the fork rules and the comment. */
export function readJob(): Job {
  return describeJob(process.env, core.getInput('matrix'));
}

/** The machine as the runner describes it. */
export function readSurroundings(): Surroundings & { continueFile: string } {
  return {
    environment: process.env,
    tempFolder: process.env.RUNNER_TEMP || tmpdir(),
    continueFile: join(process.env.GITHUB_WORKSPACE || process.cwd(), 'continue'),
  };
}

/** `matrix` is the leg's values as JSON. Throws where the event's payload cannot be read. */
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
