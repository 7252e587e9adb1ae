import { expect, it } from 'vitest';
import { KnownDeliveries } from '../../../../src/gateway/webhooks/record/known-deliveries.ts';

it('names the first request of a delivery for each later one', () => {
  const deliveries = new KnownDeliveries();
  expect(deliveries.findFirst('a', 1)).toBeUndefined();
  expect(deliveries.findFirst('b', 2)).toBeUndefined();
  expect(deliveries.findFirst('a', 3)).toBe(1);
  expect(deliveries.findFirst('a', 4)).toBe(1);
  expect(deliveries.findFirst(undefined, 5)).toBeUndefined();
  expect(deliveries.findFirst(undefined, 6)).toBeUndefined();
});

it('forgets the oldest deliveries, so that its memory is bounded', () => {
  const deliveries = new KnownDeliveries();
  for (let id = 1; id <= 10_001; id += 1) deliveries.findFirst(`delivery ${id}`, id);
  expect(deliveries.findFirst('delivery 2', 10_002)).toBe(2);
  expect(deliveries.findFirst('delivery 1', 10_003)).toBeUndefined();
  expect(deliveries.findFirst('x'.repeat(513), 10_004)).toBeUndefined();
  expect(deliveries.findFirst('x'.repeat(513), 10_005)).toBeUndefined();
});
