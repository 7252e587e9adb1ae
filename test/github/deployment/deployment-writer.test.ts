import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type FakeDeployment,
  type GitHubServer,
  startGitHubServer,
} from '../../../src/demo/github/server.ts';
import { connectGitHub, type GitHub } from '../../../src/github/api.ts';
import {
  DeploymentWriter,
  describeStatus,
  nameEnvironment,
} from '../../../src/github/deployment/deployment-writer.ts';
import type { DeploymentTarget } from '../../../src/github/deployment/own-deployment.ts';
import type { PreviewState } from '../../../src/github/view.ts';
import { connectQuickly } from '../comment/quick-github.ts';
import { HEAD, recordLog, sampleJob, sampleView } from '../samples.ts';

const RUN_URL = 'https://github.com/octo/app/actions/runs/100/attempts/1';
const endsAt = new Date('2026-05-04T10:32:00Z');
const live: PreviewState = { kind: 'live', url: 'http://bore.pub:2345/?key=k', endsAt };
const away: PreviewState = {
  kind: 'reconnecting',
  outage: 'tunnel',
  since: new Date('2026-05-04T10:05:00Z'),
};
const ended: PreviewState = { kind: 'ended', reason: 'stopped', endedAt: new Date('2026-05-04T10:06:00Z') };
const failed: PreviewState = { kind: 'failed', reason: 'it broke', lastLines: [], endedAt: new Date() };

let server: GitHubServer;
let log: ReturnType<typeof recordLog>;

beforeEach(async () => {
  server = await startGitHubServer({ runs: { '100': 1 } });
  log = recordLog();
});
afterEach(() => server.stop());

/** With the words of its errors, and its pauses between writes. */
const connect = () => connectGitHub({ token: 'ghs_test', apiUrl: server.url, logger: log });

function startRun(
  changes: Partial<DeploymentTarget> = {},
  isOrphan = false,
  github: GitHub = connectQuickly(server.url),
): DeploymentWriter {
  const runId = changes.runId ?? '100';
  return new DeploymentWriter({
    github,
    job: sampleJob(),
    target: {
      environment: 'preview/pr-7',
      sha: HEAD,
      preview: 'abc123',
      id: `id of ${runId}`,
      runId,
      runAttempt: 1,
      ...changes,
    },
    logger: log,
    isOrphan,
  });
}

/** One deployment in the list, with the states it has had. */
function addDeployment(
  states: string[],
  payload: object,
  changes: Partial<FakeDeployment> = {},
): FakeDeployment {
  const id = server.state.deploymentList.length + 1;
  const createdAt = new Date().toISOString();
  const statuses = states.map((state, index) => ({
    id: id * 100 + index,
    state,
    description: '',
    environmentUrl: '',
    logUrl: '',
    login: 'github-actions[bot]',
    createdAt,
  }));
  const deployment = {
    id,
    sha: 'b'.repeat(40),
    ref: 'b'.repeat(40),
    task: 'deploy',
    environment: 'preview/pr-7',
    description: null,
    payload,
    transient: true,
    production: false,
    login: 'github-actions[bot]',
    createdAt,
    statuses,
    ...changes,
  };
  server.state.deploymentList.push(deployment);
  return deployment;
}

const own = (run: string, more: object = {}) => ({
  preview: 'abc123',
  run,
  attempt: 1,
  id: `id of ${run}`,
  ...more,
});
const states = () => server.state.deploymentList.map(({ statuses }) => statuses.map(({ state }) => state));
const stateOf = ({ statuses }: FakeDeployment) => statuses.at(-1)?.state;
const warnings = () => log.lines.filter(line => line.startsWith('warn'));

describe('a deployment', () => {
  it("is made of the pull request's head, without conditions, and transient", async () => {
    await startRun().update(sampleView({ kind: 'starting', endsAt }));
    expect(server.requests.find(({ method }) => method === 'POST')?.body).toEqual({
      ref: HEAD,
      environment: 'preview/pr-7',
      description: expect.any(String),
      payload: { preview: 'abc123', run: '100', attempt: 1, id: 'id of 100', ends: endsAt.toISOString() },
      transient_environment: true,
      production_environment: false,
      auto_merge: false,
      required_contexts: [],
    });
  });

  it('follows the preview from its start to its end', async () => {
    const run = startRun();
    const views: PreviewState[] = [{ kind: 'starting', endsAt }, live, away, live, ended];
    for (const state of views) await run.update(sampleView(state));
    expect(server.state.deploymentList[0]?.statuses).toMatchObject([
      { state: 'in_progress', environmentUrl: '', logUrl: RUN_URL },
      { state: 'success', environmentUrl: 'http://bore.pub:2345/?key=k', logUrl: RUN_URL },
      { state: 'in_progress', description: 'The tunnel has been down since 2026-05-04 10:05 UTC.' },
      { state: 'success' },
      { state: 'inactive', description: 'It was stopped at 2026-05-04 10:06 UTC.', logUrl: RUN_URL },
    ]);
    expect(states()).toHaveLength(1);
    expect(log.lines.filter(line => !line.startsWith('debug'))).toEqual([]);
  });

  it('leaves other deployments of its environment alone when it succeeds', async () => {
    const other = addDeployment(['success'], {}, { transient: false });
    await startRun().update(sampleView(live));
    expect(stateOf(other)).toBe('success');
    const status = server.requests.find(({ path }) => path.endsWith('/statuses'));
    expect(status?.body).toMatchObject({ auto_inactive: false });
  });

  it('gets no second status that says the same', async () => {
    const run = startRun();
    await run.update(sampleView(live));
    await run.update(sampleView(live, { warnings: ['a new warning'] }));
    expect(states()).toEqual([['success']]);
  });

  it('is not created for a preview that is over already', async () => {
    await startRun().update(sampleView(ended));
    expect(states()).toEqual([]);
  });

  it('says that a start failed', async () => {
    await startRun().update(sampleView(failed));
    expect(server.state.deploymentList[0]?.statuses).toMatchObject([
      { state: 'failure', description: 'It failed: it broke' },
    ]);
  });

  it('is found again if the answer to its creation was lost', async () => {
    server.state.faults.push({
      method: 'POST',
      path: /statuses$/,
      times: 1,
      status: 502,
      message: 'Bad gateway',
    });
    await startRun().update(sampleView(live));
    expect(states()).toEqual([['success']]);
    // A new process of the same run, which knows nothing of the first one.
    await startRun().update(sampleView(away));
    expect(states()).toEqual([['success', 'in_progress']]);
  });

  it('is found again where GitHub returns the payload as text', async () => {
    const deployment = addDeployment(['success'], {}, { payload: JSON.stringify(own('100')) });
    await startRun().update(sampleView(ended));
    expect(stateOf(deployment)).toBe('inactive');
  });

  it('is created again after somebody deleted it, unless the preview is over', async () => {
    const run = startRun();
    await run.update(sampleView(live));
    server.state.deploymentList.length = 0;
    await run.update(sampleView(away));
    expect(states()).toEqual([['in_progress']]);
    server.state.deploymentList.length = 0;
    await run.update(sampleView(ended));
    expect(states()).toEqual([]);
    expect(warnings()).toEqual([]);
  });
});

describe('the deployment of a killed supervisor', () => {
  it('is ended by its identity, run and name, and says why', async () => {
    const [mine, twin, newer] = [
      addDeployment(['in_progress', 'success'], own('100')),
      addDeployment(['success'], own('100', { id: 'another preview of this run' })),
      addDeployment(['success'], own('101')),
    ];
    await startRun({}, true).update(sampleView(failed));
    expect(mine.statuses.at(-1)).toMatchObject({ state: 'inactive', description: 'It failed: it broke' });
    expect([twin, newer].map(stateOf)).toEqual(['success', 'success']);
  });

  it('is not created if it never existed', async () => {
    await startRun({}, true).update(sampleView(failed));
    expect(states()).toEqual([]);
  });
});

describe('earlier deployments of the same preview', () => {
  it.each([
    ['its run has completed', { '90': { status: 'completed' as const } }],
    ['its run has been repeated', { '90': { attempt: 2 } }],
    ['its run has been deleted', {}],
  ])('are ended if %s', async (_, runs) => {
    server.state.runs = { '100': 1, ...runs };
    const old = addDeployment(['success'], own('90'));
    await startRun().update(sampleView(live));
    expect(stateOf(old)).toBe('inactive');
    expect(states().at(-1)).toEqual(['success']);
  });

  it('are ended if they are of an earlier attempt of the same run', async () => {
    const old = addDeployment(['success'], own('100'));
    await startRun({ runAttempt: 2, id: 'second' }).update(sampleView(live));
    expect(stateOf(old)).toBe('inactive');
  });

  it('stay if their run may be alive, or is newer, or belong to another preview', async () => {
    server.state.runs = { '100': 1, '90': 1 };
    const kept = [
      addDeployment(['success'], own('90')),
      addDeployment(['success'], own('101')),
      addDeployment(['success'], { ...own('80'), preview: 'another' }),
      addDeployment(['success'], { preview: 'abc123', run: 'not a number', attempt: 1, id: 'x' }),
      addDeployment(['success'], {}),
    ];
    await startRun().update(sampleView(live));
    expect(kept.map(stateOf)).toEqual(kept.map(() => 'success'));
  });

  it('get no further status if they are over', async () => {
    server.state.runs = { '100': 1 };
    const over = ['inactive', 'failure', 'error'].map(state =>
      addDeployment([state], own('90', { id: state })),
    );
    await startRun().update(sampleView(live));
    expect(over.map(({ statuses }) => statuses.length)).toEqual([1, 1, 1]);
  });

  it('stay without `actions: read` until their time is over', async () => {
    server.state.actions = 'none';
    const past = new Date(Date.now() - 1_000).toISOString();
    const future = new Date(Date.now() + 60_000).toISOString();
    const all = [
      addDeployment(['success'], own('90', { ends: future })),
      addDeployment(['success'], own('91')),
      addDeployment(['success'], own('92', { ends: past })),
      addDeployment(['success'], own('93'), { createdAt: '2026-01-01T00:00:00Z' }),
    ];
    await startRun().update(sampleView(live));
    expect(all.map(stateOf)).toEqual(['success', 'success', 'inactive', 'inactive']);
    expect(warnings()).toEqual([]);
  });

  it('are not ended by a run that is over itself', async () => {
    const old = addDeployment(['success'], own('90'));
    await startRun().update(sampleView(ended));
    expect(stateOf(old)).toBe('success');
  });
});

describe('without the permission', () => {
  it('there is one warning, which names it, and no further request', async () => {
    server.state.deployments = 'read';
    const run = startRun({}, false, connect());
    await run.update(sampleView());
    const before = server.requests.length;
    await run.update(sampleView(live));
    expect(server.requests).toHaveLength(before);
    expect(warnings()).toEqual([
      expect.stringMatching(
        /^warn: could not create a deployment: GitHub answered 403 .*not accessible.*"permissions:".*"deployments: write"$/,
      ),
    ]);
  });

  it.each([
    [409, 'Conflict merging main into change.'],
    [422, `No ref found for: ${HEAD}`],
  ])("GitHub's own words are in the warning: %i", async (status, message) => {
    server.state.faults.push({ method: 'POST', path: /deployments$/, status, message });
    await startRun({}, false, connect()).update(sampleView());
    expect(warnings()).toEqual([expect.stringContaining(message)]);
    expect(warnings()[0]).not.toContain('permissions:');
  });

  it('a merge instead of a deployment is a warning', async () => {
    const message = 'Auto-merged main into change on deployment.';
    server.state.faults.push({ method: 'POST', path: /deployments$/, status: 202, message });
    await startRun({}, false, connect()).update(sampleView());
    expect(warnings()).toEqual([expect.stringContaining(`GitHub created no deployment: ${message}`)]);
  });
});

describe('a status that GitHub refuses', () => {
  it('is one warning, and the end is written all the same', async () => {
    server.state.faults.push({
      path: /statuses$/,
      after: 1,
      times: 1,
      status: 422,
      message: 'Validation Failed',
    });
    const run = startRun();
    for (const state of [{ kind: 'starting' } as const, live, ended]) await run.update(sampleView(state));
    expect(states()).toEqual([['in_progress', 'inactive']]);
    expect(warnings()).toEqual([expect.stringContaining('Validation Failed')]);
  });
});

describe('the status of a deployment', () => {
  it('has a description that GitHub accepts, whatever the reason says', () => {
    const reason = `::error::${'x'.repeat(500)}\n##[set-env]`;
    const { description } = describeStatus(sampleView({ ...failed, reason }));
    expect(description.length).toBeLessThanOrEqual(140);
    expect(description).not.toMatch(/\n/);
    expect(describeStatus(sampleView({ ...failed, reason: '##[error]\u202e\n' })).description).toBe(
      String.raw`It failed: #\x23[error]\u{202e}\x0a`,
    );
  });

  it('has no link that GitHub refuses: the address of `protocol: tcp` is in its text', () => {
    const status = describeStatus(sampleView({ kind: 'live', url: 'tcp://bore.pub:2345' }));
    expect(status).not.toHaveProperty('environmentUrl');
    expect(status.description).toBe('Live at tcp://bore.pub:2345. It ends with its job.');
  });

  it('says what visitors need apart from the link', () => {
    const entry = 'It asks for a key: the author of the workflow has it.';
    expect(describeStatus(sampleView(live, { entry })).description).toBe(
      `Live. It ends at 2026-05-04 10:32 UTC at the latest. ${entry}`,
    );
  });
});

describe('the name of an environment', () => {
  it.each([
    [7, undefined, 'preview/pr-7'],
    [7, 'web', 'preview/pr-7/web'],
    [7, 'preview (ubuntu, 24)', 'preview/pr-7/preview-ubuntu-24'],
    [7, 'a/b', 'preview/pr-7/a-b'],
    [7, '🚀', 'preview/pr-7'],
    [7, 'Vorschau – größer', 'preview/pr-7/Vorschau-größer'],
    ['refs/heads/feature/new', undefined, 'preview/feature/new'],
    ['refs/tags/v1.0.0', undefined, 'preview/v1.0.0'],
    ['mallory:patch-1', undefined, 'preview/mallory-patch-1'],
    ['refs/heads/gh-readonly-queue/main/pr-7-0123', 'web', 'preview/merge-queue/web'],
    ['refs/heads/a"b`c\u202e', undefined, 'preview/a-b-c'],
  ])('%j, %j: %s', (subject, name, expected) => {
    expect(nameEnvironment(subject, name)).toBe(expected);
  });

  it('is at most 255 characters long', () => {
    expect(nameEnvironment(7, 'ä'.repeat(500))).toHaveLength(255);
  });
});
