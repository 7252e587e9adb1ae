// How many encoders are open, and work, at a time.

import { describe, expect, it } from 'vitest';
import { EncoderSlots } from '../../src/shared/encoder-slots.ts';

describe('the slots of encoders', () => {
  it('are full at their limit, until one is given back, which counts once', () => {
    const slots = new EncoderSlots(2);
    const [giveBack] = [slots.take(), slots.take()];
    expect(slots.areFull).toBe(true);
    giveBack();
    giveBack();
    slots.take();
    expect(slots.areFull).toBe(true);
  });

  it('let one encoder work at a time, in the order in which they asked', () => {
    const slots = new EncoderSlots(9);
    const working: (() => void)[] = [];
    const began: string[] = [];
    for (const name of ['a', 'b', 'c'])
      slots.work(done => {
        began.push(name);
        working.push(done);
      });
    expect(began).toEqual(['a']);
    working[0]?.();
    working[0]?.();
    expect(began).toEqual(['a', 'b']);
    working[1]?.();
    working[2]?.();
    slots.work(() => began.push('d'));
    expect(began).toEqual(['a', 'b', 'c', 'd']);
  });
});
