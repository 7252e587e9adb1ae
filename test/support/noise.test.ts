import { expect, it } from 'vitest';
import { Noise, NoiseCheck, openRandom, streamNoise } from './noise.ts';

it('gives the same bytes for the same seed, in pieces of any size, and others for another seed', () => {
  const [whole, pieces] = [new Noise(7), new Noise(7)];
  const inPieces = [1, 70_000, 3, 65_536, 4].map(count => Buffer.from(pieces.take(count)));
  expect(Buffer.concat(inPieces).equals(whole.take(135_544))).toBe(true);
  expect(new Noise(8).take(64).equals(new Noise(7).take(64))).toBe(false);
});

it('does not repeat at any distance that is a power of two', () => {
  const bytes = Buffer.from(new Noise(1).take(1 << 22));
  for (let distance = 1; distance < bytes.length; distance *= 2) {
    const shifted = bytes.subarray(distance);
    let same = 0;
    for (let at = 0; at < shifted.length; at += 1) if (shifted[at] === bytes[at]) same += 1;
    // One byte in 256 is equal by chance.
    expect(same / shifted.length).toBeLessThan(0.1);
  }
});

it('reports the position of a wrong byte', async () => {
  const check = new NoiseCheck(5);
  for await (const chunk of streamNoise(5, 200_001)) check.take(chunk);
  expect(check.result(200_001)).toBe('right');
  expect(check.result(200_002)).toBe('200001 bytes instead of 200002');
  const swapped = new NoiseCheck(5);
  const bytes = Buffer.from(new Noise(5).take(1_000));
  bytes[777] = (bytes[777] ?? 0) ^ 1;
  for (const [from, to] of [
    [0, 500],
    [500, 1_000],
  ] as const)
    swapped.take(bytes.subarray(from, to));
  expect(swapped.result(1_000)).toBe('byte 777 is wrong');
});

it('gives whole numbers below the limit', () => {
  const random = openRandom(3);
  const seen = new Set(Array.from({ length: 1_000 }, () => random(7)));
  expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
});
