// Previews that are 50 ms away from their server: it is killed, and later the link between them is silently dead for a
// while. Needs root. Run by main.ts.

import { setTimeout as delay } from 'node:timers/promises';
import { SERVER_ADDRESS, startTunRig } from '../../../test/support/tun-rig.ts';
import type { Section } from '../results.ts';
import { World } from '../world.ts';
import { startAll } from './start.ts';
import { runSilence, runStorm, toReturns } from './storm.ts';

const RTT_MS = 50;
const SERVICE_MS = 6_000;
const PROBE_MS = 500;
/** Longer than the tunnels wait for a heartbeat, and shorter than 30 s. */
const SILENT_MS = 8_000;

export async function runFar(previews: number): Promise<Section[]> {
  await using stack = new AsyncDisposableStack();
  const rig = stack.adopt(await startTunRig({ rttMs: RTT_MS }), one => one.stop());
  const namespaces = { server: rig.server, runner: rig.runner };
  const world = stack.use(await World.start({ hosts: [SERVER_ADDRESS], previews, namespaces }));
  const { rows } = await startAll(world);
  await delay(SERVICE_MS);
  const killed = await runStorm(world, {
    ...{ hosts: [SERVER_ADDRESS], signal: 'SIGKILL', downMs: 1_000, probeMs: PROBE_MS },
  });
  await delay(SERVICE_MS);
  const silent = await runSilence(world, rig, { silentMs: SILENT_MS, probeMs: PROBE_MS });
  return [
    { id: 'far-start', title: `All previews start at once, ${RTT_MS} ms away from one server`, rows },
    {
      id: 'far-killed',
      title: `A server ${RTT_MS} ms away is killed, and starts again after 1 s`,
      rows: [],
      returns: toReturns(killed),
    },
    {
      id: 'far-silent',
      title: `The link to a server ${RTT_MS} ms away drops every packet for ${SILENT_MS / 1_000} s`,
      rows: [],
      returns: toReturns(silent),
    },
  ];
}
