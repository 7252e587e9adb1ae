// The route that sends a captured request again. Used by api.ts.

import * as v from 'valibot';
import { InputError } from '../../shared/errors.ts';
import { ReplayError, type ReplayOrder } from '../../shared/replay.ts';
import { ReplayOrderSchema } from '../../shared/replay-json.ts';
import { type Call, CallError, checkParameters, parseJson, readText, send } from '../call.ts';
import { readDescription } from './description.ts';
import { findRequest } from './routes.ts';

/** An order is a URL and a word. */
const MAX_ORDER_BYTES = 16 * 1024;

const STATUS: Readonly<Record<ReplayError['kind'], number>> = {
  impossible: 409,
  'app away': 503,
  'no answer': 502,
};

export async function replayRequest(call: Call): Promise<void> {
  const { controls, path, query, request, response } = call;
  checkParameters(query, ['redact']);
  const description = readDescription(call);
  const captured = findRequest(controls.requests, path.id ?? '');
  const order = parseOrder(await readText(request, MAX_ORDER_BYTES));
  try {
    send(response, 200, description.ofReplay(await controls.replay(captured, order)));
  } catch (error) {
    if (error instanceof ReplayError) throw new CallError(STATUS[error.kind], error.message);
    throw error;
  }
}

/** An empty body asks for a replay to the app. */
function parseOrder(text: string): ReplayOrder {
  const given = text.trim() === '' ? {} : parseJson(text);
  const order = v.safeParse(ReplayOrderSchema, given);
  // To valibot a list is an object, too.
  if (!order.success || Array.isArray(given))
    throw new InputError(
      'the body is not like {"to": "https://example.com/hooks", "re_sign": true}: both may be left out',
    );
  const { to, re_sign: reSign = false } = order.output;
  return { to: to === undefined ? undefined : parseUrl(to), reSign };
}

/** The URL is not quoted: it may hold a password. */
function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw new InputError('`to` is not a URL like https://example.com/hooks');
  if (url.username !== '' || url.password !== '')
    throw new InputError(
      '`to` has a user or a password: leave them out, the request is sent with its own header fields',
    );
  return url;
}
