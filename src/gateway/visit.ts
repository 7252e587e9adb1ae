// One visit: what every pass of the gateway gets to decide on, and to answer with.

import type { Duplex } from 'node:stream';
import type { HttpRequest, HttpResponse } from '../shared/http-message.ts';
import type { AppState } from '../shared/state.ts';
import type { OwnAddress } from './own-address.ts';

export interface Visit {
  readonly request: HttpRequest;
  /** On an upgrade too: an answer other than 101 is written through it, and then the connection is closed. */
  readonly response: HttpResponse;
  /** The app as it was when the visit began. */
  readonly app: AppState;
  /** What the preview was called from outside then; undefined before it was known. */
  readonly address: OwnAddress | undefined;
  /** Fields the gateway adds to the app's answer; passes may add more. */
  readonly ownHeaders: [name: string, value: string][];
  /** The visitor has shown the key, or needs none: its connection counts as authenticated from now on. */
  readonly markAuthenticated: () => void;
  /** The visitor holds its body back until it is told to go on (RFC 9110, 10.1.1). */
  readonly awaitsContinue: boolean;
  /** Set if the visitor asks for a WebSocket. */
  readonly upgrade: Upgrade | undefined;
}

/** A connection that may become a WebSocket. */
export interface Upgrade {
  readonly socket: Duplex;
  /** The bytes that came behind the request. */
  readonly head: Buffer;
  /** Takes `response` off the socket, which is the caller's from then on. */
  detachResponse(): void;
}

/** Where the servers of downstream/ hand their visits, and what a visit contains that its connection does not tell. */
export interface VisitHandler {
  readApp(): AppState;
  readAddress(): OwnAddress | undefined;
  handle(visit: Visit): void;
}

/** The request target exactly as it came; never parsed against a base, which would let `//host` choose a host. */
export function readTarget(request: HttpRequest): string {
  return request.url ?? '';
}

/** The target without its query, which may hold a key: fit for a log once sanitised. */
export function readPath(request: HttpRequest): string {
  const target = readTarget(request);
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

/** True where the request announces a body (RFC 9112, 6.3). */
export function hasBody(request: HttpRequest): boolean {
  return (
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0
  );
}
