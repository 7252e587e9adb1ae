// What the verifier needs of one provider with one secret, and what the providers have in common. Implemented by
// body-hmac.ts, timestamped.ts and url-hmac.ts.

import { createHmac } from 'node:crypto';
import { formatDuration } from '../../../shared/duration.ts';
import type { RawHeaders } from '../../raw-headers.ts';
import { listValues, type WholeRequest } from '../whole-request.ts';

export interface SignedRequest extends WholeRequest {
  /** The origins by which senders may know this preview, such as `https://preview.example`; some sign their URL. */
  readonly origins: readonly string[];
}

/**
 * What the check has found. `reason` completes a sentence that begins with "the request was refused because", and has no
 * text of the request. `mismatch`: there is a signature of the right form, made with another secret or of another body.
 */
export type Verdict =
  | { kind: 'right' }
  | { kind: 'stale' | 'malformed'; reason: string }
  | { kind: 'mismatch' }
  | { kind: 'missing'; header: string };

export type Fields = [name: string, value: string][];

export interface Signer {
  /** The header fields that hold the signature, in lower case; a request with none of them is not signed. */
  readonly headers: readonly string[];
  /** `nowS`: Unix time in seconds. */
  check(request: SignedRequest, nowS: number): Verdict;
  /** The fields that take the place of those of the same name, so that `check` finds it right. */
  sign(request: SignedRequest, nowS: number): Fields;
  /** What is the same for each attempt to deliver the same thing; undefined if the request does not say. */
  findDeliveryId(request: WholeRequest): string | undefined;
}

export const RIGHT: Verdict = { kind: 'right' };
export const MISMATCH: Verdict = { kind: 'mismatch' };

/** The tolerance of Stripe, Slack and Standard Webhooks. */
const TOLERANCE_S = 5 * 60;

export function sign(
  algorithm: 'sha1' | 'sha256',
  key: string | Buffer,
  parts: readonly (string | Buffer)[],
  encoding: 'hex' | 'base64',
): string {
  const hmac = createHmac(algorithm, key);
  for (const part of parts) hmac.update(part);
  return hmac.digest(encoding);
}

/**
 * Each of the fields must be there once. Libraries read a repeated one in different ways (the first, the last, both
 * joined), so the app could check another signature than we did.
 */
export function findFieldProblem(raw: RawHeaders, names: readonly string[]): Verdict | undefined {
  for (const name of names) {
    const values = listValues(raw, name.toLowerCase());
    if (values.length > 1) return { kind: 'malformed', reason: `it has ${name} more than once` };
    if (!values[0]) return { kind: 'missing', header: name };
  }
  return undefined;
}

/** Seconds since 1970 at the start of the text, as the SDKs read them; undefined if there are none. */
export function parseTimestamp(text: string | undefined): number | undefined {
  const seconds = Number.parseInt(text ?? '', 10);
  return Number.isSafeInteger(seconds) ? seconds : undefined;
}

/**
 * To be called only with a right signature: otherwise the timestamp means nothing. `mayBeAhead`: whether a time in the
 * future is accepted, which only whoever has the secret can write.
 */
export function checkAge(timestamp: number, nowS: number, mayBeAhead: boolean): Verdict {
  const ageS = nowS - timestamp;
  if (ageS <= TOLERANCE_S && (mayBeAhead || ageS >= -TOLERANCE_S)) return RIGHT;
  const distance = formatDuration(Math.abs(ageS) * 1000);
  const where = ageS > 0 ? `${distance} old` : `${distance} in the future`;
  return {
    kind: 'stale',
    reason: `its signature is right, but its timestamp is ${where}, and the limit is 5m: it was sent again without a new signature, or a clock is wrong`,
  };
}
