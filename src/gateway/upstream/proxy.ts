// Streams a request to the app, and the answer to the visitor. Used by the last pass (pass.ts), and by upgrade.ts.

import { hasCode } from '../../shared/errors.ts';
import type { HttpRequest } from '../../shared/http-message.ts';
import { hasBody, readTarget, type Visit } from '../visit.ts';
import { AnswerRelay } from './answer-relay.ts';
import type { AppAddress, AppLink } from './app-link.ts';
import { isClientError } from './client/errors.ts';
import type { RequestMessage } from './client/message.ts';
import type { Compression } from './compression.ts';
import { renderRequestHeaders } from './headers.ts';
import { chooseNames, type Names } from './names.ts';
import { openUpload } from './upload.ts';

/** The methods that may reach the app twice without harm (RFC 9110, 9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** An idle connection that the app is closing breaks at once. Later, the app has worked on the request. */
const TRY_AGAIN_MS = 1_000;

export interface Route {
  link: AppLink;
  address: AppAddress;
  /** Longest request body. */
  maxBodyBytes: number;
  /** Undefined: answers are passed on as they are. */
  compression: Compression | undefined;
  /** Called if the app gave no answer; the visitor still waits for one. */
  onNoAnswer: (error: Error) => void;
}

/** Relays the app's answer to the visitor, or calls `onNoAnswer`. Ends the app's request if the visitor leaves. */
export function forwardRequest(visit: Visit, route: Route): void {
  const names = chooseNames(visit, route.address);
  const request = describeRequest(visit, route, names);
  const { compression } = route;
  const begun = performance.now();
  const onNoAnswer = (error: Error) => {
    const isEarly = !relay.hasBegun && performance.now() - begun < TRY_AGAIN_MS;
    const mayAgain = isEarly && mayTryAgain(visit.request, error);
    const again = mayAgain ? route.link.selectFresh(route.address) : undefined;
    if (again === undefined) route.onNoAnswer(error);
    else again.dispatch(request, new AnswerRelay(visit, names, route.onNoAnswer, compression));
  };
  const relay = new AnswerRelay(visit, names, onNoAnswer, compression);
  const kept = route.link.select(route.address);
  // After a body that the app may not have read, the connection is not used again.
  const once = route.address.leavesBodies && hasBody(visit.request);
  const connections = once ? (route.link.selectFresh(route.address) ?? kept) : kept;
  connections.dispatch(request, relay);
}

/** The request for the app: the target unchanged, a head of our own, the body streamed. */
export function describeRequest(visit: Visit, route: Route, names: Names): RequestMessage {
  const { request } = visit;
  const headers = renderRequestHeaders(request.rawHeaders, names, visit.visitorAddress);
  if (request.headers.range === undefined) route.compression?.tags.restore(headers);
  return {
    method: request.method ?? 'GET',
    target: readTarget(request),
    headers,
    body: chooseBody(visit, route),
  };
}

/** What verification or the queue has read of a request without a body is empty: the app must not see it as a body. */
function chooseBody(visit: Visit, route: Route): RequestMessage['body'] {
  if (visit.body !== undefined) return visit.body.length > 0 ? visit.body : undefined;
  return hasBody(visit.request) ? openUpload(visit, route) : undefined;
}

/** The app may close an idle connection at the moment we send on it; the visitor should not notice. */
function mayTryAgain(request: HttpRequest, error: Error): boolean {
  return (
    IDEMPOTENT.has(request.method ?? '') &&
    !hasBody(request) &&
    (isClientError(error, 'ERR_APP_CLOSED') || hasCode(error, 'ECONNRESET', 'EPIPE'))
  );
}
