// The question whether a request is signed rightly, and its answer, as the control API takes and sends them: exposure/
// answers, control/ and commands/ ask.

import * as v from 'valibot';

/** A rule of `verify` without its path. */
const RuleSchema = v.strictObject({
  provider: v.string(),
  secret: v.string(),
  /** `handshake`, and for `hmac-sha256` and `hmac-sha1` also `header`, `encoding`, `prefix` and `separator`. */
  options: v.optional(v.record(v.string(), v.string()), {}),
});

/** A request that was not recorded here; the members are those of a RequestMessage, with a URL for the target. */
const SentRequestSchema = v.strictObject({
  method: v.optional(v.string(), 'POST'),
  /** The public URL that was called, as its sender wrote it. */
  url: v.string(),
  headers: v.array(v.tuple([v.string(), v.string()])),
  body: v.optional(v.string(), ''),
  body_encoding: v.optional(v.picklist(['utf8', 'base64']), 'utf8'),
});

/** Either `id`, of a recorded request, or `request`. */
export const SignatureOrderSchema = v.strictObject({
  id: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  request: v.optional(SentRequestSchema),
  /** Absent: the preview's own rules for the path. */
  rule: v.optional(RuleSchema),
  /** When it came, as ISO 8601: the timestamp is compared with that. Absent: when it was recorded, otherwise now. */
  at: v.optional(v.pipe(v.string(), v.isoTimestamp())),
});

export type SignatureOrder = v.InferInput<typeof SignatureOrderSchema>;
export type GivenRule = v.InferOutput<typeof RuleSchema>;

export const SignatureAnswerSchema = v.object({
  success: v.literal(true),
  /** Whether it would reach the app. */
  right: v.boolean(),
  /** The provider whose secret has signed it. */
  verified: v.nullable(v.string()),
  handshake: v.nullable(v.string()),
  /** What is wrong; null if it is right. */
  reason: v.nullable(v.string()),
});

export type SignatureAnswer = v.InferOutput<typeof SignatureAnswerSchema>;

/**
 * The origin of a URL that was called, and the request's target, letter by letter, because some providers sign it so;
 * undefined if it is no http or https URL.
 */
export function splitUrl(url: string): { origin: string; target: string } | undefined {
  const [, origin, target = ''] = /^(https?:\/\/[^/?#]+)([^#]*)$/i.exec(url) ?? [];
  return origin === undefined
    ? undefined
    : { origin, target: target.startsWith('/') ? target : `/${target}` };
}

/** What exposure/ needs to answer. */
export interface SignatureQuestion {
  request: { method: string; target: string; rawHeaders: readonly string[]; body: Buffer };
  /** The origin that its sender has called; undefined: the preview's own. */
  origin: string | undefined;
  rule: GivenRule | undefined;
  at: Date;
}
