// The control API on the runner's loopback: its server and its routes; endpoint.ts answers. openapi.yaml describes it; a
// test compares the two. Used by supervisor/supervision.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Controls, type Route, refuse } from './call.ts';
import { Endpoint } from './endpoint.ts';
import { streamEvents } from './events.ts';
import { showInspector } from './inspector/document.ts';
import { showApp, showTunnel, startTunnel, stopExposure, stopTunnel } from './preview.ts';
import { replayRequest } from './requests/replay.ts';
import { clearRequests, listRequests, showRequest } from './requests/routes.ts';
import { checkSignature } from './requests/signature.ts';
import { waitForRequests } from './wait/route.ts';

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
  'GET /api/requests/wait': waitForRequests,
  'GET /api/requests/{id}': showRequest,
  'POST /api/requests/{id}/replay': replayRequest,
  'POST /api/verify': checkSignature,
  'GET /api/events': streamEvents,
  'GET /api/inspector': showInspector,
};

/** The routes as `METHOD path`, for the test that compares them with openapi.yaml. */
export const ROUTE_NAMES: readonly string[] = Object.keys(ROUTES);

/** Time for the client that requested the end to read its response. */
const CLOSE_GRACE_MS = 1_000;

/** Listens on a free port of 127.0.0.1. Every request for data must carry `Authorization: Bearer TOKEN`. */
export async function startControlApi(controls: Controls, token: string): Promise<ControlApi> {
  const endpoint = new Endpoint({
    controls,
    routes: ROUTES,
    key: token,
    keyRequired: 'a bearer token is required: the `control-token` output',
    audience: 'control',
  });
  const server = createServer((request, response) => {
    if (isOwnHost(request.headers.host)) endpoint.handle(request, response);
    else refuse(response, 403, 'this API accepts requests to its loopback address only');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => {
      endpoint.endStreams();
      return closeServer(server);
    },
  };
}

/** Keeps out web pages whose host name points to 127.0.0.1 (DNS rebinding). */
function isOwnHost(host = ''): boolean {
  return /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host);
}

function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
