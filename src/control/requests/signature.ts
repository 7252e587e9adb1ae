// The route that says whether a request is signed rightly. Used by api.ts.

import * as v from 'valibot';
import type { CapturedRequest } from '../../shared/captured-request.ts';
import { InputError } from '../../shared/errors.ts';
import { SignatureOrderSchema, type SignatureQuestion, splitUrl } from '../../shared/signature-check.ts';
import { type Call, CallError, checkParameters, parseJson, readText, send } from '../call.ts';
import { findRequest } from './routes.ts';

/** A body of 1 MB, which is as much as the gateway checks, in base64 and as JSON. */
const MAX_ORDER_BYTES = 4 * 1024 ** 2;

export async function checkSignature({ controls, query, request, response }: Call): Promise<void> {
  checkParameters(query, []);
  const order = parseOrder(await readText(request, MAX_ORDER_BYTES));
  const { id, rule } = order;
  const at = order.at === undefined ? undefined : new Date(order.at);
  const question =
    order.request !== undefined
      ? readSent(order.request)
      : readCaptured(findRequest(controls.requests, String(id)));
  send(response, 200, controls.checkSignature({ ...question, rule, at: at ?? question.at }));
}

type Order = v.InferOutput<typeof SignatureOrderSchema>;
type Question = Omit<SignatureQuestion, 'rule'>;

/** What is wrong is not quoted: the order may hold a secret. */
function parseOrder(text: string): Order {
  const order = v.safeParse(SignatureOrderSchema, parseJson(text));
  if (!order.success) {
    const [issue] = order.issues;
    throw new InputError(
      `the body is not like {"id": 3} or {"request": {"url", "headers", "body"}, "rule": {"provider", "secret"}}: look at \`${v.getDotPath(issue) ?? 'the whole'}\``,
    );
  }
  if ((order.output.id === undefined) === (order.output.request === undefined))
    throw new InputError('give either `id`, of a recorded request, or `request`');
  return order.output;
}

function readSent({ method, url, headers, body, body_encoding }: NonNullable<Order['request']>): Question {
  const parts = splitUrl(url);
  if (parts === undefined)
    throw new InputError('`url` is not a URL like https://preview.example/webhooks/github');
  const { origin, target } = parts;
  return {
    request: {
      method,
      target,
      rawHeaders: headers.flat(),
      body: Buffer.from(body, body_encoding),
    },
    origin,
    at: new Date(),
  };
}

function readCaptured({
  id,
  method,
  target,
  rawHeaders,
  body,
  bodyBytes,
  receivedAt,
}: CapturedRequest): Question {
  if (body.length < bodyBytes)
    throw new CallError(
      409,
      `request ${id} cannot be checked: only the first ${body.length} of the ${bodyBytes} bytes of its body were kept`,
    );
  return { request: { method, target, rawHeaders, body }, origin: undefined, at: receivedAt };
}
