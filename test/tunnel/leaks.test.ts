import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from '../support/listen.ts';
import { openRandom, type Random } from '../support/noise.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { scale } from '../support/scale.ts';
import { type Measure, startTunnelProcess, type TunnelProcess } from '../support/tunnel-process.ts';
import { closed, startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const SECRET = 'sesame';
/** Warm-up visitors: after them, buffers, pools and compiled code have their final size. */
const WARM_UP = scale(3_000, 10_000);
const VISITORS = scale(3_000, 10_000);
const AT_ONCE = 64;
/** Time to wait, because idle connections to the app and Node's own lists are freed within seconds. */
const SETTLE_MS = 20_000;
/** 200 bytes for each visitor: less than any object that refers to a socket or a timer. */
const HEAP_GROWTH_BYTES = 200 * VISITORS;
/** The allocator's reserve differs by some MB from run to run; a leaked buffer of 16 KB each is 48 MB or 160 MB. */
const RSS_GROWTH_BYTES = scale(30_000_000, 40_000_000);
/** In MB. Small, because the space for short-lived objects grows with the load and would hide a leak. */
const SMALL_YOUNG_GENERATION = '--max-semi-space-size=1';
const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

type Manner = (socket: Socket, random: Random) => Promise<void>;

/** The ways in which a visitor comes and goes. */
const MANNERS: Record<string, Manner> = {
  clean: async socket => {
    socket.write(REQUEST);
    await drained(socket);
    socket.end();
  },
  'reset at once': async socket => void socket.resetAndDestroy(),
  'reset in the middle': async socket => {
    socket.write(REQUEST.slice(0, -2));
    await delay(1);
    socket.resetAndDestroy();
  },
  'reset at the answer': async socket => {
    socket.write(REQUEST);
    await Promise.race([once(socket, 'data'), closed(socket)]);
    socket.resetAndDestroy();
  },
  'half-closed': async socket => {
    socket.end(REQUEST);
    await drained(socket);
  },
  'half-closed without a word': async socket => {
    socket.end();
    await drained(socket);
  },
  'never speaking': async (socket, random) => {
    await delay(random(40));
    socket.end();
    await drained(socket);
  },
  'never speaking, then reset': async (socket, random) => {
    await delay(random(40));
    socket.resetAndDestroy();
  },
};

/** Resolves when the other side has ended, or the connection is closed. */
function drained(socket: Socket): Promise<void> {
  return new Promise(
    resolve =>
      void socket
        .resume()
        .once('end', resolve)
        .once('close', () => resolve()),
  );
}

async function visit(host: string, port: number, random: Random): Promise<void> {
  const manners = Object.values(MANNERS);
  const manner = manners[random(manners.length)] as Manner;
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  const gone = closed(socket);
  await Promise.race([once(socket, 'connect').catch(() => {}), gone]);
  await manner(socket, random);
  // These visitors have sent and received everything.
  if (!socket.destroyed) socket.destroy();
  await gone;
}

async function sendVisitors(host: string, port: number, count: number, random: Random): Promise<void> {
  let left = count;
  const one = async () => {
    for (; left > 0; ) {
      left -= 1;
      await visit(host, port, random);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** Measures when no visitor is open and there are no more resources than `base`, at the latest after SETTLE_MS. */
async function settle(child: TunnelProcess, base: Measure['resources']): Promise<Measure> {
  for (const deadline = performance.now() + SETTLE_MS; ; await delay(100)) {
    const measure = await child.measure();
    const isBack = JSON.stringify(measure.resources) === JSON.stringify(base);
    if ((measure.openVisitors === 0 && isBack) || performance.now() > deadline) return measure;
  }
}

describeWithReal(['bore'], 'thousands of visitors who come and go in every way', () => {
  it.each([
    ['gateway', '127.0.0.215'],
    ['raw', '127.0.0.216'],
    ['raw on two threads', '127.0.1.13'],
  ] as const)('leave no handle, timer or memory behind: %s', { timeout: 180_000 }, async (mode, host) => {
    const { address } = await startRealServer(host, { secret: SECRET });
    const app = createServer((_, response) => response.end('here you are'));
    const appPort = await listen(app);
    onTestFinished(() => void app.close());
    const settings = { mode, server: address, secret: SECRET, app: appPort };
    const child = await startTunnelProcess([settings], [SMALL_YOUNG_GENERATION]);
    onTestFinished(child.kill);
    const [port = 0] = child.ports;
    const random = openRandom(4);
    // The second thread, if there is one, runs from the first visitors on.
    await sendVisitors(host, port, AT_ONCE, random);
    const hasNobody = async () => (await child.measure()).resources.TCPSocketWrap === 1;
    await waitUntil(hasNobody, 'the first visitors are gone');
    const base = (await child.measure()).resources;
    await sendVisitors(host, port, WARM_UP, random);
    const before = await settle(child, base);
    await sendVisitors(host, port, VISITORS, random);
    const after = await settle(child, base);
    expect(after.resources).toEqual(base);
    expect(after.openVisitors).toBe(0);
    expect(after.heapUsed - before.heapUsed).toBeLessThan(HEAP_GROWTH_BYTES);
    expect(after.rss - before.rss).toBeLessThan(RSS_GROWTH_BYTES);
    expect(child.unhandled).toEqual([]);
    const left = await child.stop();
    expect(left.resources.TCPSocketWrap ?? 0).toBe(0);
    expect(child.unhandled).toEqual([]);
  });
});
