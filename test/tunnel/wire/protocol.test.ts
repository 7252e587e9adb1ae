import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerChallenge, deriveKey } from '../../../src/tunnel/wire/challenge.ts';
import {
  decodeClientMessage,
  decodeServerMessage,
  encodeFrame,
  FrameDecoder,
  FrameTooLong,
  MAX_FRAME_LENGTH,
} from '../../../src/tunnel/wire/protocol.ts';

const frame = fc
  .uint8Array({ minLength: 1, maxLength: MAX_FRAME_LENGTH })
  .map(bytes => bytes.map(b => b || 1));
const cuts = fc.array(fc.nat(3_000), { maxLength: 20 });

/** Pushes `bytes` cut at the given places, and collects every frame. */
function decodeInPieces(bytes: Buffer, places: readonly number[]): { frames: Buffer[]; rest: Buffer } {
  const decoder = new FrameDecoder();
  const frames: Buffer[] = [];
  const bounds = [0, ...places.filter(at => at < bytes.length).sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < bounds.length; i += 1) {
    decoder.push(bytes.subarray(bounds[i - 1], bounds[i]));
    for (let next = decoder.next(); next; next = decoder.next()) frames.push(next);
  }
  return { frames, rest: decoder.takeRest() };
}

describe('frames', () => {
  it('are decoded as they were encoded, wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 10 }), cuts, fc.string(), (sent, places, tail) => {
        const rest = Buffer.from(tail.replaceAll('\0', '').slice(0, 50));
        const stream = Buffer.concat([...sent.flatMap(part => [part, Buffer.of(0)]), rest]);
        const received = decodeInPieces(stream, places);
        expect(received.frames.map(part => part.toString('hex'))).toEqual(
          sent.map(part => Buffer.from(part).toString('hex')),
        );
        expect(received.rest).toEqual(rest);
      }),
    );
  });

  it('may have 256 bytes but not 257, with or without their NUL', () => {
    expect(decodeInPieces(Buffer.from(`${'a'.repeat(256)}\0`), []).frames).toHaveLength(1);
    for (const text of [`${'a'.repeat(257)}\0`, 'a'.repeat(257)])
      expect(() => decodeInPieces(Buffer.from(text), [100])).toThrow(FrameTooLong);
  });

  it('that never end are not kept in memory', () => {
    const decoder = new FrameDecoder();
    decoder.push(Buffer.alloc(1_000_000, 'A'));
    expect(() => decoder.next()).toThrow(FrameTooLong);
    expect(decoder.takeRest()).toHaveLength(0);
  });
});

describe('messages', () => {
  const messages = [
    'Heartbeat' as const,
    { Challenge: '6ba7b810-9dad-11d1-80b4-00c04fd430c8' },
    { Connection: '6ba7b810-9dad-11d1-80b4-00c04fd430c8' },
    { Hello: 65_535 },
    { Error: 'invalid secret' },
  ];
  it.each(messages)('of a server are decoded as they were encoded: %j', message => {
    const bytes = encodeFrame(message);
    expect(bytes.at(-1)).toBe(0);
    expect(decodeServerMessage(bytes.subarray(0, -1))).toEqual(message);
  });

  it.each(['', '{', 'null', '"Hello"', '{"Hello":65536}', '{"Hello":-1}', '{"Hello":1.5}', '{"Hello":"1"}'])(
    'that are not valid are not decoded: %j',
    text => {
      expect(decodeServerMessage(Buffer.from(text))).toBeUndefined();
      expect(decodeClientMessage(Buffer.from(text))).toBeUndefined();
    },
  );

  it('with two names, or an id that is not a UUID, are not valid', () => {
    expect(decodeServerMessage(Buffer.from('{"Hello":1,"Error":"x"}'))).toBeUndefined();
    expect(decodeServerMessage(Buffer.from('{"Connection":"../../etc"}'))).toBeUndefined();
  });

  it('are decoded without an exception, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array(), bytes => void decodeServerMessage(Buffer.from(bytes))));
  });
});

/** HMAC-SHA256 as RFC 2104 defines it, for a key shorter than a block of 64 bytes. */
function computeHmac(key: Buffer, message: Buffer): string {
  const sha256 = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
  const pad = (byte: number) => Buffer.alloc(64, byte).map((value, at) => value ^ (key[at] ?? 0));
  return sha256(Buffer.from(pad(0x5c)), sha256(Buffer.from(pad(0x36)), message)).toString('hex');
}

it('answers a challenge with the HMAC of its 16 raw bytes, keyed with the hash of the secret', () => {
  fc.assert(
    fc.property(fc.string(), fc.array(fc.uuid(), { minLength: 1, maxLength: 3 }), (secret, challenges) => {
      const key = createHash('sha256').update(secret).digest();
      const derived = deriveKey(secret);
      for (const challenge of challenges) {
        const raw = Buffer.from(challenge.replaceAll('-', ''), 'hex');
        expect(answerChallenge(derived, challenge)).toBe(computeHmac(key, raw));
      }
    }),
  );
});
