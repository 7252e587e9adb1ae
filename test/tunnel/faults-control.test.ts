import { expect, it } from 'vitest';
import type { Direction, Fault } from '../support/fault-relay.ts';
import { type FaultWorld, startWorld } from '../support/fault-world.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { portOf } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const HOST = '127.0.0.160';
const DIRECTIONS: Direction[] = ['toServer', 'toClient'];

/** A fault of the control connection, and how the client notices it, if it does. */
type Case = [kind: string, direction: Direction | 'both', fault: Fault, sign: Sign | undefined];

/** `loss`: an end or a reset, which is noticed at once; `silence`: no heartbeats. */
type Sign = 'loss' | 'silence';

/** After `Hello` the client sends nothing more, so in its direction only a reset has an effect. */
const CASES: Case[] = [
  ['delay', 'toServer', { kind: 'delay', ms: 300 }, undefined],
  ['delay', 'toClient', { kind: 'delay', ms: 300 }, undefined],
  ['slice', 'toServer', { kind: 'slice', bytes: 1 }, undefined],
  ['slice', 'toClient', { kind: 'slice', bytes: 1 }, undefined],
  ['throttle', 'toServer', { kind: 'throttle', bytesPerSecond: 200 }, undefined],
  ['throttle', 'toClient', { kind: 'throttle', bytesPerSecond: 200 }, undefined],
  // The relay resets the server's side; the client, which sends nothing, notices the silence.
  ['cut', 'toServer', { kind: 'cut' }, 'silence'],
  ['cut', 'toClient', { kind: 'cut' }, 'loss'],
  ['cut', 'both', { kind: 'cut' }, 'loss'],
  ['end', 'toServer', { kind: 'end' }, undefined],
  ['end', 'toClient', { kind: 'end' }, 'loss'],
  ['blackhole', 'toServer', { kind: 'blackhole' }, undefined],
  ['blackhole', 'toClient', { kind: 'blackhole' }, 'silence'],
  ['stop', 'toServer', { kind: 'stop' }, undefined],
  ['stop', 'toClient', { kind: 'stop' }, 'silence'],
  ['stop after some bytes', 'toServer', { kind: 'stop', after: 20 }, undefined],
  ['stop after some bytes', 'toClient', { kind: 'stop', after: 20 }, 'silence'],
  ['corrupt', 'toServer', { kind: 'corrupt', every: 3 }, undefined],
];

describeWithReal(['bore'], 'a fault of the control connection', () => {
  it.each(CASES)('(%s, %s) disturbs no visitor and keeps the port', async (_, direction, fault, sign) => {
    const world = await startWorld(HOST);
    const early = world.startVisit();
    await waitUntil(() => world.tunnel.openVisitors === 1, 'a visitor is connected');
    world.relay.inject({
      role: 'control',
      connections: 'present',
      ...(direction !== 'both' && { direction }),
      fault,
    });
    if (sign !== undefined)
      await waitUntil(
        () => world.tunnel.reconnects === 1,
        'the fault is noticed, and the tunnel is connected again',
      );
    else await outlast(world);
    expect(readSign(world)).toBe(sign);
    expect(await world.visit()).toBe('right');
    early.goOn();
    expect(await early.outcome).toBe('right');
    expect(portOf(world.tunnel)).toBe(world.port);
    expect(world.tunnel.reconnects).toBe(sign === undefined ? 0 : 1);
    await world.close();
  });

  it('that drops everything, resets too, makes the tunnel retry its port until the link works again', async () => {
    const world = await startWorld(HOST);
    const early = world.startVisit();
    await waitUntil(() => world.tunnel.openVisitors === 1, 'a visitor is connected');
    world.relay.inject({ role: 'control', connections: 'present', fault: { kind: 'blackhole' } });
    await waitUntil(
      () => JSON.stringify(world.tunnel.state).includes('in use'),
      'the old session holds the port',
    );
    world.relay.heal();
    await waitUntil(() => world.tunnel.state.status === 'Connected', 'the tunnel is back');
    expect(portOf(world.tunnel)).toBe(world.port);
    early.goOn();
    expect([await early.outcome, await world.visit()]).toEqual(['right', 'right']);
    await world.close();
  });

  it('that removes the ends of frames leads to a new session', async () => {
    const world = await startWorld(HOST);
    const early = world.startVisit();
    await waitUntil(() => world.tunnel.openVisitors === 1, 'a visitor is connected');
    const fault: Fault = { kind: 'corrupt', every: 1 };
    world.relay.inject({ role: 'control', direction: 'toClient', connections: 'present', fault });
    // Each announcement has 56 bytes, so that a frame without an end is soon too long.
    const unlucky = Array.from({ length: 6 }, () => world.startVisit());
    await waitUntil(() => world.tunnel.reconnects === 1, 'the tunnel is back');
    early.goOn();
    expect([await early.outcome, await world.visit()]).toEqual(['right', 'right']);
    expect(portOf(world.tunnel)).toBe(world.port);
    for (const { socket } of unlucky) socket.destroy();
    await world.close();
  });

  it.each([5, 7])('that changes one byte in %i is logged once, and the session goes on', async every => {
    const world = await startWorld(HOST);
    const fault: Fault = { kind: 'corrupt', every };
    world.relay.inject({ role: 'control', direction: 'toClient', connections: 'present', fault });
    await outlast(world);
    expect(world.log.filter(line => line.endsWith('the tunnel goes on'))).toHaveLength(1);
    world.relay.heal();
    await outlast(world); // a frame that lost its end also spoils the next one
    expect(await world.visit()).toBe('right');
    expect([portOf(world.tunnel), world.tunnel.reconnects]).toEqual([world.port, 0]);
    await world.close();
  });
});

/** A fault in the handshake of a session that replaces another one. */
const HANDSHAKES: [kind: string, fault: Fault][] = [
  ['delay', { kind: 'delay', ms: 300 }],
  ['slice', { kind: 'slice', bytes: 1 }],
  ['throttle', { kind: 'throttle', bytesPerSecond: 500 }],
  ['cut', { kind: 'cut' }],
  ['end', { kind: 'end' }],
  ['blackhole', { kind: 'blackhole' }],
  ['stop', { kind: 'stop' }],
  // This never changes a digit into another digit, which would be the proof of a wrong secret.
  ['corrupt', { kind: 'corrupt', every: 2 }],
];

describeWithReal(['bore'], 'a fault in the handshake of a reconnect', () => {
  it.each(
    HANDSHAKES.flatMap(([kind, fault]) =>
      DIRECTIONS.map(direction => [kind, direction, fault] as const),
    ).filter(([kind, direction]) => kind !== 'end' || direction === 'toClient'),
  )('(%s, %s) costs at most one attempt', async (_, direction, fault) => {
    const world = await startWorld(HOST);
    const early = world.startVisit();
    await waitUntil(() => world.tunnel.openVisitors === 1, 'a visitor is connected');
    world.relay.inject({ role: 'control', direction, connections: 'next', fault });
    world.relay.inject({ role: 'control', connections: 'present', fault: { kind: 'cut' } });
    await waitUntil(() => world.tunnel.reconnects === 1, 'the tunnel is back');
    expect(portOf(world.tunnel)).toBe(world.port);
    early.goOn();
    expect([await early.outcome, await world.visit()]).toEqual(['right', 'right']);
    await world.close();
  });
});

/** Waits for longer than heartbeats may be missed. */
async function outlast({ relay }: FaultWorld): Promise<void> {
  const countBytes = () => relay.connections.findLast(({ role }) => role === 'control')?.passed.toClient ?? 0;
  const before = countBytes();
  await waitUntil(() => countBytes() > before + 4 * '"Heartbeat"\0'.length, 'heartbeats come');
}

/** How the first loss of the session was noticed. */
function readSign({ states }: FaultWorld): Sign | undefined {
  const lost = states.find(state => state.status === 'Reconnecting');
  if (lost?.status !== 'Reconnecting') return undefined;
  return lost.reason.startsWith('no heartbeat') ? 'silence' : 'loss';
}
