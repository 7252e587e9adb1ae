// The control API on the runner's loopback: wasmrun's three tunnel routes, and further ones for the exposure.
// openapi.yaml describes it; a test compares the two. Used by supervisor/supervision.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError, TunnelError } from '../shared/errors.ts';
import type { HttpRequest, HttpResponse } from '../shared/http-message.ts';
import { describeRequest } from '../shared/request-json.ts';
import { isSame } from '../shared/secrets.ts';
import type { EndReason, ExposureState } from '../shared/state.ts';
import { describeState } from '../shared/state-json.ts';
import { type Call, type Controls, type Route, refuse, send } from './call.ts';

export interface ControlApi {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Ends the event streams, gives open responses a second to finish, and closes. */
  stop(): Promise<void>;
}

const ROUTES: Readonly<Record<string, Route>> = {
  'POST /api/tunnel/start': startTunnel,
  'GET /api/tunnel/status': showTunnel,
  'POST /api/tunnel/stop': stopTunnel,
  'POST /api/stop': stopExposure,
  'GET /api/app': showApp,
  'GET /api/requests': listRequests,
  'GET /api/events': streamEvents,
};

/** The routes as `METHOD path`, for the test that compares them with openapi.yaml. */
export const ROUTE_NAMES: readonly string[] = Object.keys(ROUTES);

/** A comment line now and then shows a client that a quiet stream is not dead. */
const KEEPALIVE_MS = 15_000;
/** Time for the client that requested the end to read its response. */
const CLOSE_GRACE_MS = 1_000;
/** The reasons that a client may give. */
const CALLER_REASONS: readonly EndReason[] = ['stopped', 'job ended'];

/** Listens on a free port of 127.0.0.1. Every request must carry `Authorization: Bearer TOKEN`. */
export async function startControlApi(controls: Controls, token: string): Promise<ControlApi> {
  const streams = new Set<HttpResponse>();
  const server = createServer((request, response) => {
    const query = new URLSearchParams(request.url?.split('?')[1]);
    void answer({ controls, streams, query, request, response }, token);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => closeServer(server, streams),
  };
}

function closeServer(server: Server, streams: ReadonlySet<HttpResponse>): Promise<void> {
  for (const stream of streams) stream.end();
  return new Promise(resolve => {
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

async function answer(call: Call, token: string): Promise<void> {
  const { request, response } = call;
  response.on('error', () => {}); // a client that has disconnected needs no response
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  const route = ROUTES[`${request.method} ${path}`];
  const allowed = ROUTE_NAMES.filter(name => name.endsWith(` ${path}`)).map(name => name.split(' ')[0]);
  // Keeps out web pages whose host name points to 127.0.0.1 (DNS rebinding).
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? ''))
    return refuse(response, 403, 'this API accepts requests to its loopback address only');
  if (!isAuthorised(request, token))
    return refuse(response, 401, 'a bearer token is required: the `control-token` output');
  if (allowed.length === 0) return refuse(response, 404, `no such route: ${path}`);
  if (route === undefined)
    return refuse(response, 405, `use ${allowed.join(' or ')}`, { Allow: allowed.join(', ') });
  try {
    await route(call);
  } catch (error) {
    refuse(response, error instanceof TunnelError ? 502 : 500, describeError(error));
  }
}

function isAuthorised(request: HttpRequest, token: string): boolean {
  return isSame(request.headers.authorization ?? '', `Bearer ${token}`);
}

async function startTunnel({ controls, response }: Call): Promise<void> {
  await controls.startTunnel();
  const { public_url, status } = describeState(controls.state);
  send(response, 200, { success: true, public_url, status });
}

function showTunnel({ controls, response }: Call): void {
  const { status, public_url, public_port, ...rest } = describeState(controls.state);
  send(response, 200, { success: true, status, public_url, public_port, ...rest });
}

async function stopTunnel({ controls, response }: Call): Promise<void> {
  await controls.stopTunnel();
  send(response, 200, { success: true, message: 'Tunnel stopped' });
}

async function stopExposure({ controls, query, response }: Call): Promise<void> {
  const given = query.get('reason') ?? 'stopped';
  const reason = CALLER_REASONS.find(known => known === given);
  if (reason === undefined) return refuse(response, 400, `\`reason\` is one of ${CALLER_REASONS.join(', ')}`);
  await controls.stop(reason);
  send(response, 200, { success: true, message: 'Exposure stopped', state: describeState(controls.state) });
}

function showApp({ controls, response }: Call): void {
  const { mode, app, restarts } = describeState(controls.state);
  const { pid, console } = controls.describeApp();
  send(response, 200, {
    success: true,
    mode,
    pid: pid ?? null,
    port: app.port,
    status: app.status,
    restarts,
    console,
  });
}

function listRequests({ controls, response }: Call): void {
  const { requests } = controls;
  send(response, 200, {
    success: true,
    requests: requests.list().map(describeRequest),
    last_id: requests.lastId,
  });
}

/** Server-sent events (WHATWG HTML §9.2): `event: state` with a StateMessage, the current one first. */
function streamEvents({ controls, streams, response }: Call): void {
  streams.add(response);
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const write = (state: ExposureState) =>
    response.write(`event: state\ndata: ${JSON.stringify(describeState(state))}\n\n`);
  write(controls.state);
  const unsubscribe = controls.subscribe(write);
  const keepalive = setInterval(() => response.write(':\n\n'), KEEPALIVE_MS);
  response.once('close', () => {
    streams.delete(response);
    unsubscribe();
    clearInterval(keepalive);
  });
}
