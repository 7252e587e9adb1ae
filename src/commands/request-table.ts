// Captured requests as people name them, by their ids, and read them: one line each, or one request whole. Used by the
// commands about requests. What strangers sent is sanitised when it is printed.

import { renderCount } from '../shared/count.ts';
import { InputError } from '../shared/errors.ts';
import type { RequestMessage } from '../shared/request-json.ts';
import { sanitise } from '../shared/sanitise.ts';

const MAX_TARGET_LENGTH = 100;
/** A longer body is cut; --json has all of it. */
const MAX_BODY_LENGTH = 20_000;
const HEX_BYTES = 512;
const HEX_ROW = 16;

/** The id of a captured request, as an argument. Throws an InputError. */
export function parseRequestId(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new InputError(`'${text}' is not the id of a request: they are 1, 2, 3 …`);
  return Number(text);
}

/** A line for each: id, time (UTC), method, target, status, size, the sender's address if it is known, and what is special. */
export function renderTable(requests: readonly RequestMessage[]): string {
  return requests.map(renderRow).join('\n');
}

export function renderRow(request: RequestMessage): string {
  const { id, received_at, method, target, body_bytes, visitor_address } = request;
  const columns = [
    String(id).padStart(5),
    received_at.slice(11, 19),
    sanitise(method, 20).padEnd(6),
    sanitise(target, MAX_TARGET_LENGTH),
    describeAnswer(request),
    renderCount(body_bytes, 'byte'),
    ...(visitor_address === null ? [] : [`from ${visitor_address}`]),
    ...describeSpecial(request),
  ];
  return columns.join('  ');
}

function describeAnswer({ status, finished }: RequestMessage): string {
  if (status !== null) return `→ ${status}`;
  return finished ? 'no answer' : 'no answer yet';
}

function describeSpecial(request: RequestMessage): string[] {
  const { refusal, problem, verified, handshake, duplicate_of, replay_of, delivery } = request;
  return [
    refusal === null ? undefined : `refused: ${refusal}`,
    problem === null ? undefined : `problem: ${sanitise(problem)}`,
    verified === null ? undefined : `signed (${verified})`,
    handshake === null ? undefined : `handshake (${handshake})`,
    duplicate_of === null ? undefined : `again (first: ${duplicate_of})`,
    replay_of === null ? undefined : `replay of ${replay_of}`,
    delivery === null ? undefined : describeDelivery(delivery),
  ].filter(text => text !== undefined);
}

function describeDelivery({ status, dropped }: NonNullable<RequestMessage['delivery']>): string {
  if (dropped !== null) return `never delivered: ${dropped}`;
  return status === null ? 'waits for the app' : `delivered later (${status})`;
}

/** One request: the line, its header fields, and its body: JSON indented, text as it is, other bytes as hexadecimal. */
export function renderWhole(request: RequestMessage): string {
  const headers = request.headers.map(([name, value]) => `${name}: ${value}`);
  const body = renderBody(request);
  return [renderRow(request), '', ...headers, ...(body === '' ? [] : ['', body])].join('\n');
}

function renderBody({ body, body_encoding, body_bytes }: RequestMessage): string {
  if (body === null || body === '') return '';
  const bytes = Buffer.from(body, body_encoding ?? 'utf8');
  const text = body_encoding === 'base64' ? renderHex(bytes) : indentJson(body);
  const [shown, isCut] = [text.slice(0, MAX_BODY_LENGTH), text.length > MAX_BODY_LENGTH];
  const isWhole =
    !isCut && bytes.length === body_bytes && !(body_encoding === 'base64' && bytes.length > HEX_BYTES);
  return isWhole
    ? shown
    : `${shown}\n… (${renderCount(body_bytes, 'byte')} in all; --json prints what is kept)`;
}

const TOKEN = /"(?:[^"\\]+|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;

/** JSON with each member on a line of its own, and otherwise as it came: numbers keep their digits. */
function indentJson(text: string): string {
  if (!isJson(text)) return text;
  const parts: string[] = [];
  let [last, depth] = ['', 0];
  for (const [token] of text.matchAll(TOKEN)) {
    const [opens, closes] = [token === '{' || token === '[', token === '}' || token === ']'];
    const wasOpened = last === '{' || last === '[';
    if (closes) depth -= 1;
    // `{}` and `[]` stay together.
    if (last === ',' || wasOpened !== closes) parts.push(`\n${'  '.repeat(depth)}`);
    parts.push(token === ':' ? ': ' : token);
    if (opens) depth += 1;
    last = token;
  }
  return parts.join('');
}

function isJson(text: string): boolean {
  try {
    return JSON.parse(text) !== undefined;
  } catch {
    return false;
  }
}

/** Rows of `00000000  68 65 6c 6c 6f …  hello`. */
function renderHex(bytes: Buffer): string {
  const rows: string[] = [];
  for (let offset = 0; offset < Math.min(bytes.length, HEX_BYTES); offset += HEX_ROW) {
    const row = bytes.subarray(offset, Math.min(offset + HEX_ROW, HEX_BYTES));
    const hex = [...row].map(byte => byte.toString(16).padStart(2, '0')).join(' ');
    const text = row.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '.');
    rows.push(`${offset.toString(16).padStart(8, '0')}  ${hex.padEnd(3 * HEX_ROW)} ${text}`);
  }
  return rows.join('\n');
}
