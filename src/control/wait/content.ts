// What a captured request says: its header fields, and its body decoded and parsed. Each part is read when a condition
// first needs it. Used by conditions.ts.

import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import type { CapturedRequest } from '../../shared/captured-request.ts';
import { hasCode } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { parseExactly } from './exact-json.ts';
import { type FormFields, parseMultipart, parseUrlEncoded } from './form.ts';

/** Reading more of a body would keep the gateway from its work for too long; no known service sends a longer JSON. */
const MAX_BYTES = 4 * 1024 * 1024;

/** A part of a request that cannot be read; the message completes "its body …". */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
}

export class RequestContent {
  readonly #request: CapturedRequest;

  constructor(request: CapturedRequest) {
    this.#request = request;
  }

  /** The values of all header fields of that name, in their order. */
  header(name: string): string[] {
    const { rawHeaders } = this.#request;
    const wanted = name.toLowerCase();
    return rawHeaders.filter(
      (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === wanted,
    );
  }

  /** The text of the JSON: the body, or the field `payload` of a form, as GitHub sends it. Throws an UnreadableError. */
  readonly jsonText = once(() => {
    const type = this.#mediaType;
    if (!isForm(type)) return this.text();
    const payload = this.form().find(([name]) => name === 'payload');
    if (payload === undefined)
      throw new UnreadableError('is a form without a field `payload`: use form:NAME=VALUE');
    return payload[1];
  });

  /** The parsed JSON. Throws an UnreadableError. */
  readonly json = once((): unknown => {
    const text = this.jsonText();
    if (text.trim() === '') throw new UnreadableError('is empty, and not JSON');
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new UnreadableError('is not JSON', { cause });
    }
  });

  /** The parsed JSON with ExactNumbers. Throws an UnreadableError. */
  readonly exactJson = once((): unknown => {
    try {
      return parseExactly(this.jsonText());
    } catch (cause) {
      // Only here, because its parser calls itself for each level.
      throw new UnreadableError('is nested too deeply', { cause });
    }
  });

  /** The fields of a form. Throws an UnreadableError. */
  readonly form = once((): FormFields => {
    const type = this.#mediaType;
    if (type === 'application/x-www-form-urlencoded') return parseUrlEncoded(this.#bytes(), this.#decode());
    const boundary = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(this.#contentType);
    const text = boundary?.[1] ?? boundary?.[2];
    if (type === 'multipart/form-data' && text !== undefined)
      return parseMultipart(this.#bytes(), text, this.#decode());
    throw new UnreadableError(
      type === '' ? 'has no content type, and is not read as a form' : `is ${sanitise(type)}, and not a form`,
    );
  });

  /** The body as text; a byte order mark is left out. Throws an UnreadableError. */
  readonly text = once(() => this.#decode()(this.#bytes()));

  get #contentType(): string {
    return this.header('content-type')[0] ?? '';
  }

  get #mediaType(): string {
    return (this.#contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
  }

  readonly #decode = once(() => {
    const label = /;\s*charset=(?:"([^"]+)"|'([^']+)'|([^;\s]+))/i.exec(this.#contentType);
    const name = label?.[1] ?? label?.[2] ?? label?.[3] ?? 'utf-8';
    if (!isKnownCharset(name))
      throw new UnreadableError(`has the charset '${sanitise(name)}', which is not known`);
    // A byte order mark says more than the header (WHATWG Encoding §6).
    return (bytes: Buffer) => new TextDecoder(readMark(bytes) ?? name).decode(bytes);
  });

  readonly #bytes = once((): Buffer => {
    const { body, bodyBytes } = this.#request;
    if (bodyBytes > body.length)
      throw new UnreadableError(`has ${bodyBytes} bytes, of which only ${body.length} are kept`);
    if (body.length > MAX_BYTES)
      throw new UnreadableError(`has ${body.length} bytes, and conditions read ${MAX_BYTES}`);
    const codings = this.header('content-encoding')
      .flatMap(value => value.toLowerCase().split(','))
      .map(coding => coding.trim())
      .filter(coding => coding !== '' && coding !== 'identity');
    return codings.reduceRight(decompress, body);
  });
}

/** Reads a part when it is first asked for; from then on gives the same answer, or throws the same error. */
function once<T>(read: () => T): () => T {
  let result: { value: T } | { error: unknown } | undefined;
  return () => {
    result ??= attempt(read);
    if ('error' in result) throw result.error;
    return result.value;
  };
}

function attempt<T>(read: () => T): { value: T } | { error: unknown } {
  try {
    return { value: read() };
  } catch (error) {
    return { error };
  }
}

function isForm(type: string): boolean {
  return type === 'application/x-www-form-urlencoded' || type === 'multipart/form-data';
}

function isKnownCharset(name: string): boolean {
  try {
    return new TextDecoder(name) !== undefined;
  } catch {
    return false;
  }
}

/** The encoding that a byte order mark names. */
function readMark(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
}

const LIMIT = { maxOutputLength: MAX_BYTES };

const DECODERS: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: body => gunzipSync(body, LIMIT),
  'x-gzip': body => gunzipSync(body, LIMIT),
  // Some senders leave out the zlib header (RFC 9110, 8.4.1.2).
  deflate: body => (isZlib(body) ? inflateSync(body, LIMIT) : inflateRawSync(body, LIMIT)),
  br: body => brotliDecompressSync(body, LIMIT),
  zstd: body => zstdDecompressSync(body, LIMIT),
};

function isZlib(body: Buffer): boolean {
  return body.length >= 2 && ((body[0] ?? 0) & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0;
}

function decompress(body: Buffer, coding: string): Buffer {
  const decode = Object.hasOwn(DECODERS, coding) ? DECODERS[coding] : undefined;
  if (decode === undefined)
    throw new UnreadableError(`has the content coding '${sanitise(coding)}', which is not known`);
  try {
    return decode(body);
  } catch (cause) {
    throw new UnreadableError(
      hasCode(cause, 'ERR_BUFFER_TOO_LARGE')
        ? `has more than ${MAX_BYTES} bytes when it is decompressed`
        : `is not valid ${coding}`,
      { cause },
    );
  }
}
