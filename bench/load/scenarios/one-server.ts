// All previews on one server: it is killed, and it freezes for longer than the tunnels wait for a heartbeat. Run by
// main.ts.

import { setTimeout as delay } from 'node:timers/promises';
import type { Section } from '../results.ts';
import { World } from '../world.ts';
import { startAll } from './start.ts';
import { runFreeze, runStorm, toReturns } from './storm.ts';

const HOST = '127.0.0.220';
const SERVICE_MS = 6_000;
const PROBE_MS = 500;
/** Tunnels notice after 5 s. */
const FROZEN_MS = 10_000;
/** Twice as long as tunnels try several times per second. */
const AWAY_MS = 60_000;

export async function runOneServer(previews: number): Promise<Section[]> {
  await using world = await World.start({ hosts: [HOST], previews });
  const { rows } = await startAll(world);
  await delay(SERVICE_MS);
  const killed = await runStorm(world, {
    ...{ hosts: [HOST], signal: 'SIGKILL', downMs: 1_000, probeMs: PROBE_MS },
  });
  await delay(SERVICE_MS);
  const frozen = await runFreeze(world, HOST, { frozenMs: FROZEN_MS, probeMs: PROBE_MS });
  await delay(SERVICE_MS);
  const away = await runStorm(world, {
    ...{ hosts: [HOST], signal: 'SIGKILL', downMs: AWAY_MS, probeMs: PROBE_MS },
  });
  return [
    { id: 'one-start', title: 'All previews start at once, on one server', rows },
    {
      id: 'only-killed',
      title: 'The only server is killed, and starts again after 1 s',
      rows: [],
      returns: toReturns(killed),
    },
    {
      id: 'only-frozen',
      title: `The only server is frozen for ${FROZEN_MS / 1_000} s (SIGSTOP, then SIGCONT)`,
      rows: [],
      returns: toReturns(frozen),
    },
    { id: 'only-away', title: 'The only server is away for 60 s', rows: [], returns: toReturns(away) },
  ];
}
