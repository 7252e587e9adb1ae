// Writes a request as a curl command for any POSIX shell. Pure.

import type { RequestMessage } from '../../../shared/request-json.ts';

type Message = Pick<RequestMessage, 'method' | 'target' | 'headers' | 'body' | 'body_encoding'>;
type Replayable = Message & { body: string };

/** What curl writes itself from the URL and the body. */
const BY_CURL = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'expect']);
/** What curl adds unless it is told not to. */
const ADDED = ['User-Agent', 'Accept', 'Content-Type'];
/** Linux takes at most 128 KB as one argument. */
const LONGEST_ARGUMENT = 100_000;

/** `base` is the preview's URL without a slash at its end. */
export function renderCurl(message: Message, base: string): string {
  const request = { ...message, body: message.body ?? '' };
  const inPipe = isForPipe(request);
  const parts = [
    'curl -sS -i',
    ...renderMethod(request),
    ...renderTarget(request.target, base),
    ...renderHeaders(request.headers, request.body !== ''),
    ...(inPipe ? ['--data-binary @-'] : request.body === '' ? [] : [`--data-raw ${quote(request.body)}`]),
  ];
  const command = parts.join(' \\\n  ');
  if (!inPipe) return command;
  return `printf %s ${quote(toBase64(request))} | base64 -d | ${command}`;
}

function renderMethod({ method, body }: Replayable): string[] {
  if (method === (body === '' ? 'GET' : 'POST')) return [];
  // With -X HEAD, curl would wait for a body.
  return method === 'HEAD' ? ['--head'] : [`-X ${quote(method)}`];
}

/** curl would change some targets (dots, brackets, a fragment): those are given to it as they are. */
function renderTarget(target: string, base: string): string[] {
  const isPlain = /^\/[\w\-.~!$&'()*+,;=:@%/?]*$/.test(target) && !/\/\.{1,2}(\/|\?|$)/.test(target);
  return isPlain ? [quote(base + target)] : [quote(`${base}/`), `--request-target ${quoteBytes(target)}`];
}

function renderHeaders(headers: RequestMessage['headers'], hasBody: boolean): string[] {
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const removed = ADDED.filter(
    name => !given.has(name.toLowerCase()) && (hasBody || name !== 'Content-Type'),
  );
  return [
    ...headers.filter(([name]) => !BY_CURL.has(name.toLowerCase())).map(renderHeader),
    ...removed.map(name => `-H '${name}:'`),
  ];
}

/** A semicolon is curl's way to send a header without a value. */
function renderHeader([name, value]: [string, string]): string {
  return `-H ${quoteBytes(value === '' ? `${name};` : `${name}: ${value}`)}`;
}

/** Arguments cannot hold NUL, and terminals change some other bytes. */
function isForPipe({ body, body_encoding }: Replayable): boolean {
  return body_encoding === 'base64' || body.length > LONGEST_ARGUMENT || /[\0-\x08\x0b-\x1f\x7f]/.test(body);
}

/** In single quotes a shell takes everything as it is, apart from the quote itself. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Heads are read byte by byte (Latin-1): bytes beyond ASCII are written as escapes of printf. */
function quoteBytes(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return quote(text);
  const format = [...text].map(character => escapeByte(character)).join('');
  return `"$(printf ${quote(format)})"`;
}

function escapeByte(character: string): string {
  if (character === '%') return '%%';
  if (character === '\\') return '\\\\';
  const code = character.charCodeAt(0);
  return code > 0x1f && code < 0x7f ? character : `\\${code.toString(8).padStart(3, '0')}`;
}

function toBase64({ body, body_encoding }: Replayable): string {
  if (body_encoding === 'base64') return body;
  return btoa(Array.from(new TextEncoder().encode(body), byte => String.fromCharCode(byte)).join(''));
}
