import fc from 'fast-check';
import { expect, it } from 'vitest';
import { orderServers } from '../../../src/tunnel/retry/placement.ts';
import { ServerRotation } from '../../../src/tunnel/retry/server-rotation.ts';
import { TIMINGS } from '../../../src/tunnel/timings.ts';
import type { TunnelServer } from '../../../src/tunnel/tunnel.ts';

const { serverFirst, serverAway } = TIMINGS;

function choose(count: number, identity = 'a preview') {
  const servers: TunnelServer[] = Array.from({ length: count }, (_, i) => ({
    address: { host: `bore-${i}.example`, port: 7_835 },
  }));
  const options = { servers, identity, remotePort: { kind: 'random' }, preferred: undefined } as const;
  const order = orderServers(servers, identity).map(({ address }) => address.host);
  return { order, choice: new ServerRotation({ ...options, timings: TIMINGS }, 0) };
}

it('tries every server once in a round, best first, without those that were excluded', () => {
  const setAside = fc.array(fc.nat(4), { maxLength: 4 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.string(), setAside, (count, identity, aside) => {
      const { order, choice } = choose(count, identity);
      const unfit = new Set(aside.map(at => order[at % count]).slice(0, count - 1));
      const fit = order.filter(host => !unfit.has(host));
      // The first round includes the servers that will be excluded; the second has only the others.
      const asked: string[] = [];
      for (let turn = 0; turn < count + fit.length; turn += 1) {
        const { host } = choice.current.address;
        asked.push(host);
        if (unfit.has(host)) expect(choice.exclude(0)).toBe(true);
        else choice.advance(0);
      }
      expect(asked).toEqual([...order, ...fit]);
    }),
  );
});

it('reports that the last server was excluded, and includes all of them again when one serves', () => {
  const { order, choice } = choose(2);
  expect(choice.exclude(0)).toBe(true);
  expect(choice.exclude(0)).toBe(false);
  choice.confirm();
  expect(choice.exclude(0)).toBe(true);
  expect(choice.current.address.host).toBe(order[0]);
});

it('gives a server 3 s at the start and 30 s when it is lost, counted from its last bytes', () => {
  const { choice } = choose(2);
  expect(choice.graceLeft(1_000)).toBe(serverFirst - 1_000);
  choice.confirm();
  choice.markLost(50_000, true, 50_500);
  expect(choice.graceLeft(56_000)).toBe(serverAway - 6_000);
  // A session that did not last does not change that.
  choice.confirm();
  choice.markLost(60_000, false, 60_500);
  expect(choice.graceLeft(60_000)).toBe(serverAway - 10_000);
  choice.advance(80_000);
  expect(choice.graceLeft(80_000)).toBe(serverFirst);
  choice.confirm();
  choice.markLost(81_000, false, 81_500);
  expect(choice.graceLeft(81_000)).toBe(serverAway);
  expect(choose(1).choice.graceLeft(1e9)).toBe(Number.POSITIVE_INFINITY);
});

it('starts with the best server again when the server that took over is lost, too', () => {
  const { order, choice } = choose(3);
  choice.advance(0);
  choice.confirm();
  choice.markLost(0, true, 500);
  expect(choice.current.address.host).toBe(order[1]);
  expect(choice.advance(0)).toBe(false);
  expect(choice.current.address.host).toBe(order[0]);
});

it('gives the best server its whole time when its turn comes again after a pause', () => {
  const { choice } = choose(2);
  choice.confirm();
  choice.markLost(0, true, 500);
  expect(choice.advance(30_000, 9_000)).toBe(false);
  expect(choice.graceLeft(30_000)).toBe(serverFirst);
  expect(choice.advance(33_000, 9_000)).toBe(true);
  expect(choice.graceLeft(42_000)).toBe(serverFirst);
});

it('retries the same server first after the machine was suspended', () => {
  const { choice } = choose(2);
  choice.confirm();
  choice.markLost(0, true, 60_000);
  expect(choice.graceLeft(60_000)).toBe(serverFirst);
});
