// Text that arrives in pieces, split into lines.

import { describe, expect, it } from 'vitest';
import { LastLines, LineBuffer } from '../../src/shared/lines.ts';

describe('a line buffer', () => {
  it('returns whole lines without their line ends, wherever the text is cut', () => {
    const buffer = new LineBuffer();
    expect(['one\r', '\ntw', 'o\n\nthr', 'ee'].flatMap(text => buffer.add(text))).toEqual(['one', 'two', '']);
    expect(buffer.rest).toBe('three');
    expect(buffer.end()).toEqual(['three']);
    expect([buffer.rest, buffer.end()]).toEqual(['', []]);
  });

  it('cuts a line that never ends into pieces', () => {
    const buffer = new LineBuffer();
    const pieces = Array.from({ length: 10 }, () => buffer.add('x'.repeat(5_000))).flat();
    expect(pieces.map(piece => piece.length)).toEqual([16_384, 16_384, 16_384]);
    expect(buffer.rest).toHaveLength(50_000 - 3 * 16_384);
  });
});

it('LastLines keeps the last lines, 20 by default', () => {
  const [few, some] = [new LastLines(3), new LastLines()];
  for (let line = 1; line <= 50; line += 1) for (const lines of [few, some]) lines.add(String(line));
  expect(few.list()).toEqual(['48', '49', '50']);
  expect(few.list(1)).toEqual(['50']);
  expect(some.list()).toHaveLength(20);
});
