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

/**
 * Calls a route such as `POST /api/stop`, with `sent` as the JSON of its body; resolves with its JSON. Rejects with the
 * API's own error text.
 */
export async function callControl(
  address: ControlAddress,
  route: Route,
  timeoutMs = ANSWER_TIMEOUT_MS,
  sent?: object,
): Promise<unknown> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await send(address, route, signal, sent);
    const body: unknown = await json(response);
    if (isSuccess(response)) return body;
    throw new Error(v.is(ErrorSchema, body) ? body.error : `the API answered ${response.statusCode}`);
  } catch (error) {
    // Node's own error only says that the request was aborted.
    signal.throwIfAborted();
    throw error;
  }
}

type Route = `${'GET' | 'POST' | 'DELETE'} /api/${string}`;

function send(
  address: ControlAddress,
  route: Route,
  signal: AbortSignal,
  sent?: object,
): Promise<IncomingMessage> {
  const [method = '', path = ''] = route.split(' ');
  const body = sent && JSON.stringify(sent);
  const headers = {
    Authorization: `Bearer ${address.controlToken}`,
    ...(body !== undefined && { 'Content-Type': 'application/json' }),
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

function isConnectionLost(error: unknown): boolean {
  return hasCode(error, 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE');
}

interface ServerEvent {
  type: string;
  data: string;
}

/** Server-sent events. The API writes one `event` line and one `data` line for each. */
async function* readEvents(body: IncomingMessage): AsyncGenerator<ServerEvent> {
  let rest = '';
  // Decoded by the stream: a character may be split over two chunks.
  body.setEncoding('utf8');
  for await (const text of body) {
    const events = `${rest}${text}`.split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const lines = event.split('\n');
      const read = (field: string) =>
        lines.find(line => line.startsWith(`${field}: `))?.slice(field.length + 2);
      const data = read('data');
      if (data !== undefined) yield { type: read('event') ?? 'message', data };
    }
  }
}
