import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConnectionSlots } from '../../../src/gateway/downstream/connection-slots.ts';
import type { Turn } from '../../../src/gateway/downstream/slot-groups.ts';

const SHARE = { active: 100, open: 100 };

/** Requests that record what happens to them. */
class Log {
  readonly begun: string[] = [];
  readonly evicted: string[] = [];

  turn(name: string): Turn {
    return {
      begin: () => void this.begun.push(name),
      evict: () => void this.evicted.push(name),
    };
  }
}

function openMany(slots: ConnectionSlots, log: Log, name: string, count: number) {
  const connection = new PassThrough();
  expect(slots.take(connection)).toBe(true);
  const closes = Array.from({ length: count }, (_, index) =>
    slots.open(connection, SHARE, log.turn(`${name}${index}`)),
  );
  return { connection, closes };
}

describe('the requests of one connection', () => {
  it('run side by side up to half of what is free, and at least one runs', () => {
    const [slots, log] = [new ConnectionSlots({ sockets: 10, strangers: 0 }), new Log()];
    openMany(slots, log, 'a', 5);
    expect(log.begun).toEqual(['a0', 'a1', 'a2']);
    openMany(slots, log, 'b', 4);
    expect(log.begun.slice(3)).toEqual(['b0', 'b1']);
    openMany(slots, log, 'c', 1);
    expect(log.begun.slice(5)).toEqual(['c0']);
    expect(log.evicted).toEqual([]);
  });

  it('begin in order, as soon as there is room', () => {
    const [slots, log] = [new ConnectionSlots({ sockets: 4, strangers: 0 }), new Log()];
    const a = openMany(slots, log, 'a', 3);
    expect(log.begun).toEqual(['a0']);
    a.closes[0]?.();
    a.closes[0]?.();
    expect(log.begun).toEqual(['a0', 'a1']);
  });

  it('are evicted, the newest first, to make room for another connection, until both have the same number', () => {
    const [slots, log] = [new ConnectionSlots({ sockets: 6, strangers: 0 }), new Log()];
    openMany(slots, log, 'a', 6);
    openMany(slots, log, 'b', 4);
    expect(log.evicted).toEqual(['a5', 'a4', 'a3', 'b3']);
  });

  it('count only in the group of the connection: authenticated or unauthenticated', () => {
    const [slots, log] = [new ConnectionSlots({ sockets: 4, strangers: 2 }), new Log()];
    const a = openMany(slots, log, 'a', 2);
    slots.markAuthenticated(a.connection);
    openMany(slots, log, 'b', 3);
    expect(log.evicted).toEqual(['b2']);
    openMany(slots, log, 'c', 1);
    expect(log.evicted).toEqual(['b2', 'b1']);
  });
});

describe('after any sequence of events', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('take' as const) }),
    fc.record({ do: fc.constant('open' as const), at: fc.nat(), share: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ do: fc.constant('close' as const), at: fc.nat() }),
    fc.record({ do: fc.constant('authenticate' as const), at: fc.nat() }),
    fc.record({ do: fc.constant('distrust' as const), at: fc.nat() }),
    fc.record({ do: fc.constant('leave' as const), at: fc.nat() }),
  );

  it('no request is lost, counted twice, or runs beyond the limits, and no connection hangs', async () => {
    const limits = fc.constantFrom({ sockets: 5, strangers: 3 }, { sockets: 5, strangers: 0 });
    await fc.assert(
      fc.asyncProperty(limits, fc.array(step, { maxLength: 80 }), async ({ sockets, strangers }, steps) => {
        const slots = new ConnectionSlots({ sockets, strangers });
        const connections: PassThrough[] = [];
        const requests: {
          on: PassThrough;
          state: 'waits' | 'runs' | 'evicted' | 'closed';
          close: () => void;
        }[] = [];
        const pick = <T>(from: readonly T[], at: number) => from[at % Math.max(1, from.length)];
        for (const one of steps) {
          if (one.do === 'take') {
            const connection = new PassThrough();
            if (slots.take(connection)) connections.push(connection);
          } else if (one.do === 'open') {
            const on = pick(connections, one.at);
            if (on === undefined || on.destroyed) continue;
            const request = { on, state: 'waits' as (typeof requests)[number]['state'], close: () => {} };
            requests.push(request);
            request.close = slots.open(
              on,
              { active: one.share, open: 6 },
              {
                begin: () => {
                  expect(request.state).toBe('waits');
                  request.state = 'runs';
                },
                evict: () => {
                  expect(['waits', 'runs']).toContain(request.state);
                  request.state = 'evicted';
                },
              },
            );
          } else if (one.do === 'close') {
            const request = pick(requests, one.at);
            if (request?.state === 'evicted') request.close();
            else if (request?.state === 'runs' || request?.state === 'waits') {
              request.close();
              request.state = 'closed';
            }
          } else if (one.do === 'authenticate') {
            const connection = pick(connections, one.at);
            if (connection !== undefined) slots.markAuthenticated(connection);
          } else if (one.do === 'distrust') {
            const connection = pick(connections, one.at);
            if (connection !== undefined) slots.markUnauthenticated(connection);
          } else pick(connections, one.at)?.destroy();
          // A destroyed stream emits 'close' in a later turn.
          await new Promise(setImmediate);
          const here = connections.filter(({ destroyed }) => !destroyed);
          expect(here.length).toBeLessThanOrEqual(sockets);
          for (const connection of here) {
            const open = requests.filter(({ on, state }) => on === connection && /waits|runs/.test(state));
            expect(slots.isBusy(connection)).toBe(open.length > 0);
            if (open.length > 0) expect(open.some(({ state }) => state === 'runs')).toBe(true);
          }
          const groupOf = (connection: PassThrough) => slots.isAuthenticated(connection);
          const unauthenticated = here.filter(connection => !groupOf(connection));
          if (strangers > 0) expect(unauthenticated.length).toBeLessThanOrEqual(strangers);
          for (const authenticated of [true, false]) {
            const open = requests.filter(
              ({ on, state }) => !on.destroyed && /waits|runs/.test(state) && groupOf(on) === authenticated,
            );
            expect(open.length).toBeLessThanOrEqual(authenticated ? sockets : strangers);
          }
        }
      }),
      { numRuns: 300, seed: 20_261_128 },
    );
  });
});
