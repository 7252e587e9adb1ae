// Makes an HTTP/2 answer look like Node's HTTP/1.1 response, so that the passes, and handlers in this process, can
// write both. Used by http2-session.ts.

import type { OutgoingHttpHeaders } from 'node:http';
import { constants, type OutgoingHttpHeaders as Http2Headers, type ServerHttp2Stream } from 'node:http2';
import { Writable } from 'node:stream';
import { toError } from '../../shared/errors.ts';
import type { HttpResponse } from '../../shared/http-message.ts';
import { forEachField, type RawHeaders } from '../raw-headers.ts';

/** These fields describe an HTTP/1 connection, and would make an HTTP/2 answer malformed (RFC 9113, 8.2.2). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** Statuses whose answers have no body (RFC 9110, 15). */
const NO_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * How much of an answer is buffered for a visitor who reads slowly. As much is written at a time: stalled-readers.ts sees a
 * slow visitor's progress in whole pieces.
 */
const BUFFER_BYTES = 64 * 1024;

export interface Http2ResponseEvents {
  /** Called before an answer with `Connection: close`; only the gateway's own answers have it. */
  onLast: () => void;
  /** Called with the number of body bytes that the HTTP/2 stream has accepted; it does not count them itself. */
  onTaken: (bytes: number) => void;
}

export class Http2Response extends Writable implements HttpResponse {
  statusCode = 200;
  /** True from `writeHead` on: after that the head cannot be changed. */
  headersSent = false;
  readonly #stream: ServerHttp2Stream;
  readonly #isHead: boolean;
  readonly #events: Http2ResponseEvents;
  #fields = new Map<string, string | string[]>();
  #trailers: Http2Headers = {};
  #hasResponded = false;

  constructor(stream: ServerHttp2Stream, method: string, events: Http2ResponseEvents) {
    super({ highWaterMark: BUFFER_BYTES });
    this.#stream = stream;
    this.#events = events;
    this.#isHead = method === 'HEAD';
    // The visitor cancelled the request, or is gone.
    stream.once('close', () => this.destroy());
  }

  setHeader(name: string, value: number | string | readonly string[]): this {
    if (this.headersSent) throw new Error('the head of this answer is already written');
    this.#fields.set(name.toLowerCase(), typeof value === 'object' ? [...value] : String(value));
    return this;
  }

  appendHeader(name: string, value: string | readonly string[]): this {
    if (this.headersSent) throw new Error('the head of this answer is already written');
    this.#add(name, typeof value === 'object' ? [...value] : value);
    return this;
  }

  /** As Node's: `writeHead(status, headers)` or `writeHead(status, reason, headers)`; HTTP/2 has no reasons. */
  writeHead(status: number, ...rest: (string | OutgoingHttpHeaders | RawHeaders | undefined)[]): this {
    this.statusCode = status;
    const headers = rest.find(one => typeof one === 'object');
    if (headers !== undefined) this.#addAll(headers);
    this.headersSent = true;
    return this;
  }

  flushHeaders(): void {
    this.headersSent = true;
    this.#respond('more');
  }

  writeContinue(): void {
    if (this.#stream.closed || this.#stream.destroyed || this.#hasResponded) return;
    this.#try(() => this.#stream.additionalHeaders({ ':status': 100 }));
  }

  addTrailers(trailers: readonly (readonly [name: string, value: string])[]): void {
    for (const [name, value] of trailers) {
      const key = name.toLowerCase();
      if (CONNECTION_FIELDS.has(key)) continue;
      const before = this.#trailers[key];
      this.#trailers[key] = before === undefined ? value : [before, value].flat().map(String);
    }
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.headersSent = true;
    // Later, because the end often comes in the same tick: then the answer needs no empty frame that ends it, which would
    // be a TLS record and a write of its own.
    process.nextTick(() => {
      const isLast = this.writableEnded && this.writableLength === chunk.length;
      this.#respond(isLast ? 'one chunk' : 'more');
      this.#send(chunk, isLast, done);
    });
  }

  /** `isLast`: nothing follows the chunk. */
  #send(chunk: Buffer, isLast: boolean, done: () => void): void {
    const piece = chunk.subarray(0, BUFFER_BYTES);
    const rest = chunk.subarray(piece.length);
    const goOn = () => {
      this.#events.onTaken(piece.length);
      if (rest.length > 0) this.#send(rest, isLast, done);
      else done();
    };
    // Drops the body if the status allows none, or the visitor has cancelled the request.
    if (this.#hasNoBody() || !this.#stream.writable) done();
    else if (isLast && rest.length === 0) this.#stream.end(piece, goOn);
    else if (this.#stream.write(piece)) goOn();
    else this.#stream.once('drain', goOn);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.headersSent = true;
    this.#respond('nothing');
    if (this.#stream.writableFinished || !this.#stream.writable) done();
    else this.#stream.end(() => done());
  }

  /** An incomplete answer must not look complete. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.writableFinished && !this.#stream.closed) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    done(error);
  }

  #hasNoBody(): boolean {
    return this.#isHead || NO_BODY.has(this.statusCode);
  }

  #addAll(headers: OutgoingHttpHeaders | RawHeaders): void {
    if (isRaw(headers)) {
      forEachField(headers, (name, value) => this.#add(name, value));
      return;
    }
    for (const [name, value] of Object.entries(headers))
      if (value !== undefined) this.#add(name, Array.isArray(value) ? [...value] : String(value));
  }

  #add(name: string, value: string | string[]): void {
    const key = name.toLowerCase();
    const before = this.#fields.get(key);
    if (before === undefined) this.#fields.set(key, value);
    else this.#fields.set(key, [before, value].flat());
  }

  /** Sends the head, once; `rest`: what follows it, apart from trailers. */
  #respond(rest: 'nothing' | 'one chunk' | 'more'): void {
    if (this.#hasResponded || this.#stream.closed || this.#stream.destroyed) return;
    this.#hasResponded = true;
    const head: Http2Headers = { ':status': this.statusCode };
    for (const [name, value] of this.#fields) if (!CONNECTION_FIELDS.has(name)) head[name] = value;
    if (this.#fields.get('connection') === 'close') this.#events.onLast();
    // Node sends no body with 205, and a length without a body would be an error for the visitor.
    if (this.statusCode === 205) delete head['content-length'];
    const hasTrailers = Object.keys(this.#trailers).length > 0;
    const endStream = this.#hasNoBody() || (rest === 'nothing' && !hasTrailers);
    const mayHaveTrailers = hasTrailers || rest === 'more';
    const waitForTrailers = !endStream && mayHaveTrailers && !this.#fields.has('content-length');
    if (waitForTrailers)
      this.#stream.once('wantTrailers', () => this.#try(() => this.#stream.sendTrailers(this.#trailers)));
    this.#try(() => this.#stream.respond(head, { endStream, waitForTrailers }));
  }

  /** If Node refuses a field, only this answer fails, not the session. */
  #try(send: () => void): void {
    try {
      send();
    } catch (error) {
      if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      this.destroy(toError(error));
    }
  }
}

function isRaw(headers: OutgoingHttpHeaders | RawHeaders): headers is RawHeaders {
  return Array.isArray(headers);
}
