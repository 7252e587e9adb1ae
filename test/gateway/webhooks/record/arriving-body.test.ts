// How much of the bodies of captured requests is kept.

import { expect, it } from 'vitest';
import {
  ArrivingBody,
  BodyBudget,
  BodyStore,
  MAX_BODY_BYTES,
} from '../../../../src/gateway/webhooks/record/arriving-body.ts';

const MB = 1024 ** 2;

function fill(body: ArrivingBody, bytes: number, chunkBytes = 64 * 1024): void {
  for (let left = bytes; left > 0; left -= chunkBytes)
    body.add(Buffer.alloc(Math.min(left, chunkBytes), 'x'));
}

it.each([
  ['announced, in one piece', 2_000, 2_000, 2_000],
  ['announced, byte by byte', 300, 300, 1],
  ['not announced, in small pieces', 70_000, undefined, 999],
  ['long, and announced', 3 * MB, 3 * MB, 65_536],
  ['long, and not announced', 3 * MB + 1, undefined, 65_536],
  ['longer than announced', 5_000, 100, 1_000],
  ['empty', 0, 0, 1],
])('a body is kept as it came: %s', (_, length, announced, chunkBytes) => {
  const bytes = Buffer.from(Array.from({ length }, (_, index) => index * 7));
  const budget = new BodyBudget(100 * MB);
  const body = new ArrivingBody(budget, announced);
  for (let start = 0; start < length; start += chunkBytes)
    body.add(bytes.subarray(start, start + chunkBytes));
  expect(body.bytes).toBe(length);
  expect(body.take(new BodyStore()).equals(bytes)).toBe(true);
  expect(budget.usedBytes).toBe(0);
});

it('what is kept does not change with the network buffer, and keeps none in memory', () => {
  const packet = Buffer.alloc(64 * 1024, 'a');
  for (const pieces of [1, 2]) {
    const body = new ArrivingBody(new BodyBudget(MB), undefined);
    for (let piece = 0; piece < pieces; piece += 1) body.add(packet.subarray(0, 10));
    const kept = body.take(new BodyStore());
    packet.fill('b');
    expect(kept.toString()).toBe('a'.repeat(10 * pieces));
    expect(kept.buffer).not.toBe(packet.buffer);
    packet.fill('a');
  }
});

it('short bodies share blocks of memory, and do not overlap', () => {
  const store = new BodyStore();
  const kept = Array.from({ length: 500 }, (_, index) => store.keep([Buffer.alloc(1_000, index)], 1_000));
  for (const [index, body] of kept.entries()) expect(body.equals(Buffer.alloc(1_000, index))).toBe(true);
  expect(new Set(kept.map(({ buffer }) => buffer)).size).toBeLessThan(6);
});

it('of a body above the limit, the beginning is kept and the rest is counted', () => {
  const body = new ArrivingBody(new BodyBudget(1_000 * MB), undefined);
  fill(body, MAX_BODY_BYTES + 3 * MB, MB);
  expect(body.bytes).toBe(MAX_BODY_BYTES + 3 * MB);
  expect(body.take(new BodyStore())).toHaveLength(MAX_BODY_BYTES);
});

it('the longest body that is kept fits into a budget of twice its length', () => {
  const body = new ArrivingBody(new BodyBudget(2 * MAX_BODY_BYTES), MAX_BODY_BYTES);
  fill(body, MAX_BODY_BYTES);
  expect(body.take(new BodyStore())).toHaveLength(MAX_BODY_BYTES);
});

it('a thousand long bodies at once stay within the budget, and leave room for a short one', () => {
  const budget = new BodyBudget(50 * MB);
  const bodies = Array.from({ length: 1_000 }, () => new ArrivingBody(budget, 10 * MB));
  for (let round = 0; round < 16; round += 1) for (const body of bodies) fill(body, 64 * 1024);
  expect(budget.usedBytes).toBeLessThanOrEqual(50 * MB);
  const short = new ArrivingBody(budget, 2_000);
  fill(short, 2_000);
  expect(short.take(new BodyStore())).toHaveLength(2_000);
  for (const body of bodies) {
    expect(body.bytes).toBe(MB);
    const kept = body.take(new BodyStore());
    expect(kept.length).toBeGreaterThan(1_000);
    expect(kept.length).toBeLessThan(MB);
  }
  expect(budget.usedBytes).toBe(0);
});

it('a sender who announces much and sends one byte takes little of the budget', () => {
  const budget = new BodyBudget(50 * MB);
  new ArrivingBody(budget, 25 * MB).add(Buffer.from('x'));
  expect(budget.usedBytes).toBeLessThanOrEqual(64 * 1024);
});

it('once a part is left out, nothing behind it is kept', () => {
  const budget = new BodyBudget(MB);
  const other = budget.take(0, 8 * 1024);
  const body = new ArrivingBody(budget, undefined);
  fill(body, MB);
  budget.giveBack(other);
  fill(body, 1_000);
  expect(body.bytes).toBe(MB + 1_000);
  expect(body.take(new BodyStore())).toHaveLength(8 * 1024);
});
