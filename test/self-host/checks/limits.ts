// The limits of a proxy: requests of one visitor's address, and the time for a request's head.

import { expect, it } from 'vitest';
import { waitUntil } from '../../support/wait-until.ts';
import type { World } from '../proxy-world.ts';
import { askHttp2 } from '../visitor.ts';

const PAGE_OBJECTS = 300;
/** More than any proxy here lets through at once. */
const FLOOD = 2_000;
const TRICKLE_MS = 200;

export interface SlowHead {
  isCut: boolean;
}

/** A request head that never ends: one more byte again and again, until the proxy closes the connection. */
export function sendSlowHead({ first, network }: World): SlowHead {
  const slow: SlowHead = { isCut: false };
  void (async () => {
    const socket = await first.visitor.at(`${network}.21`).connect(first.name);
    socket.write(`GET / HTTP/1.1\r\nHost: ${first.name}\r\nX-Slow: `);
    const timer = setInterval(() => socket.write('a'), TRICKLE_MS);
    socket.on('error', () => {}).resume();
    socket.once('close', () => {
      clearInterval(timer);
      slow.isCut = true;
    });
    socket.once('end', () => socket.destroy());
  })();
  return slow;
}

export function defineLimits(read: () => World, slowHead: () => SlowHead, hasRateLimits: boolean): void {
  it(`lets a page of ${PAGE_OBJECTS} objects through`, async () => {
    const { first, network } = read();
    const { name } = first;
    const page = await first.visitor.at(`${network}.22`).openHttp2(name);
    const objects = Array.from({ length: PAGE_OBJECTS }, (_, at) => askHttp2(page, { name, path: `/${at}` }));
    expect(count((await Promise.all(objects)).map(({ status }) => status))).toEqual({ 200: PAGE_OBJECTS });
    page.close();
  });

  it.runIf(hasRateLimits)('stops a flood from one address only', async () => {
    const { first, network } = read();
    const { name } = first;
    const flooder = first.visitor.at(`${network}.23`);
    const statuses: number[] = [];
    const sessions = await Promise.all(Array.from({ length: 4 }, () => flooder.openHttp2(name)));
    await Promise.all(
      sessions.map(async session => {
        while (statuses.length < FLOOD && !statuses.includes(429)) {
          const some = Array.from({ length: 50 }, () => askHttp2(session, { name }).catch(() => undefined));
          statuses.push(...(await Promise.all(some)).flatMap(answer => answer?.status ?? []));
        }
      }),
    );
    expect(Object.keys(count(statuses)), 'a flood').toEqual(['200', '429']);
    expect((await first.visitor.at(`${network}.24`).ask({ name })).status).toBe(200);
    for (const session of sessions) session.destroy();
  });

  it('cuts a request head that does not end', async () => {
    await waitUntil(() => slowHead().isCut, 'the connection is closed', 40_000);
  });
}

function count(statuses: readonly number[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
