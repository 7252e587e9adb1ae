// The workflow of the demo, and the job of one of its runs. Used by the demo's story.

import { randomBytes } from 'node:crypto';
import { INPUT_DEFAULTS } from '../inputs/inputs.ts';
import type { DemoApp } from './apps.ts';
import { PULL, PULL_EVENT } from './pull-request.ts';
import type { JobPlan } from './runner/messages.ts';
import { WEBHOOK_PATH } from './webhook.ts';

/** The workflow's job: the preview has its name. */
const JOB = 'app';
/** Below the ports that the kernel gives to connections: one of them could have the preview's port after an outage. */
const PORT_RANGE = '20000-29999';

/** What all runs share. */
export interface DemoMachine {
  /** The folder that holds `dist` and `examples`. */
  root: string;
  tempFolder: string;
  machine: { PATH: string; HOME?: string };
  /** More variables of the job. */
  environment: Record<string, string>;
  /** Where wasmrun was installed before, or is to be. */
  toolCache: string;
  app: DemoApp;
  /** The page's own address, in the place of github.com. */
  serverUrl: string;
}

/** GitHub's id of the run that the page shows as `number`. */
export function idOfRun(number: number): string {
  return String(100 + number);
}

/** What the workflow gives. `address` and `secret`: the bore server's. */
export function listInputs(
  app: DemoApp,
  given: { address: string; secret: string; webhookSecret: string; token: string },
): Record<string, string> {
  return {
    ...app.inputs,
    server: given.address,
    secret: given.secret,
    'port-range': PORT_RANGE,
    verify: `github ${WEBHOOK_PATH} ${given.webhookSecret}`,
    hold: '30m',
    deployment: 'true',
    'github-token': given.token,
  };
}

/** `apiUrl`: of the server that plays GitHub. */
export function planRun(
  { root, tempFolder, machine, environment, app, toolCache, serverUrl }: DemoMachine,
  run: { number: number; inputs: Record<string, string>; apiUrl: string },
): JobPlan {
  return {
    root,
    tempFolder,
    machine,
    inputs: { ...INPUT_DEFAULTS, ...run.inputs },
    eventName: 'pull_request',
    event: PULL_EVENT,
    environment: {
      ...environment,
      GITHUB_JOB: JOB,
      GITHUB_RUN_ID: idOfRun(run.number),
      GITHUB_SERVER_URL: serverUrl,
      GITHUB_HEAD_REF: PULL.branch,
      GITHUB_REF: `refs/pull/${PULL.number}/merge`,
      GITHUB_ACTOR: PULL.author,
      RUNNER_TOOL_CACHE: toolCache,
      RUNNER_TRACKING_ID: `demo_${randomBytes(8).toString('hex')}`,
    },
    apiUrl: run.apiUrl,
    checkout: app.checkout,
  };
}
