// The client of the control API. Used by main, post, stop and the `expose` command.

import type { IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import * as v from 'valibot';
import { hasCode } from '../shared/errors.ts';
import { requestLoopback } from '../shared/loopback.ts';
import { type StateMessage, StateMessageSchema } from '../shared/state-json.ts';

const ErrorSchema = v.object({ success: v.literal(false), error: v.string() });

/** How long a response may take; ending an exposure drains its visitors for up to 5 s. */
const ANSWER_TIMEOUT_MS = 10_000;

export interface ControlAddress {
  controlUrl: string;
  controlToken: string;
}

/** The API's refusal; `status` is the HTTP status. */
export class ControlError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ControlError';
    this.status = status;
  }
}

/**
 * Calls a route such as `POST /api/stop`, with `sent` as the JSON of its body; resolves with its JSON. Rejects with a
 * ControlError that has the API's own text.
 */
export async function callControl(
  address: ControlAddress,
  route: Route,
  timeoutMs = ANSWER_TIMEOUT_MS,
  sent?: object,
): Promise<unknown> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await send(address, route, signal, { sent });
    const body: unknown = await json(response);
    if (isSuccess(response)) return body;
    throw toError(response, body);
  } catch (error) {
    // Node's own error only says that the request was aborted.
    signal.throwIfAborted();
    throw error;
  }
}

function toError({ statusCode = 0 }: IncomingMessage, body: unknown): ControlError {
  return new ControlError(
    statusCode,
    v.is(ErrorSchema, body) ? body.error : `the API answered ${statusCode}`,
  );
}

type Route = `${'GET' | 'POST' | 'DELETE'} /api/${string}`;

function send(
  address: ControlAddress,
  route: Route,
  signal: AbortSignal,
  { sent, accept }: { sent?: object | undefined; accept?: string } = {},
): Promise<IncomingMessage> {
  const [method = '', path = ''] = route.split(' ');
  const body = sent && JSON.stringify(sent);
  const headers = {
    Authorization: `Bearer ${address.controlToken}`,
    ...(body !== undefined && { 'Content-Type': 'application/json' }),
    ...(accept !== undefined && { Accept: accept }),
  };
  return requestLoopback(`${address.controlUrl}${path}`, { method, headers, signal, body });
}

function isSuccess({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

/** The current state. */
export async function readState(address: ControlAddress): Promise<StateMessage> {
  return v.parse(StateMessageSchema, await callControl(address, 'GET /api/tunnel/status'));
}

const InspectorSchema = v.object({ public_inspector_url: v.nullable(v.string()) });

/** The public inspector's link, with its key, even where it is not published; undefined if there is none. */
export async function readInspectorUrl(address: ControlAddress): Promise<string | undefined> {
  const document = v.parse(InspectorSchema, await callControl(address, 'GET /api/inspector'));
  return document.public_inspector_url ?? undefined;
}

/** Every state from the current one on; ends with the exposure's process, or with the signal. */
export async function* followStates(
  address: ControlAddress,
  signal: AbortSignal,
): AsyncGenerator<StateMessage> {
  try {
    const response = await send(address, 'GET /api/events', signal);
    if (!isSuccess(response)) return void response.destroy();
    for await (const { type, data } of readEvents(response))
      if (type === 'state') yield v.parse(StateMessageSchema, JSON.parse(data));
  } catch (error) {
    // A stream that breaks off means that its process is gone, which callers check themselves.
    if (!signal.aborted && !isConnectionLost(error)) throw error;
  }
}

/** Whether the process at the other end is gone. */
export function isConnectionLost(error: unknown): boolean {
  return hasCode(error, 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE');
}

/**
 * The server-sent events of a route. Rejects with a ControlError if the API refuses, and as the connection does if it
 * breaks off.
 */
export async function* openEvents(
  address: ControlAddress,
  route: Route,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent> {
  const response = await send(address, route, signal, { accept: 'text/event-stream' });
  if (!isSuccess(response)) throw toError(response, await json(response).catch(() => undefined));
  yield* readEvents(response);
}

export interface ServerEvent {
  type: string;
  data: string;
}

/** Server-sent events. The API writes one `event` line and one `data` line for each; a line may have 100 MB. */
async function* readEvents(body: IncomingMessage): AsyncGenerator<ServerEvent> {
  let parts: string[] = [];
  // Decoded by the stream: a character may be split over two chunks.
  body.setEncoding('utf8');
  for await (const text of body) {
    const end = `${parts.at(-1)?.at(-1) ?? ''}${text}`;
    parts.push(String(text));
    // Joined once for each event: for each chunk, a long event would take minutes.
    if (!end.includes('\n\n')) continue;
    const events = parts.join('').split('\n\n');
    parts = [events.pop() ?? ''];
    for (const event of events) {
      const lines = event.split('\n');
      const read = (field: string) =>
        lines.find(line => line.startsWith(`${field}: `))?.slice(field.length + 2);
      const data = read('data');
      if (data !== undefined) yield { type: read('event') ?? 'message', data };
    }
  }
}
