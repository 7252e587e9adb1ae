// What a wait sends, as JSON. One schema for both ends: route.ts and client.ts.

import * as v from 'valibot';
import { RequestMessageSchema } from '../../shared/request-json.ts';

export const DEFAULT_TIMEOUT = '60s';

/** So far. `refused` and `other`: requests that did not match. */
const ProgressSchema = v.object({
  matched: v.number(),
  /** How many must match. */
  count: v.number(),
  refused: v.number(),
  other: v.number(),
});

/** The requests that matched, in the order of ids. */
const ResultSchema = v.object({
  success: v.literal(true),
  requests: v.array(RequestMessageSchema),
  count: v.number(),
  /** The id of the last one: with it as `since`, the next wait goes on behind it. */
  last_id: v.number(),
});

const ArrivedSchema = v.object({
  id: v.number(),
  received_at: v.string(),
  method: v.string(),
  target: v.string(),
  status: v.nullable(v.number()),
  matched: v.boolean(),
  /** Why it did not match; null if it did. */
  reason: v.nullable(v.string()),
});

/** `status` is the HTTP status of the answer. */
const FailureSchema = v.object({
  status: v.number(),
  success: v.literal(false),
  error: v.string(),
  ...ProgressSchema.entries,
  /** Those that matched, and the newest that did not. */
  requests: v.array(ArrivedSchema),
  refused_requests: v.array(ArrivedSchema),
  last_id: v.number(),
});

export type WaitProgress = v.InferOutput<typeof ProgressSchema>;
export type WaitResult = v.InferOutput<typeof ResultSchema>;
export type WaitFailure = v.InferOutput<typeof FailureSchema>;
export type ArrivedMessage = v.InferOutput<typeof ArrivedSchema>;

/** The events of a client that reads events: any number of `progress`, and then one of the others. */
export const WaitEventSchema = v.variant('type', [
  v.object({ type: v.literal('progress'), data: ProgressSchema }),
  v.object({ type: v.literal('result'), data: ResultSchema }),
  v.object({ type: v.literal('error'), data: FailureSchema }),
]);
