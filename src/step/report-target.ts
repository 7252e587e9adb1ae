// Decides whether there is a preview (the fork rules), which pull request gets its comment and deployment, and who can
// open it (`access`). Used by preview, before anything is started.

import { randomBytes } from 'node:crypto';
import * as core from '@actions/core';
import { connectGitHub, type GitHub, GitHubError } from '../github/api.ts';
import { nameEnvironment } from '../github/deployment/deployment-writer.ts';
import { checkForkRules } from '../github/fork-rules.ts';
import { identifyPreview, isOneOfSeveral, type PreviewIdentity } from '../github/identity.ts';
import type { Job } from '../github/job.ts';
import {
  findPullRequest,
  type PullRequest,
  readCommit,
  readSubject,
  readVisibility,
} from '../github/pull-request.ts';
import {
  type Access,
  describeEntry,
  describeOpenWarning,
  describeReportFailure,
  describeUnknownNumber,
} from '../github/wording.ts';
import type { Inputs } from '../inputs/inputs.ts';
import { InputError } from '../shared/errors.ts';
import { type ResolvedAccess, resolveAccess } from '../supervisor/access.ts';
import type { ReportConfig } from '../supervisor/config.ts';
import type { HostContext } from '../supervisor/host.ts';
import type { ForkRuleInputs } from './job-environment.ts';
import { createStepLogger, type StepLog } from './log.ts';
import { print } from './print.ts';

/** How long GitHub may take to answer; after that the step continues without it. */
const API_TIMEOUT_MS = 30_000;

export interface ReportTarget {
  access: ResolvedAccess['access'];
  shownAccess: Access;
  /** `commit`: the pull request's head, otherwise the run's own. */
  report: ReportConfig;
  /** The pull request that is previewed, also if it gets no comment; looked up only if something needs it. */
  pullRequest: PullRequest | undefined;
}

/** Connects to GitHub with the step's token, through the job's proxy. Sends no request yet. */
export function connectForStep(job: Job, { token }: ForkRuleInputs, { proxy }: HostContext): GitHub {
  return connectGitHub({
    token,
    apiUrl: job.apiUrl,
    logger: createStepLogger(),
    proxy,
  });
}

/** What the fork rules allow. `isReadOnly`: the token can probably write nothing, so that its refusals are no news. */
export interface Admission {
  isReadOnly: boolean;
}

/**
 * Applies the fork rules. Undefined: no preview, but the step is green. Throws an InputError if they refuse the code.
 */
export async function applyForkRules(options: {
  job: Job;
  github: GitHub;
  guard: ForkRuleInputs;
}): Promise<Admission | undefined> {
  const { job, github, guard } = options;
  const verdict = await checkForkRules({
    job,
    github,
    path: guard.path,
    allowUntrustedHead: guard.allowUntrustedHead,
    signal: AbortSignal.timeout(API_TIMEOUT_MS),
  });
  switch (verdict.kind) {
    case 'trusted':
      return { isReadOnly: false };
    case 'allowed untrusted':
      print.warning(`\`allow-untrusted-head\` is set: ${verdict.reason}`);
      return { isReadOnly: verdict.isReadOnly };
    case 'skip':
      print.notice(verdict.reason);
      core.setOutput('status', 'Skipped');
      return undefined;
    case 'refuse':
      throw new InputError(verdict.reason);
  }
}

/** Enough that no two steps of a repository draw the same. */
const STEP_ID_BYTES = 8;

/**
 * Finds the pull request that gets comment and deployment, and resolves who can open the preview. If GitHub does not answer, there
 * is only a warning. Throws an InputError if the workflow must set `access`.
 */
export async function findReportTarget(options: {
  job: Job;
  github: GitHub;
  guard: ForkRuleInputs;
  admission?: Admission;
  inputs: Inputs;
  log: StepLog;
}): Promise<ReportTarget> {
  const { job, github, guard, admission, inputs, log } = options;
  const signal = AbortSignal.timeout(API_TIMEOUT_MS);
  const identity = identifyPreview(job, inputs.name);
  const isNeeded = inputs.comment || inputs.deployment || inputs.hold;
  const pullRequest = isNeeded ? await findPullRequestToReport(options, signal) : undefined;
  const visibility = await readVisibility(job, github, signal);
  const { access, reason } = resolveAccess(inputs.gateway.access, inputs.protocol, visibility === 'public');
  const shown = nameAccess(access);
  const [entry, openWarning] = [describeEntry(shown), describeOpenWarning(shown, visibility)];
  const sharedWarning =
    visibility !== 'public' && inputs.tunnel.servers.some(({ address }) => address.host === 'bore.pub')
      ? 'bore.pub is a public server: its operator can read what visitors send; use a server of your own'
      : undefined;
  const warnings = [...inputs.warnings, ...(sharedWarning === undefined ? [] : [sharedWarning])];
  for (const warning of [...warnings, ...(openWarning === undefined ? [] : [openWarning])]) log.warn(warning);
  log.logger.info(`access ${access.kind}: ${reason}`);
  const preview = {
    commit: readCommit(job, pullRequest),
    warnings,
    showConsole: Object.keys(inputs.app.env).length === 0,
    entry,
    openWarning,
  };
  const report: ReportConfig = { identity, preview, expectsRefusal: admission?.isReadOnly };
  if (guard.token && inputs.comment && pullRequest)
    report.comment = { pullRequest: pullRequest.number, instance: drawId() };
  if (guard.token && inputs.deployment)
    report.deployment = planDeployment(job, pullRequest, identity, inputs);
  return { access, shownAccess: shown, report, pullRequest };
}

function planDeployment(
  job: Job,
  pullRequest: PullRequest | undefined,
  identity: PreviewIdentity,
  inputs: Inputs,
): ReportConfig['deployment'] {
  const name = isOneOfSeveral(job, inputs.name) ? identity.name : undefined;
  return {
    environment: nameEnvironment(pullRequest?.number ?? readSubject(job), name),
    sha: readCommit(job, pullRequest),
    id: drawId(),
  };
}

/** Hex digits that no other step has. */
function drawId(): string {
  return randomBytes(STEP_ID_BYTES).toString('hex');
}

/** The access as wording.ts names it. */
function nameAccess(access: ResolvedAccess['access']): Access {
  return access.kind === 'link' && !access.isGenerated ? 'given key' : access.kind;
}

async function findPullRequestToReport(
  { job, github, inputs, log }: { job: Job; github: GitHub; inputs: Inputs; log: StepLog },
  signal: AbortSignal,
) {
  try {
    return await findPullRequest({ job, github, signal, number: inputs.prNumber });
  } catch (error) {
    if (!(error instanceof GitHubError)) throw error;
    const { comment, deployment, prNumber } = inputs;
    const problem =
      prNumber !== undefined && error.status === 404
        ? describeUnknownNumber(prNumber, job, error)
        : describeReportFailure('pull request lookup', error);
    if (comment || deployment) log.warn(problem);
    else log.logger.info(problem);
    return undefined;
  }
}
