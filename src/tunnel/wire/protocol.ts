// The wire protocol of bore 0.5 and 0.6 (ekzhang/bore, src/shared.rs): messages and frames. No I/O; used by our client
// and our bore server.

import * as v from 'valibot';

/** The control port of every real bore server, which cannot be configured. */
export const DEFAULT_CONTROL_PORT = 7835;
/** Longest JSON of a frame, in bytes, the NUL not counted (bore's MAX_FRAME_LENGTH). */
export const MAX_FRAME_LENGTH = 256;
/** The real server drops a client that sends nothing for this long (bore's NETWORK_TIMEOUT). */
export const NETWORK_TIMEOUT_MS = 3_000;
/** The real server sends a heartbeat at least this often. */
export const HEARTBEAT_INTERVAL_MS = 500;
/** The real server keeps a visitor waiting for `Accept` this long. */
export const PENDING_VISITOR_MS = 10_000;

/** The texts of the server's `Error` frames, the only way to distinguish them (bore, src/server.rs). */
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
  /** The first frame on every connection to a server with a secret, in answer to its `Challenge`: see challenge.ts. */
  v.strictObject({ Authenticate: v.string() }),
  /** The request of a control connection: opens this public port, or any if it is 0. */
  v.strictObject({ Hello: port }),
  /** The request of a data connection: takes the visitor of this id. The visitor's bytes follow in both directions. */
  v.strictObject({ Accept: id }),
]);
const serverMessage = v.union([
  /** At least every 500 ms on the control connection, so that a dead link is noticed. */
  v.literal('Heartbeat'),
  /** On the control connection when a visitor comes: the server waits 10 s for an `Accept` of this id. */
  v.strictObject({ Connection: id }),
  /** The first frame on every connection if the server has a secret; otherwise there is none. */
  v.strictObject({ Challenge: id }),
  /** Answers `Hello`: the public port that was opened. */
  v.strictObject({ Hello: port }),
  /**
   * The answer to an `Authenticate` or `Hello` that is refused; then the server hangs up. A wrong `Accept` gets none.
   */
  v.strictObject({ Error: v.string() }),
]);

export type ClientMessage = v.InferOutput<typeof clientMessage>;
export type ServerMessage = v.InferOutput<typeof serverMessage>;

/** A message as text, as it is sent. All of it is ASCII, except the text of an `Error`. */
export function renderFrame(message: ClientMessage | ServerMessage): string {
  return `${JSON.stringify(message)}\0`;
}

/** A message in bytes. */
export function encodeFrame(message: ClientMessage | ServerMessage): Buffer {
  return Buffer.from(renderFrame(message));
}

const PLAIN_ID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

/** In bytes. Shorter frames are not parsed: in a flood of NULs, each would cost an error of JSON.parse, 8 µs. */
const SHORTEST_MESSAGE = '{"Hello":0}'.length;

/** The message in a frame, or undefined if no bore server sends it. */
export function decodeServerMessage(frame: Buffer): ServerMessage | undefined {
  if (frame.length < SHORTEST_MESSAGE) return undefined;
  return decodePlain(frame.toString('latin1')) ?? decode(serverMessage, frame);
}

/** Decodes the two messages that come for every visitor, as the Rust server writes them: far faster than the schema. */
function decodePlain(text: string): ServerMessage | undefined {
  const isChallenge = text.startsWith('{"Challenge":"');
  if (!(isChallenge || text.startsWith('{"Connection":"')) || !text.endsWith('"}')) return undefined;
  const id = text.slice(isChallenge ? 14 : 15, -2);
  if (!PLAIN_ID.test(id)) return undefined;
  return isChallenge ? { Challenge: id } : { Connection: id };
}

/** The message in a frame, or undefined if no bore client sends it. */
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

/** Cuts a byte stream into frames. Once `next` has returned undefined, it holds less than a frame. */
export class FrameDecoder {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
  }

  /** The next frame without its NUL, or undefined if more bytes are needed. Throws FrameTooLong. */
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

  /** Removes and returns the bytes after the last frame. */
  takeRest(): Buffer {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest;
  }
}

/** More bytes without a NUL than any message has; `bytes` are the first of them. */
export class FrameTooLong extends Error {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    super(`a frame is longer than ${MAX_FRAME_LENGTH} bytes`);
    this.name = 'FrameTooLong';
    this.bytes = Buffer.from(bytes.subarray(0, MAX_FRAME_LENGTH));
  }
}
