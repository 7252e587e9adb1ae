// One HTTP/2 request as the gateway's passes know requests. Used by http2-session.ts.

import type { IncomingHttpHeaders } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import type { HttpRequest } from '../../shared/http-message.ts';
import { forEachField, type RawHeaders } from '../raw-headers.ts';

/** Of a field that must stand once, the first counts, as in Node's own `headers`. */
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
  /** What depends on it in the passes is what HTTP/1.0 lacks. */
  readonly httpVersion = '1.1';
  readonly method: string;
  /** The target as it came, '' where there was none. */
  url: string;
  /** Without the pseudo fields, but with a `host`: names and values in turn. */
  rawHeaders: string[];
  headers: IncomingHttpHeaders;
  /** What ends with this request, and with no other of the visitor. */
  readonly socket: ServerHttp2Stream;
  /** Whether all of the body has come. */
  complete: boolean;
  #isListening = false;

  constructor(stream: ServerHttp2Stream, raw: RawHeaders) {
    super();
    const { pseudo, fields } = splitHead(raw);
    this.socket = stream;
    this.method = pseudo.get(':method') ?? '';
    this.url = pseudo.get(':path') ?? '';
    this.rawHeaders = renderFields(pseudo.get(':authority'), fields);
    this.headers = renderHeaders(this.rawHeaders);
    // An empty body may be over before anybody asks for it.
    this.complete = stream.endAfterHeaders || stream.readableEnded;
    // A body of unknown length, in the words of HTTP/1.
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

  /** Not before somebody wants the body: until then the visitor's window stays as it is. */
  #listen(): void {
    this.#isListening = true;
    this.socket.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) this.socket.pause();
    });
    this.socket.once('end', () => this.#finish());
  }

  /** Not where the visitor took the rest back: half a body must not look like a whole one. */
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
 * `:authority` becomes the Host; a Host beside it stays only where it says something else, for the guard to refuse
 * (RFC 9113, 8.3.1). The pieces of a cookie become one again (8.2.3).
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

/** As Node's own: lower-case names, repeated fields joined. */
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
