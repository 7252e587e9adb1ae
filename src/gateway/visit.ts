// One visit: a request, what is known about it, and the means to answer it. Built by the servers of downstream/, used
// by every pass.

import type { Duplex } from 'node:stream';
import { cutQuery, type HttpRequest, type HttpResponse } from '../shared/http-message.ts';
import { sanitise } from '../shared/sanitise.ts';
import type { AppState } from '../shared/state.ts';
import type { OwnAddress } from './own-address.ts';
import type { Recording } from './webhooks/record/recording.ts';

export interface Visit {
  readonly request: HttpRequest;
  /** For an upgrade too: an answer other than 101 is written to it, and then the connection is closed. */
  readonly response: HttpResponse;
  /** The app as it was when the visit began, or when its body had come if a pass has waited for that. */
  app: AppState;
  /** The preview's address at that moment; undefined before it is known. */
  readonly address: OwnAddress | undefined;
  /** The visitor's IP address; undefined without `trusted-proxy`, and if the proxy did not report one. */
  visitorAddress?: string | undefined;
  /** Header fields that the gateway adds to the app's answer; passes may add more. */
  readonly ownHeaders: [name: string, value: string][];
  /** Call this if the visitor has shown the key, or needs none. Its connection is authenticated from then on. */
  readonly markAuthenticated: () => void;
  /** With `trusted-proxy`, call this for each request: the connections of one visitor count together. */
  readonly nameVisitor: (visitor: string | undefined) => void;
  /**
   * Call this if the request has neither the key nor the password. Over HTTP/1.1, its connection is unauthenticated from
   * then on, because a proxy in front sends requests of many visitors over one. Does nothing over HTTP/2.
   */
  readonly markUnauthenticated: () => void;
  /** Access control sets this if nothing but the public path lets the request in. */
  isPublicOnly?: boolean;
  /** The visitor sends its body only after a 100 (RFC 9110, 10.1.1). */
  readonly awaitsContinue: boolean;
  /** Set if the request is on a captured path. */
  recording?: Recording | undefined;
  /** The whole body, if a pass has read it: the request's stream has ended then. */
  body?: Buffer;
  /** Set while the body is on its way to the app: if the app was not reached, gives it back, unread. */
  releaseBody?: () => void;
  /** Set if the visitor asks for a WebSocket. */
  readonly upgrade: Upgrade | undefined;
}

/** A connection that may become a WebSocket. */
export interface Upgrade {
  readonly socket: Duplex;
  /** The bytes that came behind the request. */
  readonly head: Buffer;
  /** Detaches `response` from the socket; from then on the caller owns the socket. */
  detachResponse(): void;
}

/** What the servers of downstream/ need: the parts of a visit that do not come from its connection, and its handler. */
export interface VisitHandler {
  readApp(): AppState;
  readAddress(): OwnAddress | undefined;
  handle(visit: Visit): void;
}

/** The request target exactly as received. Do not parse it against a base URL: `//host` would choose another host. */
export function readTarget(request: HttpRequest): string {
  return request.url ?? '';
}

/** The target without its query, because that may contain the key. Sanitise the path before it is logged. */
export function readPath(request: HttpRequest): string {
  return cutQuery(readTarget(request));
}

/** The length of the target and of all fields, in characters. */
export function measureHead({ rawHeaders, url = '' }: Pick<HttpRequest, 'rawHeaders' | 'url'>): number {
  return rawHeaders.reduce((length, text) => length + text.length, url.length);
}

/** Whether the request announces a body (RFC 9112, 6.3). */
export function hasBody(request: HttpRequest): boolean {
  return (
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
  );
}

/** Method and path, and the visitor's address if it is known, fit for a log. */
export function describeVisit({ request, visitorAddress }: Visit): string {
  const what = sanitise(`${request.method} ${readPath(request)}`);
  return visitorAddress === undefined ? what : `${what} from ${visitorAddress}`;
}
