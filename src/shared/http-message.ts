// The types of a request and its response: what Node's classes for HTTP/1.1 and the gateway's classes for HTTP/2 have
// in common. Used by gateway/, control/ and app/web/.

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { Duplex, Readable, Writable } from 'node:stream';

/** The methods that change nothing (RFC 9110, 9.2.1), apart from TRACE, which the gateway refuses. */
export const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** A request target without its query. */
export function cutQuery(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

/** The stream is the body. */
export interface HttpRequest extends Readable {
  readonly httpVersion: string;
  /** The version on the wire, if `httpVersion` is another one. */
  readonly wireVersion?: string;
  readonly method?: string | undefined;
  /** The request target as it came, until a pass removes a key from it. */
  url?: string | undefined;
  headers: IncomingHttpHeaders;
  /** Names and values in turn, as on the wire. */
  rawHeaders: string[];
  /** HTTP/1.1: the connection. HTTP/2: the stream of this request alone. */
  readonly socket: Duplex;
}

/** The stream is the body. */
export interface HttpResponse extends Writable {
  statusCode: number;
  readonly headersSent: boolean;
  setHeader(name: string, value: number | string | readonly string[]): this;
  appendHeader(name: string, value: string | readonly string[]): this;
  writeHead(status: number, headers?: OutgoingHttpHeaders | string[]): this;
  writeHead(status: number, reason: string, headers: OutgoingHttpHeaders | string[]): this;
  flushHeaders(): void;
  /** Sends 100 (Continue). */
  writeContinue(): void;
  /** Sends another interim response (1xx); Node has it for HTTP/1.1 since 24.18, and the runner's Node may be older. */
  writeInformation?(status: number, headers: string[]): unknown;
  /** Only before `end`. */
  addTrailers(trailers: readonly [name: string, value: string][]): void;
}
