// Workflow runs.

import {
  type Answer,
  type Call,
  idOf,
  NO_ACCESS,
  nodeId,
  notFound,
  type Route,
  refuse,
  takePage,
} from './exchange.ts';
import { API, describeHeadCommit, describeRepository } from './repository.ts';
import type { FakeRun, FakeState } from './state.ts';
import { describeUser } from './users.ts';

const DATE = '2026-01-01T00:00:00Z';

export const RUN_ROUTES: readonly Route[] = [
  [/^GET \/actions\/runs$/, listRuns],
  [/^GET \/actions\/runs\/(\d+)$/, showRun],
  [/^GET \/actions\/runs\/(\d+)\/attempts\/(\d+)$/, showRun],
  [/^GET \/actions\/workflows\/([^/]+)\/runs$/, listRuns],
];

function showRun(state: FakeState, _call: Call, id = '', attempt?: string): Answer {
  if (state.actions === 'none') return refuse(403, NO_ACCESS);
  const run = readRun(state, id);
  if (run === undefined || Number(attempt ?? 1) > (run.attempt ?? 1)) return notFound();
  const shown = attempt === undefined ? run : { ...run, attempt: Number(attempt) };
  return { status: 200, body: describeRun(state, id, shown) };
}

/** Newest first. `workflow` is the name of the file. */
function listRuns(state: FakeState, call: Call, workflow?: string): Answer {
  if (state.actions === 'none') return refuse(403, NO_ACCESS);
  const all = Object.keys(state.runs)
    .sort((a, b) => Number(b) - Number(a))
    .map(id => describeRun(state, id, readRun(state, id) ?? {}));
  const found = all.filter(
    run => (workflow === undefined || run.path.endsWith(`/${workflow}`)) && fits(run, call.url.searchParams),
  );
  const { items, headers } = takePage(found, call, state);
  return { status: 200, body: { total_count: found.length, workflow_runs: items }, headers };
}

function fits(run: ReturnType<typeof describeRun>, wanted: URLSearchParams): boolean {
  const equal = (name: string, ...values: (string | null)[]) => {
    const value = wanted.get(name);
    return value === null || values.includes(value);
  };
  return (
    equal('head_sha', run.head_sha) &&
    equal('branch', run.head_branch) &&
    equal('event', run.event) &&
    equal('actor', run.actor.login) &&
    equal('status', run.status, run.conclusion)
  );
}

function readRun({ runs }: FakeState, id: string): FakeRun | undefined {
  const run = runs[id];
  return typeof run === 'number' ? { attempt: run } : run;
}

function describeRun(state: FakeState, id: string, run: FakeRun) {
  const { repository, isPrivate } = state;
  const { path = '.github/workflows/preview.yml', headRepository = repository, createdAt = DATE } = run;
  const api = `${API}/repos/${repository}`;
  const url = `${api}/actions/runs/${id}`;
  const workflow = idOf(path);
  const sha = run.headSha ?? '1'.repeat(40);
  const actor = describeUser(run.actor ?? 'mona');
  return {
    id: Number(id),
    node_id: nodeId('WorkflowRun', Number(id)),
    name: 'Preview',
    display_title: 'Change the app',
    path,
    event: run.event ?? 'pull_request',
    run_number: Number(id),
    run_attempt: run.attempt ?? 1,
    status: run.status ?? 'in_progress',
    conclusion: run.conclusion ?? null,
    workflow_id: workflow,
    head_branch: run.headBranch === undefined ? 'change' : run.headBranch,
    head_sha: sha,
    head_commit: describeHeadCommit(sha),
    head_repository: describeRepository(headRepository, isPrivate, headRepository !== repository),
    repository: describeRepository(repository, isPrivate),
    pull_requests: (run.pullRequests ?? []).map(number => describeMinimalPull(state, number)),
    actor,
    triggering_actor: actor,
    created_at: createdAt,
    updated_at: createdAt,
    run_started_at: createdAt,
    url,
    html_url: `https://github.com/${repository}/actions/runs/${id}`,
    jobs_url: `${url}/jobs`,
    logs_url: `${url}/logs`,
    cancel_url: `${url}/cancel`,
    rerun_url: `${url}/rerun`,
    artifacts_url: `${url}/artifacts`,
    check_suite_url: `${api}/check-suites/${id}`,
    workflow_url: `${api}/actions/workflows/${workflow}`,
  };
}

/** As `workflow_run.pull_requests` lists them. */
export function describeMinimalPull({ repository, pulls }: FakeState, number: number) {
  const pull = pulls.find(candidate => candidate.number === number);
  const repo = (fullName: string) => ({
    id: idOf(fullName.toLowerCase()),
    name: fullName.split('/')[1] ?? '',
    url: `${API}/repos/${fullName}`,
  });
  return {
    id: idOf(`${repository}#${number}`),
    number,
    url: `${API}/repos/${repository}/pulls/${number}`,
    head: {
      ref: pull?.head.ref ?? `change-${number}`,
      sha: pull?.head.sha ?? '1'.repeat(40),
      repo: repo(pull?.head.repo?.full_name ?? repository),
    },
    base: { ref: pull?.base?.ref ?? 'main', sha: pull?.base?.sha ?? '0'.repeat(40), repo: repo(repository) },
  };
}
