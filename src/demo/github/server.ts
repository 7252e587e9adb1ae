// Plays the part of GitHub's REST API on loopback that the action uses, with GitHub's own status codes and bodies.
// Used by the demo, by tests, and by test/support/github-server.ts, which runs it alone. Shows its state and log at
// /_test/state and /_test/requests.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface FakeComment {
  id: number;
  issue: number;
  login: string;
  body: string;
}

export interface FakePullRequest {
  number: number;
  state: 'open' | 'closed';
  head: { sha: string; repo: { full_name: string } | null };
}

/** A refusal to give instead of the real answer, for the requests it matches. */
export interface Fault {
  method?: string;
  /** Matches the path without the query. */
  path: RegExp;
  /** How many requests it meets; forever where undefined. */
  times?: number;
  status: number;
  message: string;
  headers?: Record<string, string>;
}

/** Everything a test may look at and change; changes count from the next request on. */
export interface FakeState {
  repository: string;
  isPrivate: boolean;
  /** The token's user. */
  login: string;
  token: string;
  /** What the token may do with pull requests and their comments. */
  pullRequests: 'write' | 'read';
  /** Whether the token may look at workflow runs. */
  actions: 'read' | 'none';
  comments: FakeComment[];
  pulls: FakePullRequest[];
  /** Attempts by run id. */
  runs: Record<string, number>;
  faults: Fault[];
}

export interface LoggedRequest {
  method: string;
  path: string;
  body: unknown;
  status: number;
}

export interface GitHubServer {
  readonly url: string;
  readonly state: FakeState;
  readonly requests: LoggedRequest[];
  stop(): Promise<void>;
}

const DEFAULT_STATE: FakeState = {
  repository: 'octo/app',
  isPrivate: false,
  login: 'github-actions[bot]',
  token: 'ghs_test',
  pullRequests: 'write',
  actions: 'read',
  comments: [],
  pulls: [],
  runs: {},
  faults: [],
};

const MAX_BODY_LENGTH = 65_536;
const DEFAULT_PAGE_SIZE = 30;
const MAX_PAGE_SIZE = 100;

export async function startGitHubServer(
  changes: Partial<FakeState> = {},
  onRequest: (request: LoggedRequest) => void = () => {},
): Promise<GitHubServer> {
  const state = { ...structuredClone(DEFAULT_STATE), ...changes };
  const requests: LoggedRequest[] = [];
  const server = createServer(async (request, response) => {
    const call = await readCall(request);
    const answer = answerTest(call, state, requests) ?? answerCall(call, state);
    send(response, answer);
    if (call.url.pathname.startsWith('/_test/')) return;
    const { pathname, search } = call.url;
    const logged = { method: call.method, path: pathname + search, body: call.body, status: answer.status };
    requests.push(logged);
    onRequest(logged);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    state,
    requests,
    async stop() {
      const closed = new Promise<void>(resolve => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Call {
  method: string;
  url: URL;
  token: string;
  body: unknown;
}

interface Answer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

async function readCall(request: IncomingMessage): Promise<Call> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const token = (request.headers.authorization ?? '').replace(/^(token|bearer) /i, '');
  const url = new URL(`http://${request.headers.host}${request.url}`);
  return { method: request.method ?? 'GET', url, token, body: text === '' ? undefined : JSON.parse(text) };
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

/** For tests that run in another process: shows everything, and changes the state. */
function answerTest(call: Call, state: FakeState, requests: LoggedRequest[]): Answer | undefined {
  if (call.url.pathname === '/_test/requests') return { status: 200, body: requests };
  if (call.url.pathname !== '/_test/state') return undefined;
  if (call.method === 'PATCH') Object.assign(state, call.body);
  return { status: 200, body: state };
}

function answerCall(call: Call, state: FakeState): Answer {
  if (call.token !== '' && call.token !== state.token) return refuse(401, 'Bad credentials');
  const fault = takeFault(call, state);
  if (fault) return { ...refuse(fault.status, fault.message), headers: fault.headers ?? {} };
  if (call.url.pathname === '/graphql')
    return { status: 200, body: { data: { viewer: { login: state.login } } } };
  const prefix = `/repos/${state.repository}`;
  if (!call.url.pathname.startsWith(prefix)) return refuse(404, 'Not Found');
  const path = `${call.method} ${call.url.pathname.slice(prefix.length)}`;
  for (const [pattern, handle] of ROUTES) {
    const match = pattern.exec(path);
    if (match) return handle(state, match[1] ?? '', call);
  }
  return refuse(404, 'Not Found');
}

function takeFault(call: Call, state: FakeState): Fault | undefined {
  const fault = state.faults.find(
    ({ method, path, times }) =>
      (method ?? call.method) === call.method && path.test(call.url.pathname) && times !== 0,
  );
  if (fault?.times !== undefined) fault.times -= 1;
  return fault;
}

type Handler = (state: FakeState, argument: string, call: Call) => Answer;

const ROUTES: [RegExp, Handler][] = [
  [/^GET $/, showRepository],
  [/^GET \/issues\/(\d+)\/comments$/, listComments],
  [/^POST \/issues\/(\d+)\/comments$/, createComment],
  [/^GET \/issues\/comments\/(\d+)$/, showComment],
  [/^PATCH \/issues\/comments\/(\d+)$/, editComment],
  [/^DELETE \/issues\/comments\/(\d+)$/, deleteComment],
  [/^GET \/pulls\/(\d+)$/, showPullRequest],
  [/^GET \/commits\/([0-9a-f]+)\/pulls$/, listPullRequests],
  [/^GET \/actions\/runs\/(\d+)$/, showRun],
];

function showRepository({ repository, isPrivate }: FakeState): Answer {
  const visibility = isPrivate ? 'private' : 'public';
  return { status: 200, body: { full_name: repository, private: isPrivate, visibility } };
}

function listComments(state: FakeState, issue: string, call: Call): Answer {
  const all = state.comments.filter(comment => comment.issue === Number(issue));
  return paginate(
    all.map(comment => describeComment(state, comment)),
    call.url,
  );
}

function createComment(state: FakeState, issue: string, call: Call): Answer {
  const refusal = refuseWrite(state, call);
  if (refusal) return refusal;
  const id = Math.max(1000, ...state.comments.map(comment => comment.id)) + 1;
  const comment = { id, issue: Number(issue), login: state.login, body: readText(call) };
  state.comments.push(comment);
  return { status: 201, body: describeComment(state, comment) };
}

function showComment(state: FakeState, id: string): Answer {
  const comment = state.comments.find(candidate => candidate.id === Number(id));
  return comment ? { status: 200, body: describeComment(state, comment) } : refuse(404, 'Not Found');
}

function editComment(state: FakeState, id: string, call: Call): Answer {
  const comment = state.comments.find(candidate => candidate.id === Number(id));
  const refusal = comment ? refuseWrite(state, call) : refuse(404, 'Not Found');
  if (refusal || !comment) return refusal ?? refuse(404, 'Not Found');
  comment.body = readText(call);
  return { status: 200, body: describeComment(state, comment) };
}

function deleteComment(state: FakeState, id: string): Answer {
  const index = state.comments.findIndex(candidate => candidate.id === Number(id));
  if (index < 0) return refuse(404, 'Not Found');
  if (state.pullRequests !== 'write') return refuse(403, NO_ACCESS);
  state.comments.splice(index, 1);
  return { status: 204 };
}

function showPullRequest(state: FakeState, number: string): Answer {
  const pull = state.pulls.find(candidate => candidate.number === Number(number));
  return pull ? { status: 200, body: pull } : refuse(404, 'Not Found');
}

function listPullRequests(state: FakeState, sha: string, call: Call): Answer {
  return paginate(
    state.pulls.filter(({ head }) => head.sha === sha),
    call.url,
  );
}

function showRun(state: FakeState, id: string): Answer {
  if (state.actions === 'none') return refuse(403, NO_ACCESS);
  const attempt = state.runs[id];
  if (attempt === undefined) return refuse(404, 'Not Found');
  return { status: 200, body: { id: Number(id), run_attempt: attempt } };
}

const NO_ACCESS = 'Resource not accessible by integration';

function refuseWrite(state: FakeState, call: Call): Answer | undefined {
  if (call.token === '') return refuse(401, 'Requires authentication');
  if (state.pullRequests !== 'write') return refuse(403, NO_ACCESS);
  const text = readText(call);
  if (text === '') return refuse(422, 'Validation Failed');
  return text.length > MAX_BODY_LENGTH
    ? refuse(422, 'Body is too long (maximum is 65536 characters)')
    : undefined;
}

function readText({ body }: Call): string {
  return typeof body === 'object' && body !== null && 'body' in body ? String(body.body) : '';
}

function describeComment({ repository }: FakeState, { id, issue, login, body }: FakeComment): object {
  const html_url = `https://github.com/${repository}/pull/${issue}#issuecomment-${id}`;
  return { id, html_url, body, user: { login } };
}

/** One page, with the `Link` header of GitHub's lists where there are more. */
function paginate(items: readonly object[], url: URL): Answer {
  const size = Math.min(Number(url.searchParams.get('per_page') ?? DEFAULT_PAGE_SIZE), MAX_PAGE_SIZE);
  const page = Number(url.searchParams.get('page') ?? 1);
  const body = items.slice((page - 1) * size, page * size);
  if (page * size >= items.length) return { status: 200, body };
  const next = new URL(url);
  next.searchParams.set('page', String(page + 1));
  return { status: 200, body, headers: { link: `<${next}>; rel="next"` } };
}

function refuse(status: number, message: string): Answer {
  const documentation_url = 'https://docs.github.com/rest';
  return { status, body: { message, documentation_url, status: String(status) } };
}
