// A captured request as JSON: what the control API sends and requests-file holds. One schema for both ends.

import { isUtf8 } from 'node:buffer';
import * as v from 'valibot';
import type { CapturedDelivery, CapturedRequest } from './captured-request.ts';

const DeliverySchema = v.object({
  queued_at: v.string(),
  attempts: v.number(),
  delivered_at: v.nullable(v.string()),
  /** The app's answer. */
  status: v.nullable(v.number()),
  duration_ms: v.nullable(v.number()),
  dropped_at: v.nullable(v.string()),
  /** Why it is not delivered any more. */
  dropped: v.nullable(v.string()),
});

export const RequestMessageSchema = v.object({
  id: v.number(),
  received_at: v.string(),
  method: v.string(),
  target: v.string(),
  http_version: v.string(),
  /** The IP address of its sender; null without `trusted-proxy`. */
  visitor_address: v.nullable(v.string()),
  /** In the order and the case in which they came. */
  headers: v.array(v.tuple([v.string(), v.string()])),
  /** Text if the bytes are valid UTF-8, otherwise base64; null if it was left out. */
  body: v.nullable(v.string()),
  body_encoding: v.nullable(v.picklist(['utf8', 'base64'])),
  /** Length of the whole body, or as much as has come. Redaction may change the length of `body`. */
  body_bytes: v.number(),
  /** Whether only the beginning of the body was kept. */
  body_cut: v.boolean(),
  refusal: v.nullable(v.string()),
  /** The provider of the `verify` rule whose secret has signed it. */
  verified: v.nullable(v.string()),
  /** Which handshake it is; null for a delivery. */
  handshake: v.nullable(v.string()),
  /** Id of the first request that carried the same delivery. */
  duplicate_of: v.nullable(v.number()),
  /** What went wrong after it was let in. */
  problem: v.nullable(v.string()),
  /** Null while there is no answer, and if the sender left before it. */
  status: v.nullable(v.number()),
  duration_ms: v.nullable(v.number()),
  /** Whether its answer was sent, or its sender is gone: nothing more happens on its connection. */
  finished: v.boolean(),
  /** Null unless the app was away when it came. */
  delivery: v.nullable(DeliverySchema),
  /** The id of the request that was sent again; null if this is no replay. */
  replay_of: v.nullable(v.number()),
});

/** Times are ISO 8601, what does not apply is null. */
export type RequestMessage = v.InferOutput<typeof RequestMessageSchema>;

/** `withBody: false` leaves the body out. */
export function describeRequest(
  request: CapturedRequest,
  { withBody }: { withBody: boolean } = { withBody: true },
): RequestMessage {
  const { rawHeaders, answer } = request;
  return {
    id: request.id,
    received_at: request.receivedAt.toISOString(),
    method: request.method,
    target: request.target,
    http_version: request.httpVersion,
    visitor_address: request.visitorAddress ?? null,
    headers: pairUp(rawHeaders),
    ...(withBody ? describeBody(request.body, request.bodyBytes) : { body: null, body_encoding: null }),
    body_bytes: request.bodyBytes,
    body_cut: request.body.length < request.bodyBytes,
    refusal: request.refusal ?? null,
    verified: request.verified ?? null,
    handshake: request.handshake ?? null,
    duplicate_of: request.duplicateOf ?? null,
    problem: request.problem ?? null,
    status: answer?.status ?? null,
    duration_ms: answer?.durationMs ?? null,
    finished: request.isFinished,
    delivery: request.delivery === undefined ? null : describeDelivery(request.delivery),
    replay_of: request.replayOf ?? null,
  };
}

function describeDelivery({
  queuedAt,
  attempts,
  outcome,
}: CapturedDelivery): v.InferOutput<typeof DeliverySchema> {
  const delivered = outcome.kind === 'delivered' ? outcome : undefined;
  const dropped = outcome.kind === 'dropped' ? outcome : undefined;
  return {
    queued_at: queuedAt.toISOString(),
    attempts,
    delivered_at: delivered?.at.toISOString() ?? null,
    status: delivered?.status ?? null,
    duration_ms: delivered?.durationMs ?? null,
    dropped_at: dropped?.at.toISOString() ?? null,
    dropped: dropped?.reason ?? null,
  };
}

/** Text if the bytes are valid UTF-8, otherwise base64. `wholeBytes`: of the body, if `body` is only its beginning. */
export function describeBody(
  body: Buffer,
  wholeBytes = body.length,
): { body: string; body_encoding: 'utf8' | 'base64' } {
  const text = body.length < wholeBytes ? dropPartOfCharacter(body) : body;
  return isUtf8(text)
    ? { body: text.toString('utf8'), body_encoding: 'utf8' }
    : { body: body.toString('base64'), body_encoding: 'base64' };
}

/** Without the last bytes if they are the beginning of a character (RFC 3629, 3): the text was cut off there. */
function dropPartOfCharacter(text: Buffer): Buffer {
  for (let back = 1; back <= 3; back += 1) {
    const byte = text[text.length - back] ?? 0;
    if (byte >= 0x80 && byte < 0xc0) continue;
    const length = byte > 0xf4 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return length > back ? text.subarray(0, -back) : text;
  }
  return text;
}

export function pairUp(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2)
    pairs.push([raw[index] ?? '', raw[index + 1] ?? '']);
  return pairs;
}
