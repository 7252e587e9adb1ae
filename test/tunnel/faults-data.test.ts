import { expect, it } from 'vitest';
import type { Direction, Fault } from '../support/fault-relay.ts';
import { type FaultWorld, type Outcome, startWorld, type Visit } from '../support/fault-world.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { portOf } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const HOST = '127.0.0.161';
/** A position in the second half of an upload, or of an answer. */
const MIDDLE = 150_000;

type Case = [kind: string, direction: Direction, fault: Fault, outcomes: Outcome[]];

/** The real server turns a reset into a clean end, so a visitor may get the one or the other. */
const CUT: Outcome[] = ['broken', 'short'];

/** `toServer` carries the app's answer, `toClient` the visitor's upload. */
const CASES: Case[] = [
  ['delay', 'toServer', { kind: 'delay', ms: 200 }, ['right']],
  ['delay', 'toClient', { kind: 'delay', ms: 200 }, ['right']],
  ['slice', 'toServer', { kind: 'slice', bytes: 61 }, ['right']],
  ['slice', 'toClient', { kind: 'slice', bytes: 61 }, ['right']],
  ['throttle', 'toServer', { kind: 'throttle', bytesPerSecond: 400_000 }, ['right']],
  ['throttle', 'toClient', { kind: 'throttle', bytesPerSecond: 400_000 }, ['right']],
  ['cut', 'toServer', { kind: 'cut', after: MIDDLE }, CUT],
  ['cut', 'toClient', { kind: 'cut', after: MIDDLE }, CUT],
  ['end', 'toServer', { kind: 'end', after: MIDDLE }, CUT],
  ['end', 'toClient', { kind: 'end', after: MIDDLE }, CUT],
  // One byte in so many: none in the handshake, which is shorter.
  ['corrupt', 'toServer', { kind: 'corrupt', every: 1_000 }, ['wrong']],
  ['corrupt', 'toClient', { kind: 'corrupt', every: 1_000 }, ['wrong']],
];

describeWithReal(['bore'], 'a fault of one data connection', () => {
  it.each(CASES)(
    '(%s, %s) affects only its visitor, who gets the right bytes or a broken connection',
    async (_, direction, fault, outcomes) => {
      const world = await startWorld(HOST);
      const { visits, unlucky } = await startAmongOthers(world, direction, fault);
      for (const visit of visits) visit.goOn();
      expect(outcomes).toContain(await unlucky.outcome);
      await expectUnharmed(world, visits, unlucky);
    },
  );

  it.each<Direction>(['toServer', 'toClient'])(
    '(stop, %s) delays its visitor and loses no byte',
    async direction => {
      // More than all buffers of the route together, so that both ends have to wait.
      const world = await startWorld(HOST, { bytes: 24_000_000 });
      const fault = { kind: 'stop', after: 1_000_000 } as const;
      const { visits, unlucky } = await startAmongOthers(world, direction, fault);
      const others = visits.filter(visit => visit !== unlucky);
      for (const visit of visits) visit.goOn();
      let isOver = false;
      void unlucky.outcome.then(() => {
        isOver = true;
      });
      for (const visit of others) expect(await visit.outcome).toBe('right');
      // During this visit, all buffers up to the sender fill up.
      expect(await world.visit()).toBe('right');
      expect(isOver).toBe(false);
      const passed = world.relay.connections.map(connection => connection.passed[direction]);
      expect(passed).toContain(fault.after);
      world.relay.heal();
      expect(await unlucky.outcome).toBe('right');
      await expectUnharmed(world, visits, unlucky);
    },
  );

  it.each<Direction>(['toServer', 'toClient'])(
    '(blackhole, %s) makes the tunnel cut the connection after a long silence',
    async direction => {
      const world = await startWorld(HOST, { raw: { idleMs: 1_500 } });
      const fault: Fault = { kind: 'blackhole', after: MIDDLE };
      const { visits, unlucky } = await startAmongOthers(world, direction, fault);
      for (const visit of visits) visit.goOn();
      await waitUntil(() => world.tunnel.openVisitors === 0, 'no visitor is open');
      unlucky.socket.destroy();
      await expectUnharmed(world, visits, unlucky);
    },
  );
});

type Handshake = [name: string, direction: Direction, fault: Fault, outcome: Outcome];

/** How a visit ends if its data connection has the fault from the first byte on. */
const HANDSHAKES: Handshake[] = [
  ['delay', 'toServer', { kind: 'delay', ms: 300 }, 'right'],
  ['delay', 'toClient', { kind: 'delay', ms: 300 }, 'right'],
  ['slice', 'toServer', { kind: 'slice', bytes: 13 }, 'right'],
  ['slice', 'toClient', { kind: 'slice', bytes: 13 }, 'right'],
  ['throttle', 'toServer', { kind: 'throttle', bytesPerSecond: 400_000 }, 'right'],
  ['throttle', 'toClient', { kind: 'throttle', bytesPerSecond: 400_000 }, 'right'],
  // Faults before the request is sent: it can be sent over another connection.
  ['cut', 'toServer', { kind: 'cut' }, 'right'],
  ['cut', 'toClient', { kind: 'cut' }, 'right'],
  ['end', 'toClient', { kind: 'end' }, 'right'],
  ['end in the middle of the challenge', 'toClient', { kind: 'end', after: 20 }, 'right'],
  ['blackhole', 'toClient', { kind: 'blackhole' }, 'right'],
  ['stop', 'toClient', { kind: 'stop', after: 20 }, 'right'],
  ['corrupt', 'toClient', { kind: 'corrupt', every: 2 }, 'right'],
  // Faults after that: nothing shows that the request did not arrive, and the server drops the visitor after ten
  // seconds.
  ['cut in the middle of the request', 'toServer', { kind: 'cut', after: 20 }, 'broken'],
  ['end', 'toServer', { kind: 'end' }, 'broken'],
  ['blackhole', 'toServer', { kind: 'blackhole' }, 'broken'],
  ['stop', 'toServer', { kind: 'stop', after: 20 }, 'broken'],
  ['corrupt', 'toServer', { kind: 'corrupt', every: 20 }, 'broken'],
];

describeWithReal(['bore'], 'the handshake of a data connection', () => {
  it('may fail in any way: its visitor is fetched again if possible, and no other visitor notices', async () => {
    const world = await startWorld(HOST);
    const suffer = async ([, direction, fault]: Handshake): Promise<Outcome> => {
      const other = await world.openAnother();
      const early = other.startVisit();
      await waitUntil(() => other.tunnel.openVisitors === 1, 'a visitor is connected');
      other.relay.inject({ role: 'data', direction, connections: 'next', fault });
      const known = other.relay.count;
      const outcome = other.visit();
      await waitUntil(() => other.relay.count > known, 'the connection is there');
      early.goOn();
      expect([await early.outcome, await other.visit()]).toEqual(['right', 'right']);
      return await outcome;
    };
    const outcomes = await Promise.all(HANDSHAKES.map(suffer));
    const lines = HANDSHAKES.map(([name, direction], at) => `${name} ${direction}: ${outcomes[at]}`);
    expect(lines).toEqual(
      HANDSHAKES.map(([name, direction, , expected]) => `${name} ${direction}: ${expected}`),
    );
    await world.close();
  });
});

describeWithReal(['bore'], 'spare connections', () => {
  it.each<Fault>([{ kind: 'cut' }, { kind: 'end' }])(
    'may all be lost ($kind): the next visitors get new connections',
    async fault => {
      const world = await startWorld(HOST, { spareConnections: true });
      expect(await world.visit()).toBe('right');
      await waitUntil(() => world.relay.connections.length > 2, 'spare connections are open');
      world.relay.inject({ role: 'data', direction: 'toClient', connections: 'present', fault });
      const visits = Array.from({ length: 4 }, () => world.visit());
      expect(await Promise.all(visits)).toEqual(['right', 'right', 'right', 'right']);
      await world.close();
    },
  );
});

/** Three visits half-way through their uploads, the second with a fault in its data connection. */
async function startAmongOthers(world: FaultWorld, direction: Direction, fault: Fault) {
  const before = world.startVisit();
  await waitUntil(() => world.tunnel.openVisitors === 1, 'the first visitor is connected');
  world.relay.inject({ role: 'data', direction, connections: 'next', fault });
  const unlucky = world.startVisit();
  await waitUntil(() => world.tunnel.openVisitors === 2, 'the visitor with the fault is connected');
  const after = world.startVisit();
  await waitUntil(() => world.tunnel.openVisitors === 3, 'the last visitor is connected');
  return { visits: [before, unlucky, after], unlucky };
}

/** Expects that all other visits ended well, the session was not replaced, and nothing is left. */
async function expectUnharmed(world: FaultWorld, visits: Visit[], unlucky: Visit): Promise<void> {
  for (const visit of visits) {
    if (visit !== unlucky) expect(await visit.outcome).toBe('right');
  }
  expect(await world.visit()).toBe('right');
  await waitUntil(() => world.tunnel.openVisitors === 0, 'all visitors have left');
  expect([portOf(world.tunnel), world.tunnel.reconnects]).toEqual([world.port, 0]);
  await world.close();
}
