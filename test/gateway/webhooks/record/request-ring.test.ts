// The list of the newest requests.

import { expect, it } from 'vitest';
import { RequestRing } from '../../../../src/gateway/webhooks/record/request-ring.ts';
import type { CapturedRequest } from '../../../../src/shared/captured-request.ts';
import { FakeRequestLog } from '../../../support/request-log.ts';
import { chooseSeed } from '../../../support/scale.ts';
import { Seeded } from '../../../support/seeded.ts';

const log = new FakeRequestLog({ kind: 'none' });

function make(bodyBytes = 0): CapturedRequest {
  return log.add({ body: Buffer.alloc(bodyBytes) });
}

it('forgets the oldest request when there are too many', () => {
  const ring = new RequestRing(3);
  const requests = [1, 2, 3, 4, 5].map(() => make());
  for (const request of requests) ring.add(request);
  expect(ring.listAfter(0)).toEqual(requests.slice(2));
  expect(ring.find(requests[1]?.id ?? 0)).toBeUndefined();
  expect(ring.find(requests[2]?.id ?? 0)).toBe(requests[2]);
});

it('counts the bytes of what it keeps, and forgets the oldest until the rest fits', () => {
  const ring = new RequestRing(100);
  const requests = [10_000, 20_000, 30_000].map(make);
  for (const request of requests) ring.add(request);
  expect(ring.bytes).toBeGreaterThan(60_000);
  ring.trim(55_000);
  expect(ring.listAfter(0)).toEqual(requests.slice(1));
  ring.trim(0);
  expect([ring.bytes, ring.listAfter(0)]).toEqual([0, []]);
  ring.add(make(7));
  expect(ring.listAfter(0)).toHaveLength(1);
});

it('finds and lists the same as a plain list, whatever was added, forgotten and cleared', () => {
  const random = new Seeded(chooseSeed(1));
  const ring = new RequestRing(50);
  let model: CapturedRequest[] = [];
  for (let round = 0; round < 5_000; round += 1) {
    if (random.below(500) === 0) {
      ring.clear();
      model = [];
    }
    const request = make(random.below(100));
    ring.add(request);
    model = [...model, request].slice(-50);
    const id = request.id - random.below(80);
    expect(ring.find(id)).toBe(model.find(one => one.id === id));
    expect(ring.listAfter(id)).toEqual(model.filter(one => one.id > id));
  }
});
