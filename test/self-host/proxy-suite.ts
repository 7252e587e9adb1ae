// What every proxy of self-host/ must do in front of previews. Each is run with its own file, a real bore server and
// real previews. A test file per proxy calls describeProxy; the checks are in checks/.

import { afterAll, beforeAll, beforeEach } from 'vitest';
import { describeWithReal, type RealPart } from '../support/real-parts.ts';
import { defineChanges } from './checks/changes.ts';
import { defineDoctor } from './checks/doctor.ts';
import { defineForwarding } from './checks/forwarding.ts';
import { defineHttp2WebSockets } from './checks/http2-websockets.ts';
import { defineLimits, type SlowHead, sendSlowHead } from './checks/limits.ts';
import { defineManyVisitors } from './checks/many-visitors.ts';
import { definePages } from './checks/pages.ts';
import { defineRefusals } from './checks/refusals.ts';
import { defineReload } from './checks/reload.ts';
import { defineStreams } from './checks/streams.ts';
import { createWorld, type StartProxy, type World } from './proxy-world.ts';

export interface ProxyUnderTest {
  part: RealPart;
  /** The first three numbers of the loopback addresses that only this test file uses, as 127.0.8. */
  network: string;
  start: StartProxy;
  /** Caddy has none. */
  hasRateLimits?: boolean;
  /** Caddy closes WebSockets at a reload, and sometimes a connection that is just being opened. */
  reloadsSeamlessly?: boolean;
  /** nginx gives up at once. */
  triesAgain?: boolean;
  /** Only HAProxy does. */
  offersHttp2WebSockets?: boolean;
}

export function describeProxy(
  name: string,
  {
    part,
    network,
    start,
    hasRateLimits = true,
    reloadsSeamlessly = true,
    triesAgain = true,
    offersHttp2WebSockets = false,
  }: ProxyUnderTest,
): void {
  // `tun-rig` stands for root: previews get a hosts file of their own, and the proxy the ports 443 and 80.
  describeWithReal(['bore', 'tun-rig', part], `${name} in front of previews`, () => {
    let world: World;
    let slowHead: SlowHead;
    beforeAll(async () => {
      world = await createWorld(network, start);
      // The proxy may take some seconds to cut it: the other tests run meanwhile.
      slowHead = sendSlowHead(world);
    });
    afterAll(() => world?.stop());
    beforeEach(() => {
      world.first.app.reset();
      world.second.app.reset();
    });
    const read = () => world;

    definePages(read);
    defineStreams(read);
    defineHttp2WebSockets(read, offersHttp2WebSockets);
    defineForwarding(read);
    defineRefusals(read);
    defineChanges(read, triesAgain);
    defineManyVisitors(read);
    defineReload(read, reloadsSeamlessly);
    defineDoctor(read);
    defineLimits(read, () => slowHead, hasRateLimits);
  });
}
