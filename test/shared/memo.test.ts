import { describe, expect, it } from 'vitest';
import { Memo } from '../../src/shared/memo.ts';

/** A memo of lengths, and the texts that it computed. */
function createCounted(limits?: ConstructorParameters<typeof Memo>[1]) {
  const computed: string[] = [];
  const measure = (text: string) => {
    computed.push(text);
    return text.length;
  };
  return { memo: new Memo(measure, limits), computed };
}

describe('a memo', () => {
  it('computes each text once', () => {
    const { memo, computed } = createCounted();
    expect(['host', 'accept', 'host', 'HOST', 'host'].map(text => memo.read(text))).toEqual([4, 6, 4, 4, 4]);
    expect(computed).toEqual(['host', 'accept', 'HOST']);
  });

  it('stays within its limit, however many texts come, and is right for each of them', () => {
    const { memo } = createCounted();
    for (let index = 0; index < 100_000; index += 1) {
      const text = `x-${index}`;
      if (memo.read(text) !== text.length) throw new Error(`wrong for ${text}`);
      if (memo.size > 512) throw new Error(`${memo.size} texts are remembered`);
    }
    expect(memo.size).toBeGreaterThan(0);
  });

  it('remembers usual texts again after a flood of others', () => {
    const { memo, computed } = createCounted({ entries: 3, textLength: 10 });
    for (const text of ['host', 'a', 'b', 'c', 'host', 'host', 'host']) memo.read(text);
    expect(computed).toEqual(['host', 'a', 'b', 'c', 'host']);
  });

  it('does not keep long texts', () => {
    const { memo, computed } = createCounted({ entries: 3, textLength: 10 });
    const [longest, longer] = ['x'.repeat(10), 'x'.repeat(11)];
    for (const text of [longest, longer, longest, longer]) expect(memo.read(text)).toBe(text.length);
    expect(computed).toEqual([longest, longer, longer]);
    expect(memo.size).toBe(1);
  });
});
