// One call of the API: what a route gets, and how it answers. Used by api.ts and by the files that hold its routes.

import type { RequestLog } from '../shared/captured-request.ts';
import type { HttpRequest, HttpResponse } from '../shared/http-message.ts';
import type { EndReason, ExposureState } from '../shared/state.ts';

/** What the API may do with an exposure. */
export interface Controls {
  readonly state: ExposureState;
  readonly requests: RequestLog;
  /** Calls back with every later state; returns the function that unsubscribes. */
  subscribe(listener: (state: ExposureState) => void): () => void;
  /** Resolves when Connected; otherwise rejects with a TunnelError. */
  startTunnel(): Promise<void>;
  stopTunnel(): Promise<void>;
  /** Ends the exposure; resolves when all its parts have ended. */
  stop(reason: EndReason): Promise<void>;
  describeApp(): { pid: number | undefined; console: readonly string[] };
}

export interface Call {
  controls: Controls;
  /** The event streams that are open. */
  streams: Set<HttpResponse>;
  query: URLSearchParams;
  request: HttpRequest;
  response: HttpResponse;
}

export type Route = (call: Call) => Promise<void> | void;

/** Answers with JSON, which is not cached. */
export function send(
  response: HttpResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers });
  response.end(`${JSON.stringify(body)}\n`);
}

/** Answers `{"success":false,"error"}`. */
export function refuse(
  response: HttpResponse,
  status: number,
  error: string,
  headers?: Record<string, string>,
): void {
  send(response, status, { success: false, error }, headers);
}
