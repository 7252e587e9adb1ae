// Everything that GitHub can do wrong, at each request that the reports make: what people see on GitHub in the end is
// right, or there is one warning in GitHub's own words. The preview itself does not wait for the reports.

import { beforeAll, expect, it } from 'vitest';
import {
  type FakeState,
  type Fault,
  type GitHubServer,
  startGitHubServer,
} from '../../src/demo/github/server.ts';
import type { PreviewState } from '../../src/github/view.ts';
import { openGitHub } from '../../src/supervisor/github.ts';
import { openReporters, type Reporter } from '../../src/supervisor/reporting.ts';
import { HEAD, recordLog, sampleJob, sampleView } from '../github/samples.ts';
import { isFull } from '../support/scale.ts';

const LIVE: PreviewState = { kind: 'live', url: 'http://bore.pub:2345' };
const ENDED: PreviewState = { kind: 'ended', reason: 'stopped', endedAt: new Date() };

/** How long a story waits for a write before the preview goes on, and at its end. */
const PATIENCE_MS = 20_000;
/** While GitHub is silent, a preview does not wait. */
const SHORT_PATIENCE_MS = 4_000;

type Answer = Fault extends infer F
  ? F extends unknown
    ? Omit<F, 'path' | 'method' | 'after' | 'times'>
    : never
  : never;

interface Failure {
  answer: Answer;
  /** GitHub's own words, which the warning quotes. */
  said: RegExp;
  /** Whether the warning names the permission. */
  permission?: boolean;
  /** A deployment that somebody deleted, or that a preview was too short for, needs no warning. */
  mayHaveNoDeployment?: true;
  /** The failure ends by itself: how many requests meet it. */
  times?: number;
  /** In the gate, too. */
  gate?: boolean;
}

const PAGE = '<!DOCTYPE html><html><head><title>Unicorn! · GitHub</title></head><body>…</body></html>';

const FAILURES: Record<string, Failure> = {
  'a missing permission (403)': {
    answer: { status: 403, message: 'Resource not accessible by integration' },
    said: /Resource not accessible by integration/,
    permission: true,
    gate: true,
  },
  'a locked conversation (403)': {
    answer: { status: 403, message: 'Unable to create comment because issue is locked.' },
    said: /because issue is locked/,
    gate: true,
  },
  'single sign-on (403)': {
    answer: { status: 403, message: 'Resource protected by organization SAML enforcement.' },
    said: /SAML enforcement/,
  },
  'an allow list (403)': {
    answer: { status: 403, message: 'the `octo` organization has an IP allow list enabled' },
    said: /IP allow list/,
  },
  'a secondary rate limit, for a moment (403)': {
    answer: {
      status: 403,
      message: 'You have exceeded a secondary rate limit.',
      headers: { 'retry-after': '1' },
    },
    said: /secondary rate limit/,
    times: 1,
  },
  'abuse detection, for long (403)': {
    answer: { status: 403, message: 'abuse detection mechanism', headers: { 'retry-after': '3600' } },
    said: /abuse detection/,
  },
  'something unknown (404)': {
    answer: { status: 404, message: 'Not Found' },
    said: /Not Found/,
    permission: true,
    mayHaveNoDeployment: true,
    gate: true,
  },
  'a conflict (409)': { answer: { status: 409, message: 'Conflict' }, said: /Conflict/ },
  'something gone (410)': { answer: { status: 410, message: 'This issue was deleted' }, said: /was deleted/ },
  'an invalid request (422)': {
    answer: { status: 422, message: 'Validation Failed' },
    said: /Validation Failed/,
  },
  'too many requests, for long (429)': {
    answer: { status: 429, message: 'Too many requests', headers: { 'retry-after': '3600' } },
    said: /Too many requests/,
    gate: true,
  },
  'a revoked token (401)': {
    answer: { status: 401, message: 'Bad credentials' },
    said: /Bad credentials\. The token is wrong, or not valid any more/,
  },
  'an error, once (500)': { answer: { status: 500, message: 'oops' }, said: /oops/, times: 1 },
  'an error of the load balancer (502)': {
    answer: { status: 502, message: '', body: PAGE },
    said: /a page with the title "Unicorn! · GitHub"/,
  },
  'maintenance, for a moment (503)': {
    answer: { status: 503, message: 'down', headers: { 'retry-after': '1' } },
    said: /down/,
    times: 1,
  },
  'an answer of another form': {
    answer: { status: 200, message: 'hello' },
    said: /is not as documented|created no deployment: hello/,
  },
  'a page instead of an answer': {
    answer: { status: 200, message: '', body: PAGE },
    said: /no JSON: a page with the title/,
  },
  silence: { answer: { does: 'hang' }, said: /did not answer/, mayHaveNoDeployment: true },
  'a cut connection': { answer: { does: 'cut' }, said: /could not be reached/ },
  'a cut connection, once': { answer: { does: 'cut' }, said: /could not be reached/, times: 1 },
  'an answer that is lost, once': {
    answer: { does: 'lose' },
    said: /could not be reached/,
    times: 1,
    gate: true,
  },
  'half an answer, once': { answer: { does: 'cut body' }, said: /is not as documented/, times: 1 },
};

/** A request of a run in which nothing fails: the n-th of its kind. */
interface Request {
  method: string;
  path: RegExp;
  after: number;
}

function openStory(server: GitHubServer, runId: string, signal: AbortSignal) {
  const log = recordLog();
  const job = sampleJob({ runId, apiUrl: server.url });
  const reporters = openReporters({
    github: openGitHub({ job, token: server.state.token }, {}, log),
    report: {
      identity: { key: 'a'.repeat(32), name: 'web' },
      preview: { commit: HEAD, warnings: [], showConsole: true },
      comment: { pullRequest: 7, instance: `ab${runId}` },
      deployment: { environment: 'preview/pr-7', sha: HEAD, id: `c${runId}` },
    },
    logger: log,
    warn: log.warn,
    signal,
  });
  const show = (state: PreviewState) =>
    Promise.all(reporters.map(reporter => reporter.update(sampleView(state))));
  return { reporters, log, show };
}

/** A preview from its start to its end. Resolves with the warnings. */
async function tellStory(server: GitHubServer, patienceMs = PATIENCE_MS): Promise<string[]> {
  const overdue = new AbortController();
  const { reporters, log, show } = openStory(server, '100', overdue.signal);
  for (const state of [{ kind: 'starting' } as const, LIVE]) await letGo(show(state), patienceMs);
  const limit = setTimeout(() => overdue.abort(new DOMException('over', 'TimeoutError')), PATIENCE_MS);
  void show(ENDED);
  await Promise.all(reporters.map((reporter: Reporter) => reporter.flush()));
  clearTimeout(limit);
  return log.lines.filter(line => line.startsWith('warn: '));
}

/** Waits no longer than a preview takes from one state to the next. */
async function letGo(work: Promise<unknown>, patienceMs: number): Promise<void> {
  const patience = AbortSignal.timeout(patienceMs);
  await Promise.race([work, new Promise<void>(done => patience.addEventListener('abort', () => done()))]);
}

/** What runs 90 and 91, which were killed, left behind: so that there is something to find, to edit and to tidy. */
async function leaveTraces(): Promise<FakeState> {
  const server = await startGitHubServer({ runs: { '90': 1, '91': 1, '100': 1 } });
  const { show } = openStory(server, '90', AbortSignal.timeout(60_000));
  await show(LIVE);
  await server.stop();
  const { state } = server;
  state.runs = { '90': { status: 'completed', conclusion: 'cancelled' }, '100': 1 };
  state.comments.unshift({ id: 1, issue: 7, login: null, body: '' });
  return state;
}

/** Every request of one run, in the order in which they were made. */
function listRequests({ requests }: GitHubServer): Request[] {
  const counts = new Map<string, number>();
  return requests.map(({ method, path }) => {
    const [pathname = ''] = path.split('?');
    const kind = pathname.replaceAll(/\/\d+/g, '/\\d+');
    const after = counts.get(method + kind) ?? 0;
    counts.set(method + kind, after + 1);
    return { method, path: new RegExp(`^${kind}$`), after };
  });
}

let traces: FakeState;
let requests: Request[];
beforeAll(async () => {
  traces = await leaveTraces();
  const server = await startGitHubServer(structuredClone(traces));
  expect(await tellStory(server)).toEqual([]);
  expect(findFaults(server.state)).toEqual([]);
  requests = listRequests(server);
  await server.stop();
});

/**
 * What is wrong on GitHub after the end, by feature. Run 90's own deployment does not count: it is tidied up if possible,
 * and otherwise by the next run.
 */
function findFaults({ comments, deploymentList }: FakeState): string[] {
  const ended = comments.filter(({ body }) => body.includes('has ended'));
  const newest = deploymentList.at(-1)?.statuses.at(-1)?.state;
  return [
    ...(ended.length === 1 && comments.length === 2 ? [] : ['comment']),
    ...(newest === 'inactive' && deploymentList.length === 2 ? [] : ['deployment']),
  ];
}

const RUNS = Object.entries(FAILURES).filter(([, { gate }]) => isFull || gate);

it.concurrent.for(RUNS)(
  'shows what is so or says why not, whichever request meets %s',
  { timeout: 120_000 },
  async ([, failure], { expect }) => {
    const stories = requests.map(async request => {
      const { answer, times } = failure;
      const fault: Fault = { ...request, ...answer, ...(times !== undefined && { times }) };
      const server = await startGitHubServer({ ...structuredClone(traces), faults: [fault] });
      const warnings = await tellStory(server, isSilent(answer) ? SHORT_PATIENCE_MS : PATIENCE_MS);
      const problems = judge({ warnings, wrong: findFaults(server.state) }, failure);
      await server.stop();
      const at = `${request.method} ${request.path.source} (${request.after})`;
      return problems.length === 0 ? [] : [{ at, problems, warnings }];
    });
    expect((await Promise.all(stories)).flat()).toEqual([]);
  },
);

function isSilent(answer: Answer): boolean {
  return 'does' in answer && answer.does === 'hang';
}

function judge({ warnings, wrong }: { warnings: string[]; wrong: string[] }, failure: Failure): string[] {
  const isMissed = (feature: string) => !failure.mayHaveNoDeployment || feature !== 'deployment';
  const by = (feature: string) => warnings.filter(line => line.includes(PURPOSE[feature] ?? ''));
  return [
    ...wrong
      .filter(feature => isMissed(feature) && by(feature).length !== 1)
      .map(feature => `${feature} is wrong without a warning`),
    ...Object.keys(PURPOSE)
      .filter(feature => by(feature).length > 1)
      .map(feature => `${feature} warns twice`),
    ...warnings.filter(line => !failure.said.test(line)).map(() => 'it does not quote GitHub'),
    ...warnings
      .filter(line => line.includes('"permissions:"') !== (failure.permission ?? false))
      .map(() => 'the permission'),
    ...(failure.times !== undefined && warnings.length + wrong.length > 0
      ? ['it passes, and there is harm']
      : []),
  ];
}

const PURPOSE: Record<string, string> = {
  comment: 'could not comment on the pull request',
  deployment: 'could not create a deployment',
};
