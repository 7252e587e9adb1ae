// The answer to one HTTP/2 request, written as the gateway's passes, and handlers in this process, write answers. Used by
// http2-session.ts.

import type { OutgoingHttpHeaders } from 'node:http';
import { constants, type OutgoingHttpHeaders as Http2Headers, type ServerHttp2Stream } from 'node:http2';
import { Writable } from 'node:stream';
import type { HttpResponse } from '../../shared/http-message.ts';

/** They speak about a connection of HTTP/1, and make an HTTP/2 answer malformed (RFC 9113, 8.2.2). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** RFC 9110, 15: with 204 and 205 there is nothing to announce either. */
const NO_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** As much of an answer as waits for a visitor who reads slowly; undici hands over pieces of this size. */
const BUFFER_BYTES = 64 * 1024;

export interface Http2ResponseEvents {
  /** Before an answer that says `Connection: close`, as only the gateway's own do. */
  onLast: () => void;
  /** So many bytes of the body were taken off our hands; a stream of HTTP/2 does not count them. */
  onTaken: (bytes: number) => void;
}

export class Http2Response extends Writable implements HttpResponse {
  statusCode = 200;
  /** True from `writeHead` on: nothing of the head can be changed any more. */
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
    // The visitor took the request back, or is gone.
    stream.once('close', () => this.destroy());
  }

  setHeader(name: string, value: number | string | readonly string[]): this {
    if (this.headersSent) throw new Error('the head of this answer was written already');
    this.#fields.set(name.toLowerCase(), typeof value === 'object' ? [...value] : String(value));
    return this;
  }

  appendHeader(name: string, value: string | readonly string[]): this {
    if (this.headersSent) throw new Error('the head of this answer was written already');
    this.#add(name, typeof value === 'object' ? [...value] : value);
    return this;
  }

  /** As Node's: `writeHead(status, headers)` or `writeHead(status, reason, headers)`; HTTP/2 has no reasons. */
  writeHead(status: number, ...rest: (string | OutgoingHttpHeaders | readonly string[] | undefined)[]): this {
    const headers = rest.find(one => typeof one === 'object');
    this.statusCode = status;
    for (const [name, value] of listFields(headers)) this.#add(name, value);
    this.headersSent = true;
    return this;
  }

  flushHeaders(): void {
    this.headersSent = true;
    this.#respond(false);
  }

  writeContinue(): void {
    if (this.#stream.closed || this.#stream.destroyed || this.#hasResponded) return;
    this.#try(() => this.#stream.additionalHeaders({ ':status': 100 }));
  }

  /** Only of use before `end`. */
  addTrailers(trailers: OutgoingHttpHeaders | readonly (readonly [string, string])[]): void {
    const pairs = Array.isArray(trailers) ? trailers : Object.entries(trailers);
    for (const [name, value] of pairs) {
      const key = String(name).toLowerCase();
      if (CONNECTION_FIELDS.has(key)) continue;
      const before = this.#trailers[key];
      this.#trailers[key] = before === undefined ? value : [before, value].flat().map(String);
    }
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.headersSent = true;
    this.#respond(false);
    // Of a body that nobody may have, or wants any more, nothing is sent.
    if (this.#hasNoBody() || !this.#stream.writable) {
      done();
      return;
    }
    const goOn = () => {
      this.#events.onTaken(chunk.length);
      done();
    };
    if (this.#stream.write(chunk)) goOn();
    else this.#stream.once('drain', goOn);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.headersSent = true;
    this.#respond(true);
    if (this.#stream.writableFinished || !this.#stream.writable) done();
    else this.#stream.end(() => done());
  }

  /** Half an answer must not look like a whole one. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.writableFinished && !this.#stream.closed) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    done(error);
  }

  #hasNoBody(): boolean {
    return this.#isHead || NO_BODY.has(this.statusCode);
  }

  #add(name: string, value: string | string[]): void {
    const key = name.toLowerCase();
    const before = this.#fields.get(key);
    if (before === undefined) this.#fields.set(key, value);
    else this.#fields.set(key, [before, value].flat());
  }

  /** Sends the head, once; `isEnd`: nothing follows it. */
  #respond(isEnd: boolean): void {
    if (this.#hasResponded || this.#stream.closed || this.#stream.destroyed) return;
    this.#hasResponded = true;
    const head: Http2Headers = { ':status': this.statusCode };
    for (const [name, value] of this.#fields) if (!CONNECTION_FIELDS.has(name)) head[name] = value;
    if (this.#fields.get('connection') === 'close') this.#events.onLast();
    // Node sends no body with it, and a length without one would be an error to the visitor.
    if (this.statusCode === 205) delete head['content-length'];
    const endStream = this.#hasNoBody() || (isEnd && Object.keys(this.#trailers).length === 0);
    const waitForTrailers = !endStream && !this.#fields.has('content-length');
    if (waitForTrailers)
      this.#stream.once('wantTrailers', () => this.#try(() => this.#stream.sendTrailers(this.#trailers)));
    this.#try(() => this.#stream.respond(head, { endStream, waitForTrailers }));
  }

  /** A field that Node refuses after all costs this one answer. */
  #try(send: () => void): void {
    try {
      send();
    } catch (error) {
      if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** Of an object, or of names and values in turn. */
function listFields(
  headers: string | OutgoingHttpHeaders | readonly string[] | undefined,
): [string, string | string[]][] {
  if (headers === undefined || typeof headers === 'string') return [];
  if (isFlat(headers)) {
    const fields: [string, string][] = [];
    for (let index = 0; index + 1 < headers.length; index += 2)
      fields.push([headers[index] ?? '', headers[index + 1] ?? '']);
    return fields;
  }
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? [...value] : String(value)]],
  );
}

function isFlat(headers: OutgoingHttpHeaders | readonly string[]): headers is readonly string[] {
  return Array.isArray(headers);
}
