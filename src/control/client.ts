// Talks to the control API: main, post, stop and the `expose` command.

import * as v from 'valibot';
import { type StateMessage, StateMessageSchema } from './messages.ts';

const ErrorSchema = v.object({ success: v.literal(false), error: v.string() });

/** How long an answer may take; ending an exposure drains its visitors for up to 5 s. */
const ANSWER_TIMEOUT_MS = 10_000;

export interface ControlAddress {
  controlUrl: string;
  controlToken: string;
}

/** Calls a route such as `POST /api/stop` and returns its JSON. Throws with the API's own error text. */
export async function callControl(
  address: ControlAddress,
  route: `${'GET' | 'POST'} /api/${string}`,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<unknown> {
  const [method = '', path = ''] = route.split(' ');
  const response = await fetch(`${address.controlUrl}${path}`, {
    method,
    headers: { Authorization: `Bearer ${address.controlToken}` },
    signal: AbortSignal.timeout(timeoutMs),
  });
  const body: unknown = await response.json();
  if (!response.ok)
    throw new Error(v.is(ErrorSchema, body) ? body.error : `the API answered ${response.status}`);
  return body;
}

/** The state now. */
export async function readState(address: ControlAddress): Promise<StateMessage> {
  return v.parse(StateMessageSchema, await callControl(address, 'GET /api/tunnel/status'));
}

/** Every state from the present one on; ends when the exposure's process does, or with the signal. */
export async function* followStates(
  address: ControlAddress,
  signal: AbortSignal,
): AsyncGenerator<StateMessage> {
  try {
    const response = await fetch(`${address.controlUrl}/api/events`, {
      headers: { Authorization: `Bearer ${address.controlToken}` },
      signal,
    });
    if (!response.ok || response.body === null) return;
    for await (const data of readEvents(response.body)) yield v.parse(StateMessageSchema, JSON.parse(data));
  } catch (error) {
    // The stream breaks off when its process is gone: whoever follows it learns that from the process itself.
    if (!signal.aborted && !(error instanceof TypeError)) throw error;
  }
}

/** The `data` of each server-sent event; our own events have one data line each. */
async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = '';
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + text).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const line = event.split('\n').find(part => part.startsWith('data: '));
      if (line !== undefined) yield line.slice('data: '.length);
    }
  }
}
