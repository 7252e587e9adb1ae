import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBlockedPort } from '../../../src/tunnel/retry/blocked-ports.ts';
import { listCandidates, orderServers } from '../../../src/tunnel/retry/placement.ts';
import type { TunnelServer } from '../../../src/tunnel/tunnel.ts';

const FULL = { kind: 'auto', min: 1_024, max: 65_535 } as const;
const identities = Array.from({ length: 3_000 }, (_, i) => `wasmrun/demo pull/${i}`);

function take(count: number, ...range: Parameters<typeof listCandidates>): number[] {
  const ports: number[] = [];
  for (const port of listCandidates(...range)) if (ports.push(port) >= count) break;
  return ports;
}

describe('the candidates for a port', () => {
  it('are the same in every run, and differ for another preview, secret or range', () => {
    const first = take(50, 'a', 'sesame', FULL);
    expect(take(50, 'a', 'sesame', FULL)).toEqual(first);
    for (const others of [
      take(50, 'b', 'sesame', FULL),
      take(50, 'a', 'open', FULL),
      take(50, 'a', undefined, FULL),
      take(50, 'a', 'sesame', { ...FULL, min: 1_025 }),
    ])
      expect(others.filter((port, i) => port === first[i]).length).toBeLessThan(5);
  });

  // If these numbers change, so does the address of every existing preview.
  it('are the same as in earlier versions', () => {
    expect(take(3, 'a', 'sesame', FULL)).toEqual([27_326, 62_840, 28_455]);
    expect(take(3, 'a', undefined, FULL)).toEqual([15_365, 13_953, 58_482]);
  });

  it('are every port of the range once, except those that browsers refuse', () => {
    const range = fc.integer({ min: 1, max: 65_000 });
    fc.assert(
      fc.property(fc.string(), range, fc.nat(300), (identity, min, length) => {
        const range = { kind: 'auto', min, max: min + length } as const;
        const all = Array.from({ length: length + 1 }, (_, i) => min + i);
        const open = all.filter(port => !isBlockedPort(port));
        const found = take(Number.POSITIVE_INFINITY, identity, undefined, range);
        expect(found.toSorted((a, b) => a - b)).toEqual(open.length > 0 ? open : all);
      }),
    );
  });

  it('include blocked ports if browsers refuse the whole range', () => {
    expect(take(9, 'a', undefined, { kind: 'auto', min: 6_665, max: 6_669 }).toSorted()).toEqual([
      6_665, 6_666, 6_667, 6_668, 6_669,
    ]);
  });

  it('are spread evenly over the range: no tenth of it has much more than a tenth of the previews', () => {
    const tenths = new Array<number>(10).fill(0);
    for (const identity of identities) {
      const [port = 0] = take(1, identity, 'sesame', FULL);
      const tenth = Math.floor(((port - FULL.min) * 10) / (FULL.max - FULL.min + 1));
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    for (const count of tenths) expect(Math.abs(count - 300)).toBeLessThan(75);
  });
});

describe('the order of the servers', () => {
  const servers: TunnelServer[] = ['a', 'b', 'c', 'd'].map(name => ({
    address: { host: `${name}.example`, port: 7_835 },
    secret: `secret of ${name}`,
  }));
  const order = (identity: string, list = servers) =>
    orderServers(list, identity).map(one => one.address.host);

  it('is the same in every run, in whatever order they are listed', () => {
    for (const identity of identities.slice(0, 100))
      expect(order(identity, servers.toReversed())).toEqual(order(identity));
  });

  it('gives each server about the same number of previews, as first and as second choice', () => {
    const orders = identities.map(identity => order(identity));
    for (const rank of [0, 1])
      for (const { address } of servers) {
        const count = orders.filter(hosts => hosts[rank] === address.host).length;
        expect(Math.abs(count - 750)).toBeLessThan(110);
      }
  });

  it('changes only for the previews of a server that is lost', () => {
    const [, ...left] = servers;
    for (const identity of identities)
      expect(order(identity, left)).toEqual(order(identity).filter(host => host !== 'a.example'));
  });

  it('cannot be computed without the secrets', () => {
    const guesses = servers.map(({ address }) => ({ address, secret: 'guessed' }));
    const same = identities.filter(identity => order(identity, guesses)[0] === order(identity)[0]).length;
    expect(Math.abs(same - 750)).toBeLessThan(110);
  });
});

it('blocks exactly the ports that fetch refuses', async () => {
  // Nothing listens on this address: fetch dials a port that is not blocked, and fails with another error.
  const refuses = async (port: number) =>
    await fetch(`http://127.0.0.129:${port}`).then(
      () => false,
      error => error.cause?.message === 'bad port',
    );
  const blocked = Array.from({ length: 65_535 }, (_, i) => i + 1).filter(isBlockedPort);
  expect(blocked).toHaveLength(82);
  for (const port of new Set(blocked.flatMap(one => [one, one + 1, Math.max(1, one - 1)])))
    expect([port, isBlockedPort(port)]).toEqual([port, await refuses(port)]);
});
