// The control API on the runner's loopback: its server, who may call it, and its routes. openapi.yaml describes it; a
// test compares the two. Used by supervisor/supervision.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError, InputError, TunnelError } from '../shared/errors.ts';
import type { HttpRequest, HttpResponse } from '../shared/http-message.ts';
import { isSame } from '../shared/secrets.ts';
import { type Call, CallError, type Controls, type Route, refuse } from './call.ts';
import { streamEvents } from './events.ts';
import { sendPage } from './inspector/page.ts';
import { showApp, showTunnel, startTunnel, stopExposure, stopTunnel } from './preview.ts';
import { RequestFeed } from './request-feed.ts';
import { clearRequests, listRequests, showRequest } from './requests.ts';
import { Router } from './router.ts';

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
  'DELETE /api/requests': clearRequests,
  'GET /api/requests/{id}': showRequest,
  'GET /api/events': streamEvents,
};

/** The routes as `METHOD path`, for the test that compares them with openapi.yaml. */
export const ROUTE_NAMES: readonly string[] = Object.keys(ROUTES);

const ROUTER = new Router(ROUTES);

/** Time for the client that requested the end to read its response. */
const CLOSE_GRACE_MS = 1_000;

/** Listens on a free port of 127.0.0.1. Every request for data must carry `Authorization: Bearer TOKEN`. */
export async function startControlApi(controls: Controls, token: string): Promise<ControlApi> {
  const streams = new Set<HttpResponse>();
  const feed = new RequestFeed(controls.requests);
  const server = createServer((request, response) => {
    response.on('error', () => {}); // a client that has disconnected needs no response
    void answer({ controls, feed, streams, request, response }, token);
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

async function answer(asked: Omit<Call, 'path' | 'query'>, token: string): Promise<void> {
  const { request, response } = asked;
  // Keeps out web pages whose host name points to 127.0.0.1 (DNS rebinding).
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? ''))
    return refuse(response, 403, 'this API accepts requests to its loopback address only');
  const [path = '', query] = (request.url ?? '').split(/\?(.*)/s);
  if (sendPage(request, response, path)) return;
  if (!isAuthorised(request, token))
    return refuse(response, 401, 'a bearer token is required: the `control-token` output');
  const found = ROUTER.find(request.method ?? '', path);
  if ('route' in found)
    return runRoute(found.route, { ...asked, path: found.path, query: new URLSearchParams(query) });
  const { allowed } = found;
  if (allowed.length === 0) return refuse(response, 404, `no such route: ${path}`);
  refuse(response, 405, `use ${allowed.join(' or ')}`, { Allow: allowed.join(', ') });
}

async function runRoute(route: Route, call: Call): Promise<void> {
  try {
    await route(call);
  } catch (error) {
    // Too late for a status: a response that breaks off shows the client that it is not whole.
    if (call.response.headersSent) call.response.destroy();
    else refuse(call.response, chooseStatus(error), describeError(error));
  }
}

function chooseStatus(error: unknown): number {
  if (error instanceof InputError) return 400;
  if (error instanceof CallError) return error.status;
  return error instanceof TunnelError ? 502 : 500;
}

function isAuthorised(request: HttpRequest, token: string): boolean {
  return isSame(request.headers.authorization ?? '', `Bearer ${token}`);
}
