// Plays the part of GitHub's API on loopback that the action uses, with GitHub's own status codes, headers and bodies.
// Used by the demo, by tests, and by test/support/github-server.ts, which runs it alone: there it shows its state and log
// at /_test/state and /_test/requests.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { COMMENT_ROUTES } from './comments.ts';
import { DEPLOYMENT_ROUTES } from './deployments.ts';
import { type Answer, type Call, notFound, publish, refuse, repositoryPath } from './exchange.ts';
import { PEOPLE_ROUTES } from './people.ts';
import { PULL_ROUTES } from './pulls.ts';
import { isBelow, REPOSITORY_ROUTES, redirectFormerName } from './repository.ts';
import { RUN_ROUTES } from './runs.ts';
import { createState, type FakeState, type Fault } from './state.ts';
import { answerGraphql, answerUsers } from './users.ts';

export type { FakeComment, FakeDeployment, FakePullRequest, FakeRun, FakeState, Fault } from './state.ts';

/** `status`: 0 if there was no answer. */
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

const ROUTES = [
  ...PEOPLE_ROUTES,
  ...REPOSITORY_ROUTES,
  ...COMMENT_ROUTES,
  ...PULL_ROUTES,
  ...RUN_ROUTES,
  ...DEPLOYMENT_ROUTES,
];

const RATE_LIMIT = 5_000;

export async function startGitHubServer(
  changes: Partial<FakeState> = {},
  onRequest: (request: LoggedRequest) => void = () => {},
  { isOpen = false }: { /** Shows and changes its state for anybody who asks. */ isOpen?: boolean } = {},
): Promise<GitHubServer> {
  const state = createState(changes);
  const requests: LoggedRequest[] = [];
  const record = (call: Call, status: number) => {
    const { pathname, search } = call.url;
    const logged = { method: call.method, path: pathname + search, body: call.body, status };
    requests.push(logged);
    onRequest(logged);
  };
  const server = createServer(async (request, response) => {
    const call = await readCall(request).catch(() => undefined);
    // The client hung up before its request was complete, or sent none that can be read.
    if (call === undefined) return void response.destroy();
    const test = answerTest(call, isOpen, state, requests);
    if (test) return send(response, test);
    const fault = takeFault(call, state);
    if (fault && 'does' in fault) {
      publish({ call, answer: undefined, fault: true });
      record(call, 0);
      if (fault.does === 'lose') answerCall(call, state);
      return fail(response, fault.does);
    }
    const answer = fault ? renderFault(fault) : addEtag(call, answerCall(call, state));
    publish({ call, answer, fault: fault !== undefined });
    send(response, answer, requests.length);
    record(call, answer.status);
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

/** Marks a body that is not JSON. */
const UNREADABLE = Symbol('unreadable');

/** Rejects if the client hangs up, or sends a path that cannot be decoded. */
async function readCall(request: IncomingMessage): Promise<Call> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const { headers, method = 'GET' } = request;
  const token = (headers.authorization ?? '').replace(/^(token|bearer) /i, '');
  const url = new URL(`http://${headers.host}${request.url}`);
  decodeURIComponent(url.pathname);
  return { method, url, headers, token, body: parseBody(Buffer.concat(chunks).toString()) };
}

function parseBody(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return UNREADABLE;
  }
}

function send(response: ServerResponse, { status, body, headers }: Answer, used = 0): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'x-github-media-type': 'github.v3; format=json',
    'x-github-request-id': `0A1B:${used}`,
    'x-ratelimit-limit': RATE_LIMIT,
    'x-ratelimit-remaining': Math.max(1, RATE_LIMIT - used),
    'x-ratelimit-used': used,
    'x-ratelimit-reset': Math.ceil(Date.now() / 1000) + 3600,
    'x-ratelimit-resource': 'core',
    ...headers,
  });
  response.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body));
}

function fail(response: ServerResponse, how: 'hang' | 'cut' | 'lose' | 'cut body'): void {
  if (how === 'hang') return;
  if (how === 'cut' || how === 'lose') return void response.destroy();
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': 1000 });
  response.write('{"id":', () => response.destroy());
}

/** For tests that run in another process: shows everything, and changes the state. */
function answerTest(
  call: Call,
  isOpen: boolean,
  state: FakeState,
  requests: LoggedRequest[],
): Answer | undefined {
  if (!call.url.pathname.startsWith('/_test/')) return undefined;
  if (!isOpen) return notFound();
  if (call.url.pathname === '/_test/requests') return { status: 200, body: requests };
  if (call.url.pathname !== '/_test/state') return notFound();
  if (call.method === 'PATCH') Object.assign(state, call.body);
  return { status: 200, body: state };
}

function answerCall(call: Call, state: FakeState): Answer {
  if (call.body === UNREADABLE) return refuse(400, 'Problems parsing JSON');
  if (call.token !== '' && call.token !== state.token) return refuse(401, 'Bad credentials');
  // What is private does not exist for strangers.
  if (state.isPrivate && call.token === '') return notFound();
  const { pathname } = call.url;
  if (pathname === '/graphql') return answerGraphql(state, call);
  const prefix = [`/repos/${state.repository}`, repositoryPath(state.repository)].find(candidate =>
    isBelow(pathname.toLowerCase(), candidate.toLowerCase()),
  );
  if (prefix === undefined) return redirectFormerName(state, call) ?? answerUsers(state, call) ?? notFound();
  const path = `${call.method} ${pathname.slice(prefix.length)}`;
  for (const [pattern, handle] of ROUTES) {
    const match = pattern.exec(path);
    if (match) return handle(state, call, ...match.slice(1).map(part => decodeURIComponent(part)));
  }
  return notFound();
}

/** As GitHub does: who has this answer already does not get it again. */
function addEtag(call: Call, answer: Answer): Answer {
  if (call.method !== 'GET' || answer.status !== 200) return answer;
  const digest = createHash('sha256').update(JSON.stringify(answer.body)).digest('hex');
  const headers = { ...answer.headers, etag: `W/"${digest}"` };
  return call.headers['if-none-match'] === headers.etag ? { status: 304, headers } : { ...answer, headers };
}

function takeFault(call: Call, state: FakeState): Fault | undefined {
  for (const fault of state.faults) {
    const fits = (fault.method ?? call.method) === call.method && fault.path.test(call.url.pathname);
    if (!fits || fault.times === 0) continue;
    if (fault.after !== undefined && fault.after > 0) {
      fault.after -= 1;
      continue;
    }
    if (fault.times !== undefined) fault.times -= 1;
    return fault;
  }
  return undefined;
}

function renderFault(fault: Extract<Fault, { status: number }>): Answer {
  const { status, message, headers = {}, body } = fault;
  if (body === undefined) return { ...refuse(status, message), headers };
  return { status, body, headers: { 'content-type': 'text/html; charset=utf-8', ...headers } };
}
