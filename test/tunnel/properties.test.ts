import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FrameReader } from '../../src/tunnel/wire/frame-reader.ts';
import {
  decodeClientMessage,
  decodeServerMessage,
  encodeFrame,
  FrameDecoder,
  FrameTooLong,
  MAX_FRAME_LENGTH,
} from '../../src/tunnel/wire/protocol.ts';

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

interface Frames {
  frames: string[];
  /** First bytes of a frame that was too long, if there was one; reading ends there. */
  tooLong: string | undefined;
  rest: string;
}

/** The expected frames of a stream, computed in the simplest way; bytes as latin1. */
function readFrames(text: string): Frames {
  const pieces = text.split('\0');
  const long = pieces.findIndex(piece => piece.length > MAX_FRAME_LENGTH);
  const tooLong = pieces[long]?.slice(0, MAX_FRAME_LENGTH);
  if (tooLong !== undefined) return { frames: pieces.slice(0, long), tooLong, rest: '' };
  return { frames: pieces.slice(0, -1), tooLong, rest: pieces.at(-1) ?? '' };
}

/** The decoder's frames if the bytes arrive cut at `places`, and the most bytes that it held between two calls. */
function decodeFrames(bytes: Buffer, places: readonly number[]): Frames & { mostHeld: number } {
  const decoder = new FrameDecoder();
  const found = { frames: [] as string[], tooLong: undefined as string | undefined, rest: '', mostHeld: 0 };
  for (const piece of cut(bytes, places)) {
    try {
      decoder.push(piece);
      for (let next = decoder.next(); next; next = decoder.next()) found.frames.push(next.toString('latin1'));
    } catch (error) {
      if (!(error instanceof FrameTooLong)) throw error;
      return {
        ...found,
        tooLong: error.bytes.toString('latin1'),
        rest: decoder.takeRest().toString('latin1'),
      };
    }
    const held = decoder.takeRest();
    found.mostHeld = Math.max(found.mostHeld, held.length);
    decoder.push(held);
  }
  return { ...found, rest: decoder.takeRest().toString('latin1') };
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const bounds = [0, ...places.map(at => at % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return bounds.slice(1).map((end, at) => bytes.subarray(bounds[at], end));
}

/** Bytes in which NULs are as common as long stretches without one. */
const stream = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.integer({ min: 250, max: 262 }).map(length => new Uint8Array(length).fill(65)),
      fc.constant(new Uint8Array(3)),
      fc.constant(new Uint8Array(1)),
    ),
    { maxLength: 12 },
  )
  .map(parts => Buffer.concat(parts));
const places = fc.array(fc.nat(4_000), { maxLength: 12 });

describe('a stream of bytes', () => {
  it('gives the same frames wherever it is cut, and at most 256 bytes of it are held', () => {
    fc.assert(
      fc.property(stream, places, (bytes, at) => {
        const { mostHeld, ...found } = decodeFrames(bytes, at);
        expect(found).toEqual(readFrames(bytes.toString('latin1')));
        expect(mostHeld).toBeLessThanOrEqual(MAX_FRAME_LENGTH);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([254, 255, 256, 257, 258])(
    'with a frame of %i bytes gives the same result at every single cut',
    length => {
      const bytes = Buffer.from(`a\0${'b'.repeat(length)}\0c\0`);
      const expected = readFrames(bytes.toString('latin1'));
      expect(expected.frames).toHaveLength(length > 256 ? 1 : 3);
      for (let at = 0; at <= bytes.length; at += 1) {
        const { mostHeld: _, ...found } = decodeFrames(bytes, [at]);
        expect(found).toEqual(expected);
      }
    },
  );
});

it('decodes ten million empty frames without blocking for long', () => {
  // If each were parsed as JSON, the process would be blocked for a minute and a half.
  const chunk = Buffer.alloc(100_000);
  const decoder = new FrameDecoder();
  for (let chunks = 0; chunks < 100; chunks += 1) {
    decoder.push(chunk);
    for (let frame = decoder.next(); frame; frame = decoder.next()) decodeServerMessage(frame);
  }
  expect(decoder.takeRest()).toHaveLength(0);
});

/** A JSON text that has nearly the shape of a message. */
const nearlyMessage = fc.oneof(
  fc.json(),
  fc
    .dictionary(
      fc.constantFrom('Hello', 'Error', 'Challenge', 'Connection', 'Accept', 'Authenticate', '__proto__'),
      fc.oneof(
        fc.uuid(),
        fc.uuid().map(id => id.toUpperCase()),
        fc.constantFrom(-1, 0, 1, 1.5, 65_535, 65_536),
        fc.string(),
      ),
      { maxKeys: 2 },
    )
    .map(value => JSON.stringify(value)),
  fc.constantFrom('"Heartbeat"', '"heartbeat"', ' "Heartbeat" ', '{"Hello":1e3}', '{"Hello":1,"Hello":2}'),
  fc.uuid().map(id => `{ "Connection" : "${id}" }`),
  fc.uuid().map(id => `{"Connection":"${id}"}\n`),
);

/** A message damaged in transit: bytes changed, lost or doubled. */
const damaged = fc
  .tuple(
    nearlyMessage,
    fc.array(fc.tuple(fc.nat(80), fc.nat(255), fc.constantFrom(0, 1, 2)), { maxLength: 3 }),
  )
  .map(([text, hits]) => {
    const bytes = [...Buffer.from(text)];
    for (const [at, value, length] of hits) bytes.splice(at % (bytes.length + 1), length, value);
    return Buffer.from(bytes);
  });

/** What a frame means by the protocol's definition: a client's message, a server's, or nothing. */
function readMessage(frame: Buffer): { client: unknown; server: unknown } {
  const nothing = { client: undefined, server: undefined };
  let value: unknown;
  try {
    value = JSON.parse(frame.toString('utf8'));
  } catch {
    return nothing;
  }
  if (value === 'Heartbeat') return { client: undefined, server: value };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return nothing;
  const [[name = '', content] = [], ...more] = Object.entries(value);
  if (more.length > 0) return nothing;
  const isText = typeof content === 'string';
  const isId = isText && UUID.test(content);
  const isPort = Number.isInteger(content) && Number(content) >= 0 && Number(content) <= 65_535;
  const isClient = { Hello: isPort, Accept: isId, Authenticate: isText }[name] === true;
  const isServer = { Hello: isPort, Connection: isId, Challenge: isId, Error: isText }[name] === true;
  return { client: isClient ? value : undefined, server: isServer ? value : undefined };
}

describe('a frame', () => {
  it('is decoded exactly as the protocol defines, however it was changed, and without an exception', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          nearlyMessage.map(text => Buffer.from(text)),
          damaged,
        ),
        frame => {
          const expected = readMessage(frame);
          expect(decodeServerMessage(frame)).toEqual(expected.server);
          expect(decodeClientMessage(frame)).toEqual(expected.client);
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('has the same meaning after it is decoded and encoded again', () => {
    fc.assert(
      fc.property(damaged, frame => {
        const message = decodeServerMessage(frame) ?? decodeClientMessage(frame);
        if (message === undefined) return;
        const again = encodeFrame(message).subarray(0, -1);
        expect(decodeServerMessage(again) ?? decodeClientMessage(again)).toEqual(message);
      }),
      { numRuns: 2_000 },
    );
  });

  it('with bytes that are not UTF-8 keeps the rest of its text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), bytes => {
        // In a JSON string every character except quotes, backslashes and controls stands for itself.
        const odd = bytes.map(byte => (byte < 0x80 ? 0x61 : byte));
        const frame = Buffer.concat([Buffer.from('{"Error":"before '), odd, Buffer.from(' after"}')]);
        const text = `before ${new TextDecoder().decode(odd)} after`;
        expect(decodeServerMessage(frame)).toEqual({ Error: text });
      }),
    );
  });

  it('with characters longer than a byte is decoded whole, wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), places, (text, at) => {
        const { frames } = decodeFrames(encodeFrame({ Error: text }), at);
        expect(frames.map(frame => decodeServerMessage(Buffer.from(frame, 'latin1')))).toEqual([
          { Error: text },
        ]);
      }),
    );
  });
});

describe('a reader on a real socket', () => {
  const server = createServer({ noDelay: true });
  beforeAll(async () => void (await once(server.listen(0, '127.0.0.1'), 'listening')));
  afterAll(() => void server.close());

  it('reads the requested frames, and puts every byte after them back into the socket', async () => {
    const frames = fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '{'), maxLength: 60 }), {
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(frames, fc.uint8Array({ maxLength: 2_000 }), places, async (asked, behind, at) => {
        const bytes = Buffer.concat([...asked.map(text => Buffer.from(`${text}\0`)), behind]);
        const connection = once(server, 'connection') as Promise<[Socket]>;
        const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
        const [far] = await connection;
        void writeInPieces(far, cut(bytes, at));
        const reader = new FrameReader(socket);
        for (const text of asked) expect(String(await reader.next(10_000))).toBe(text);
        reader.release();
        const rest = Buffer.concat(await socket.toArray());
        expect(rest.equals(Buffer.from(behind))).toBe(true);
      }),
      { numRuns: 150 },
    );
  });
});

async function writeInPieces(socket: Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) await new Promise(resolve => socket.write(piece, resolve));
  socket.end();
}
