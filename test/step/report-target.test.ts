// What main decides to report, and where, by the job's event, its inputs and what GitHub answers.

import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakePullRequest, type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { connectGitHub } from '../../src/github/api.ts';
import type { Job } from '../../src/github/job.ts';
import { INPUT_DEFAULTS, parseInputs } from '../../src/inputs/inputs.ts';
import { StepLog } from '../../src/step/log.ts';
import { type Admission, findReportTarget } from '../../src/step/report-target.ts';
import { HEAD, recordLog, sampleJob } from '../github/samples.ts';

const PULL: FakePullRequest = {
  number: 7,
  state: 'open',
  head: { sha: HEAD, ref: 'change', repo: { full_name: 'octo/app' } },
};
const MAIN = 'c'.repeat(40);
const SERVER = { server: '127.0.0.1', mode: 'port', port: '3000' };

let server: GitHubServer;
beforeEach(async () => {
  server = await startGitHubServer({ pulls: [PULL] });
});
afterEach(() => server.stop());

async function find(
  inputs: Record<string, string>,
  changes: Partial<Job> = {},
  { token = 'ghs_test', admission }: { token?: string; admission?: Admission } = {},
) {
  const given = { ...SERVER, ...inputs };
  const read = (name: string) => given[name as keyof typeof given] ?? INPUT_DEFAULTS[name] ?? '';
  const target = await findReportTarget({
    job: sampleJob(changes),
    github: connectGitHub({ token, apiUrl: server.url, logger: recordLog() }),
    guard: { path: resolve('.'), token, allowUntrustedHead: false },
    ...(admission && { admission }),
    inputs: parseInputs(read, {}, resolve('.')),
    log: new StepLog('quiet'),
  });
  return target.report;
}

const deployment = { deployment: 'true' };
const schedule = { eventName: 'schedule', event: {}, sha: MAIN, ref: 'refs/heads/main' };

/** The pull request with the comment, the environment, and the commit of the deployment. */
async function summarise(...wanted: Parameters<typeof find>): Promise<(number | string | undefined)[]> {
  const report = await find(...wanted);
  return [report.comment?.pullRequest, report.deployment?.environment, report.deployment?.sha];
}

describe('the reports of a job', () => {
  it('are a comment alone, unless `deployment` is set', async () => {
    expect(await summarise({})).toEqual([7, undefined, undefined]);
    expect(await summarise(deployment)).toEqual([7, 'preview/pr-7', HEAD]);
    expect(await summarise({ ...deployment, comment: 'false' })).toEqual([undefined, 'preview/pr-7', HEAD]);
  });

  it('have a name for each deployment that no other has', async () => {
    const ids = [await find(deployment), await find(deployment)].map(report => report.deployment?.id);
    expect(new Set(ids).size).toBe(2);
    expect(ids[0]).toMatch(/^[0-9a-f]{16}$/);
  });

  it.each([
    [{ name: 'web' }, null, 'preview/pr-7/web'],
    [{}, { os: 'ubuntu', node: 24 }, 'preview/pr-7/preview-ubuntu-24'],
    [{}, {}, 'preview/pr-7'],
    [{ name: ' ' }, null, 'preview/pr-7'],
  ])('have an environment for each of several previews: %j %j', async (inputs, matrix, expected) => {
    expect(await summarise({ ...deployment, ...inputs }, { matrix })).toEqual([7, expected, HEAD]);
  });

  it('have the environment of the branch without a pull request, and no comment', async () => {
    expect(await summarise(deployment, schedule)).toEqual([undefined, 'preview/main', MAIN]);
  });

  it('are none without a token', async () => {
    expect(await summarise(deployment, {}, { token: '' })).toEqual([undefined, undefined, undefined]);
  });

  it('go to the pull request of `pr-number`, and to none if it does not exist', async () => {
    expect(await summarise({ ...deployment, 'pr-number': '7' }, schedule)).toEqual([7, 'preview/pr-7', HEAD]);
    expect(await summarise({ ...deployment, 'pr-number': '99' }, schedule)).toEqual([
      undefined,
      'preview/main',
      MAIN,
    ]);
  });

  it('are expected to be refused in a job with a read-only token', async () => {
    const report = await find(deployment, {}, { admission: { isReadOnly: true } });
    expect(report.expectsRefusal).toBe(true);
    expect((await find(deployment)).expectsRefusal).toBeFalsy();
  });
});
