// A replay as JSON: what the control API takes and sends. One schema for both ends.

import * as v from 'valibot';
import type { ReplayAnswer } from './replay.ts';
import { describeBody, pairUp } from './request-json.ts';

export const ReplayOrderSchema = v.strictObject({
  /** An http or https URL; absent: to the app. */
  to: v.optional(v.string()),
  re_sign: v.optional(v.boolean()),
});

export const ReplayMessageSchema = v.object({
  success: v.literal(true),
  /** Under which the replay itself is recorded. */
  id: v.nullable(v.number()),
  status: v.number(),
  duration_ms: v.number(),
  headers: v.array(v.tuple([v.string(), v.string()])),
  /** Text if the bytes are valid UTF-8, otherwise base64. */
  body: v.nullable(v.string()),
  body_encoding: v.nullable(v.picklist(['utf8', 'base64'])),
  /** Length of the whole body, of which `body` may be only the beginning. */
  body_bytes: v.number(),
  /** What people should know about this answer. */
  hint: v.nullable(v.string()),
});

export type ReplayMessage = v.InferOutput<typeof ReplayMessageSchema>;

export function describeReplay(answer: ReplayAnswer): ReplayMessage {
  return {
    success: true,
    id: answer.id ?? null,
    status: answer.status,
    duration_ms: answer.durationMs,
    headers: pairUp(answer.headers),
    ...describeBody(answer.body, answer.bodyBytes),
    body_bytes: answer.bodyBytes,
    hint: answer.hint ?? null,
  };
}
