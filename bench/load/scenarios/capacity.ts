// What one server holds: the processor time and memory that tunnels, visitors and bytes cost the real bore server, and our
// client. Processor time hardly depends on what else the machine does. Run by main.ts.

import { setTimeout as delay } from 'node:timers/promises';
import { runStream, runWrk, startVisitor } from '../../rig/visitors.ts';
import type { Row, Section } from '../results.ts';
import { readUsage, subtractUsage, type Usage } from '../usage.ts';
import { type Place, World } from '../world.ts';

const HOST = '127.0.0.220';
const PROCESSES = 4;
/** Twice the range of docs/private-server.md, so that fewer previews wait for a port in use. */
const RANGE = { min: 10_000, max: 29_999 };
const START_LIMIT_MS = 120_000;
const SETTLE_MS = 2_000;
const IDLE_S = 10;
const LOAD_S = 4;
/** Each on a preview of its own, which serves at most 1,024. */
const IDLE_GROUPS = 4;
const IDLE_PER_GROUP = 1_000;
const STREAM_BYTES = 200_000_000;
const STREAMS = 3;

export async function runCapacity(tunnels: number): Promise<Section[]> {
  const options = { hosts: [HOST], previews: tunnels, processes: PROCESSES, range: RANGE };
  await using world = await World.start({ ...options, modes: ['raw'] });
  await delay(SETTLE_MS);
  const rows = [
    ...(await measureTunnels(world, tunnels)),
    ...(await measureIdleVisitors(world)),
    ...(await measureRequests(world)),
    ...(await measureBytes(world)),
  ];
  return [{ id: 'capacity', title: 'What one server holds, and what it costs', rows }];
}

/** What is used until `work` has ended. */
async function measure(world: World, work: () => Promise<unknown>): Promise<Usage> {
  const before = readUsage(world);
  await work();
  return subtractUsage(readUsage(world), before);
}

async function measureTunnels(world: World, tunnels: number): Promise<Row[]> {
  const began = performance.now();
  const opening = await measure(world, async () => {
    const names = world.open(tunnels);
    const areConnected = () => names.every(name => world.connected.has(name));
    await world.waitFor(areConnected, 'all tunnels are open', START_LIMIT_MS);
    await delay(SETTLE_MS);
  });
  const openingS = (performance.now() - began) / 1_000;
  const idle = await measure(world, () => delay(IDLE_S * 1_000));
  // While some wait for a port in use, the others cost their heartbeats.
  const openingCpu = opening.server.cpuSeconds - (idle.server.cpuSeconds / IDLE_S) * openingS;
  return [
    { what: 'tunnels at a time, in this measurement', value: tunnels, unit: '' },
    perCore('new tunnels', tunnels / openingCpu, '/s'),
    {
      what: 'server: memory for each tunnel',
      value: round((opening.server.rssMb / tunnels) * 1_000),
      unit: 'KB',
    },
    {
      what: 'server: file descriptors for each tunnel',
      value: round(opening.server.files / tunnels),
      unit: '',
    },
    {
      what: 'server: share of a core for 1,000 idle tunnels',
      value: round((idle.server.cpuSeconds / IDLE_S / tunnels) * 1_000 * 100),
      unit: '%',
    },
    {
      what: 'client with a tiny app: memory for each further preview of a process',
      value: round((opening.fleet.rssMb / tunnels) * 1_000),
      unit: 'KB',
    },
    {
      what: 'client: share of a core for 1,000 idle previews',
      value: round((idle.fleet.cpuSeconds / IDLE_S / tunnels) * 1_000 * 100),
      unit: '%',
    },
  ];
}

async function measureIdleVisitors(world: World): Promise<Row[]> {
  const places = [...world.places.values()].slice(0, IDLE_GROUPS);
  const visitors = IDLE_GROUPS * IDLE_PER_GROUP;
  const crowds = places.map(
    place => () => startVisitor('idle', ['-address', renderPlace(place), '-count', `${IDLE_PER_GROUP}`]),
  );
  const started: ReturnType<typeof startVisitor>[] = [];
  const used = await measure(world, async () => {
    for (const start of crowds) {
      const program = start();
      started.push(program);
      await program.waitFor(text => (text.includes('open') ? true : undefined), 'all visitors are there');
    }
    await delay(SETTLE_MS);
  });
  for (const program of started) {
    program.closeInput();
    await program.stop();
  }
  return [
    { what: 'idle visitors at a time, in this measurement', value: visitors, unit: '' },
    perCore('new visitors that stay', visitors / used.server.cpuSeconds, '/s'),
    {
      what: 'server: memory for each idle visitor',
      value: round((used.server.rssMb / visitors) * 1_000),
      unit: 'KB',
    },
    {
      what: 'server: file descriptors for each visitor',
      value: round(used.server.files / visitors),
      unit: '',
    },
    {
      what: 'client: memory for each idle visitor (raw)',
      value: round((used.fleet.rssMb / visitors) * 1_000),
      unit: 'KB',
    },
  ];
}

async function measureRequests(world: World): Promise<Row[]> {
  const [place] = world.places.values();
  if (place === undefined) throw new Error('no preview is open');
  const url = `http://${renderPlace(place)}/`;
  const rows: Row[] = [];
  for (const [what, options] of [
    ['requests over kept connections', { connections: 32 }],
    ['visits, each on a new connection', { connections: 16, closing: true }],
  ] as const) {
    await runWrk(url, { ...options, seconds: 1 });
    let requests = 0;
    const used = await measure(world, async () => {
      ({ requests } = await runWrk(url, { ...options, seconds: LOAD_S }));
    });
    rows.push(perCore(what, requests / used.server.cpuSeconds, '/s'));
  }
  return rows;
}

async function measureBytes(world: World): Promise<Row[]> {
  const [place] = world.places.values();
  if (place === undefined) throw new Error('no preview is open');
  const used = await measure(world, async () => {
    for (let done = 0; done < STREAMS; done += 1) await runStream(place, 'down', STREAM_BYTES);
  });
  const megabits = (STREAMS * STREAM_BYTES * 8) / 1e6;
  return [perCore('bytes of visitors', megabits / used.server.cpuSeconds, 'Mbit/s')];
}

function perCore(what: string, value: number, unit: string): Row {
  return { what: `server: ${what}, for each core`, value: round(value), unit };
}

function renderPlace({ host, port }: Place): string {
  return `${host}:${port}`;
}

/** Two digits are more than a measurement on a shared machine is worth. */
function round(value: number): number {
  return Number(value.toPrecision(2));
}
