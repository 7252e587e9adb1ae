// Makes an HTTP/2 request look like Node's HTTP/1.1 request, so that the passes handle both. Used by http2-session.ts.

import type { IncomingHttpHeaders } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import type { HttpRequest } from '../../shared/http-message.ts';
import { forEachField, type RawHeaders } from '../raw-headers.ts';

/** If one of these fields is repeated, only the first value is kept, as in Node's own `headers`. */
const ONLY_FIRST: ReadonlySet<string> = new Set([
  'authorization',
  'content-length',
  'content-type',
  'host',
  'origin',
  'referer',
  'user-agent',
]);

export class Http2Request extends Readable implements HttpRequest {
  /** 1.1 for the passes: they need to know only that it is not 1.0. */
  readonly httpVersion = '1.1';
  readonly wireVersion = '2.0';
  readonly method: string;
  /** '' if the request had no target. */
  url: string;
  /** Contains `host` in place of the pseudo fields. */
  rawHeaders: string[];
  headers: IncomingHttpHeaders;
  /** The stream of this request alone. */
  readonly socket: ServerHttp2Stream;
  /** Whether the whole body has arrived. */
  complete: boolean;
  /** Of the body. */
  receivedBytes = 0;
  #isListening = false;

  constructor(stream: ServerHttp2Stream, raw: RawHeaders) {
    super();
    const { pseudo, fields } = splitHead(raw);
    this.socket = stream;
    this.method = pseudo.get(':method') ?? '';
    this.url = pseudo.get(':path') ?? '';
    this.rawHeaders = renderFields(pseudo.get(':authority'), fields);
    this.headers = renderHeaders(this.rawHeaders);
    // An empty body may have ended before it is read.
    this.complete = stream.endAfterHeaders || stream.readableEnded;
    // HTTP/1.1 announces a body of unknown length like this.
    if (!this.complete && this.headers['content-length'] === undefined)
      this.headers['transfer-encoding'] = 'chunked';
    if (this.complete) this.push(null);
    stream.once('close', () => this.destroy());
  }

  override _read(): void {
    if (this.complete) return;
    if (this.socket.readableEnded) this.#finish();
    else if (!this.#isListening) this.#listen();
    this.socket.resume();
  }

  /** Called only when the body is read: until then the visitor's flow-control window must not grow. */
  #listen(): void {
    this.#isListening = true;
    this.socket.on('data', (chunk: Buffer) => {
      this.receivedBytes += chunk.length;
      if (!this.push(chunk)) this.socket.pause();
    });
    this.socket.once('end', () => this.#finish());
  }

  /** Ends the body, unless the visitor cancelled the rest: an incomplete body must not look complete. */
  #finish(): void {
    if (this.socket.aborted || this.complete) return;
    this.complete = true;
    this.push(null);
  }
}

function splitHead(raw: RawHeaders): { pseudo: Map<string, string>; fields: [string, string][] } {
  const pseudo = new Map<string, string>();
  const fields: [string, string][] = [];
  forEachField(raw, (name, value) => {
    if (name.startsWith(':')) pseudo.set(name, value);
    else fields.push([name, value]);
  });
  return { pseudo, fields };
}

/**
 * `:authority` becomes the Host. An additional Host is kept only if it differs, so that the guard refuses the request
 * (RFC 9113, 8.3.1). Split cookie fields become one again (8.2.3).
 */
function renderFields(authority: string | undefined, fields: readonly [string, string][]): string[] {
  const raw = authority === undefined ? [] : ['host', authority];
  const cookies = fields.flatMap(([name, value]) => (name === 'cookie' ? [value] : []));
  let isCookieDone = false;
  for (const [name, value] of fields) {
    if (name === 'host' && value === authority) continue;
    if (name !== 'cookie') raw.push(name, value);
    else if (!isCookieDone) {
      isCookieDone = true;
      raw.push(name, cookies.join('; '));
    }
  }
  return raw;
}

/** As Node's own: names in lower case, repeated fields joined. */
function renderHeaders(raw: RawHeaders): IncomingHttpHeaders {
  const headers: Record<string, string | undefined> = Object.create(null);
  forEachField(raw, (name, value) => {
    const key = name.toLowerCase();
    const before = headers[key];
    if (before === undefined) headers[key] = value;
    else if (!ONLY_FIRST.has(key)) headers[key] = `${before}, ${value}`;
  });
  return { ...headers };
}
