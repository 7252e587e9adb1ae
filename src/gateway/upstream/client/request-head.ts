// Checks and writes the head of a request, with the fields about its connection. Used by connection.ts. Pure.

import { ClientError } from './errors.ts';
import type { RequestMessage } from './message.ts';

/** RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/;

/** RFC 9110, 5.5, each character a byte. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** A path: no white space, and no control character. */
const TARGET = /^\/[\x21-\x7e\x80-\xff]*$/;

/** As Node's parser, which accepts zeros before the number. */
const DIGITS = /^0*\d{1,15}$/;

/** These say where a message ends, or what is to become of its connection: only the client knows that. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/** Servers expect a body of these, so that an empty one needs a length (RFC 9110, 8.6). */
const WITH_BODY: ReadonlySet<string> = new Set(['PATCH', 'POST', 'PROPFIND', 'PROPPATCH', 'PUT', 'QUERY']);

export interface RequestHead {
  /** Without the field for the length, and without the empty line. */
  text: string;
  /** The value of `Content-Length`. */
  length: number | undefined;
}

/**
 * Throws a ClientError if the message cannot be written, or would be read by the app as something else than it is.
 * `keepsAlive`: whether the connection may be used for another request.
 */
export function renderRequestHead(message: RequestMessage, keepsAlive: boolean): RequestHead {
  const { method, target, headers, upgrade } = message;
  if (!TOKEN.test(method)) throw invalid('its method is not a token');
  if (!TARGET.test(target)) throw invalid('its target is not a path');
  if (upgrade !== undefined && !TOKEN.test(upgrade)) throw invalid('its upgrade is not a token');
  let [host, fields, length]: [string | undefined, string, number | undefined] = [undefined, '', undefined];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? '';
    const value = headers[index + 1] ?? '';
    if (!TOKEN.test(name) || !VALUE.test(value)) throw invalid('a header field is not valid');
    const key = name.toLowerCase();
    if (key === 'host') {
      if (host !== undefined) throw invalid('it has two Host fields');
      host = value;
    } else if (key === 'content-length') {
      if (length !== undefined || !DIGITS.test(value)) throw invalid('its Content-Length is not one number');
      length = Number(value);
    } else if (OWN_FIELDS.has(key)) throw invalid(`the field ${key} is not for the sender to write`);
    else fields += `${name}: ${value}\r\n`;
  }
  if (host === undefined) throw invalid('it has no Host field');
  const connection =
    upgrade === undefined ? (keepsAlive ? 'keep-alive' : 'close') : `upgrade\r\nupgrade: ${upgrade}`;
  const text = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: ${connection}\r\n${fields}`;
  return { text, length };
}

/** The whole head of a request with a body of this length. */
export function endWithLength(text: string, length: number): string {
  return `${text}content-length: ${length}\r\n\r\n`;
}

/** The head of a request with a chunked body, up to its last line break, with which each chunk begins. */
export function startChunked(text: string): string {
  return `${text}transfer-encoding: chunked\r\n`;
}

/** What ends the head of a request without a body. */
export function endWithoutBody(method: string): string {
  return WITH_BODY.has(method) ? 'content-length: 0\r\n\r\n' : '\r\n';
}

/**
 * Whether the connection may be used again after such a request: not if the server may take the body for another
 * request, or may send one where none belongs.
 */
export function mayReuse({ method, body, upgrade }: RequestMessage): boolean {
  return upgrade === undefined && method !== 'HEAD' && (body === undefined || WITH_BODY.has(method));
}

function invalid(problem: string): ClientError {
  return new ClientError('ERR_REQUEST_INVALID', `the request cannot be sent: ${problem}`);
}
