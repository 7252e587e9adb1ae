// The wire protocol of bore 0.5 and 0.6 (ekzhang/bore, src/shared.rs and src/auth.rs): messages, frames, HMAC.
// Pure; used by our client and our server.

import { createHash, createSecretKey, hash, type KeyObject } from 'node:crypto';
import * as v from 'valibot';

/** The control port of every real bore server: it is compiled in. */
export const DEFAULT_CONTROL_PORT = 7835;
/** Longest JSON of a frame, in bytes, the NUL not counted (bore's MAX_FRAME_LENGTH). */
export const MAX_FRAME_LENGTH = 256;
/** The real server drops a client that says nothing for this long (bore's NETWORK_TIMEOUT). */
export const NETWORK_TIMEOUT_MS = 3_000;
/** The real server sends a heartbeat at least this often. */
export const HEARTBEAT_INTERVAL_MS = 500;
/** The real server keeps a visitor waiting for `Accept` this long. */
export const PENDING_VISITOR_MS = 10_000;

/** What the server's `Error` frames say; the words are the only way to tell them apart (bore, src/server.rs). */
export const ERROR_TEXT = {
  invalidSecret: 'invalid secret',
  secretRequired: 'server requires secret, but no secret was provided',
  portOutOfRange: 'client port number not in allowed range',
  portForbidden: 'permission denied',
  portTaken: 'port already in use',
  bindFailed: 'failed to bind to port',
  noPortFree: 'failed to find an available port',
} as const;

const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535));
const id = v.pipe(v.string(), v.uuid());

const clientMessage = v.union([
  v.strictObject({ Authenticate: v.string() }),
  v.strictObject({ Hello: port }),
  v.strictObject({ Accept: id }),
]);
const serverMessage = v.union([
  v.literal('Heartbeat'),
  v.strictObject({ Connection: id }),
  v.strictObject({ Challenge: id }),
  v.strictObject({ Hello: port }),
  v.strictObject({ Error: v.string() }),
]);

/** `Authenticate` answers a challenge; `Hello` asks for a port (0: any); `Accept` takes a visitor. */
export type ClientMessage = v.InferOutput<typeof clientMessage>;
/** `Hello` names the public port; `Connection` announces a visitor. */
export type ServerMessage = v.InferOutput<typeof serverMessage>;

/** One message as it goes over the wire; all of it is ASCII, but for the text of an `Error`. */
export function renderFrame(message: ClientMessage | ServerMessage): string {
  return `${JSON.stringify(message)}\0`;
}

/** The same in bytes. */
export function encodeFrame(message: ClientMessage | ServerMessage): Buffer {
  return Buffer.from(renderFrame(message));
}

const PLAIN_ID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

/** In bytes. What is shorter need not be looked at: for every NUL of a storm, an error of JSON.parse would take 8 µs. */
const SHORTEST_MESSAGE = '{"Hello":0}'.length;

/** The message in a frame, or undefined where it is none that a bore server sends. */
export function decodeServerMessage(frame: Buffer): ServerMessage | undefined {
  if (frame.length < SHORTEST_MESSAGE) return undefined;
  return decodePlain(frame.toString('latin1')) ?? decode(serverMessage, frame);
}

/** The two messages that every visitor costs, exactly as the Rust server writes them: many times faster than the schema. */
function decodePlain(text: string): ServerMessage | undefined {
  const isChallenge = text.startsWith('{"Challenge":"');
  if (!(isChallenge || text.startsWith('{"Connection":"')) || !text.endsWith('"}')) return undefined;
  const id = text.slice(isChallenge ? 14 : 15, -2);
  if (!PLAIN_ID.test(id)) return undefined;
  return isChallenge ? { Challenge: id } : { Connection: id };
}

/** The message in a frame, or undefined where it is none that a bore client sends. */
export function decodeClientMessage(frame: Buffer): ClientMessage | undefined {
  if (frame.length < SHORTEST_MESSAGE) return undefined;
  return decode(clientMessage, frame);
}

function decode<T>(schema: v.GenericSchema<unknown, T>, frame: Buffer): T | undefined {
  try {
    const result = v.safeParse(schema, JSON.parse(frame.toString('utf8')));
    return result.success ? result.output : undefined;
  } catch {
    return undefined; // not JSON
  }
}

/** Cuts a byte stream into frames. Holds less than one frame between two calls, whatever is pushed. */
export class FrameDecoder {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
  }

  /** The next frame without its NUL, or undefined where more bytes are needed. Throws FrameTooLong. */
  next(): Buffer | undefined {
    const end = this.#rest.subarray(0, MAX_FRAME_LENGTH + 1).indexOf(0);
    if (end === -1) {
      if (this.#rest.length <= MAX_FRAME_LENGTH) return undefined;
      throw new FrameTooLong(this.takeRest());
    }
    const frame = this.#rest.subarray(0, end);
    this.#rest = this.#rest.subarray(end + 1);
    return frame;
  }

  /** The bytes behind the last frame, which are not the decoder's any more. */
  takeRest(): Buffer {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest;
  }
}

/** More bytes without a NUL than any message has. `bytes` are its first ones. */
export class FrameTooLong extends Error {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    super(`a frame is longer than ${MAX_FRAME_LENGTH} bytes`);
    this.name = 'FrameTooLong';
    this.bytes = Buffer.from(bytes.subarray(0, MAX_FRAME_LENGTH));
  }
}

/** A secret as an HMAC key. */
export function deriveKey(secret: string): KeyObject {
  return createSecretKey(createHash('sha256').update(secret).digest());
}

/** SHA-256 works on blocks of this many bytes, which is what HMAC pads its key to (RFC 2104). */
const BLOCK_BYTES = 64;
const CHALLENGE_BYTES = 16;

/** A key's two padded blocks, each with room for what is hashed behind it. */
interface Pads {
  inner: Buffer;
  outer: Buffer;
}

const padsOf = new WeakMap<KeyObject, Pads>();

/**
 * The hex answer to a challenge, a UUID of which the 16 raw bytes are signed: HMAC-SHA256 (RFC 2104). Two plain hashes
 * over prepared blocks take half the time of a `createHmac`, and every visitor needs one answer.
 */
export function answerChallenge(key: KeyObject, challenge: string): string {
  const { inner, outer } = padsOf.get(key) ?? preparePads(key);
  inner.write(challenge.replaceAll('-', ''), BLOCK_BYTES, 'hex');
  hash('sha256', inner, 'buffer').copy(outer, BLOCK_BYTES);
  return hash('sha256', outer, 'hex');
}

/** A derived key is 32 bytes, shorter than a block: it is padded, never hashed. */
function preparePads(key: KeyObject): Pads {
  const bytes = key.export();
  const inner = Buffer.alloc(BLOCK_BYTES + CHALLENGE_BYTES, 0x36);
  const outer = Buffer.alloc(BLOCK_BYTES + 32, 0x5c);
  for (const pad of [inner, outer])
    for (const [index, byte] of bytes.entries()) pad[index] = (pad[index] ?? 0) ^ byte;
  padsOf.set(key, { inner, outer });
  return { inner, outer };
}
