// Decides whether an answer of the app is compressed for its visitor, and changes its head. The body is done by
// encoded-answer.ts. Used by answer-relay.ts and proxy.ts.

import { type Coding, chooseCoding, MIN_BYTES, rateMediaType } from '../../shared/content-coding.ts';
import { EncoderSlots } from '../../shared/encoder-slots.ts';
import type { HttpRequest } from '../../shared/http-message.ts';
import { forEachField, type RawHeaders, rewriteFields } from '../raw-headers.ts';
import { WeakenedTags } from './weakened-tags.ts';

/** Each takes up to 1 MB. Further answers are sent as they are. */
const MAX_ENCODERS = 32;

/** Statuses without a body, or with a part of one (RFC 9110, 15). */
const NEVER: ReadonlySet<number> = new Set([204, 205, 206, 304]);

/** Only answers to these are kept by caches, which must learn that the answer varies. */
const CACHEABLE: ReadonlySet<string> = new Set(['GET', 'HEAD']);

// Whoever sends one of these has signed, hashed or encoded the bytes as they are, or sends a part of them.
const BINDING_FIELDS: ReadonlySet<string> = new Set([
  'content-digest',
  'content-encoding',
  'content-md5',
  'content-range',
  'digest',
  'repr-digest',
  'signature-input',
]);

/** What the gateway may do with an answer. */
export interface Eligibility {
  /** Undefined: the bytes are sent as they are, because this visitor does not get them compressed. */
  coding: Coding | undefined;
  /** Whether a sample of the body decides. */
  isDoubtful: boolean;
}

/** The compression of one gateway. */
export class Compression {
  readonly slots = new EncoderSlots(MAX_ENCODERS);
  readonly tags = new WeakenedTags();

  /** Undefined if the answer is passed on unchanged, whoever asks. `raw`: the app's head. */
  judge(request: HttpRequest, status: number, raw: RawHeaders): Eligibility | undefined {
    const fields = readFields(raw);
    if (fields === undefined || NEVER.has(status)) return undefined;
    const worth = rateMediaType(fields.type);
    if (worth === 'no' || fields.length < MIN_BYTES) return undefined;
    const isAsked = request.headers['accept-encoding'] !== undefined;
    if (!isAsked && (worth === 'doubtful' || !CACHEABLE.has(request.method ?? ''))) return undefined;
    return { coding: this.#choose(request), isDoubtful: worth === 'doubtful' };
  }

  #choose(request: HttpRequest): Coding | undefined {
    const { 'accept-encoding': accepted, 'cache-control': control = '', range } = request.headers;
    if (accepted === undefined || request.httpVersion === '1.0' || range !== undefined) return undefined;
    if (forbidsChange(control) || isForeign(request) || this.slots.areFull) return undefined;
    return chooseCoding(String(accepted));
  }

  /** Changes the head of an answer whose body is sent in `coding`. Its length is not known yet. */
  encodeHead(headers: string[], coding: Coding): void {
    rewriteFields(headers, 'content-length', () => '');
    // A part of the encoded bytes cannot be asked for.
    rewriteFields(headers, 'accept-ranges', () => '');
    rewriteFields(headers, 'etag', tag => this.tags.weaken(tag));
    headers.push('content-encoding', coding);
  }

  /** A 304 names the copy that the visitor has: if that is compressed, its tag was weakened (RFC 9110, 15.4.5). */
  matchTags({ status, headers }: { status: number; headers: string[] }, request: HttpRequest): void {
    if (status !== 304) return;
    const { 'if-none-match': held = '' } = request.headers;
    rewriteFields(headers, 'etag', tag => (this.tags.isHeldBy(held, tag) ? this.tags.weaken(tag) : tag));
  }
}

/** `Vary`, so that a cache gives no visitor a coding that it has not asked for (RFC 9110, 12.5.5). */
export function addVary(headers: string[]): void {
  let varies = false;
  forEachField(headers, (name, value) => {
    varies ||= name.toLowerCase() === 'vary' && /(?:^|,)\s*(?:\*|accept-encoding)\s*(?:,|$)/i.test(value);
  });
  if (varies) return;
  let hasField = false;
  rewriteFields(headers, 'vary', value => {
    if (hasField || value.trim() === '') return value;
    hasField = true;
    return `${value}, Accept-Encoding`;
  });
  if (!hasField) headers.push('vary', 'Accept-Encoding');
}

/** Type and length, which is infinite if it is not known; undefined if another field forbids any change. */
function readFields(raw: RawHeaders): { type: string; length: number } | undefined {
  let [type, length, isBound] = ['', Number.POSITIVE_INFINITY, false];
  forEachField(raw, (name, value) => {
    const key = name.toLowerCase();
    if (key === 'content-type') type = value;
    else if (key === 'content-length') length = Number(value);
    else if (BINDING_FIELDS.has(key) || (key === 'cache-control' && forbidsChange(value))) isBound = true;
    else if (key === 'trailer' && announcesBinding(value)) isBound = true;
  });
  return isBound ? undefined : { type, length };
}

/** The hash of a streamed body comes behind it (RFC 9530, 2 and 3). */
function announcesBinding(trailer: string): boolean {
  return trailer.split(',').some(name => BINDING_FIELDS.has(name.trim().toLowerCase()));
}

/** RFC 9111, 5.2.1.6 and 5.2.2.6. */
function forbidsChange(cacheControl: string): boolean {
  return /(?:^|[,\s])no-transform(?:$|[,\s])/i.test(cacheControl);
}

/**
 * Whether a page of another site made the browser send this request. Such a page can choose a part of the answer, and
 * learn from its compressed length what else is in it (BREACH). It could not make a person click for each try, so a
 * page load after a click is not such a request. Browsers send these fields over https only; over http, an attacker can
 * read the answer itself.
 */
function isForeign({ headers }: HttpRequest): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== 'cross-site' && site !== 'same-site') return false;
  const { 'sec-fetch-dest': destination, 'sec-fetch-user': byUser } = headers;
  return destination !== 'document' || byUser !== '?1';
}
