// B21: how cost grows with visitors, with the objects of a page, with recorded requests and with previews in one job.
// Run by main.ts.

import { type Bench, type Case, chooseSeconds, WARM_UP_SECONDS } from '../case.ts';
import type { Curve, Row } from '../results.ts';
import { type BenchApp, startApp } from '../rig/app.ts';
import { type BoreServer, startBoreServer } from '../rig/bore-server.ts';
import { openIdleVisitors } from '../rig/idle-visitors.ts';
import { readCpuSeconds, readPssMb } from '../rig/proc.ts';
import { type RunningSupervisor, startSupervisor } from '../rig/supervisor.ts';
import { type RunningTunnel, startTunnel } from '../rig/tunnels.ts';
import { runVisitor, runWrk } from '../rig/visitors.ts';
import { median } from '../statistics.ts';

const VISITORS = [1, 10, 100, 1_000];
const OBJECTS = [10, 100, 1_000];
/** The newest 10,000 recorded requests are kept. */
const RECORDED = [1_000, 5_000, 10_000, 20_000, 30_000];
const RECORDED_BODY = `{"text":"${'x'.repeat(2_000)}"}`;
const SENDERS = 16;
const PREVIEWS = [1, 2, 4, 8];
const LOAD_SECONDS = 2;
const REPEATS = 3;
/**
 * A straight line: the last part of a curve is at most this much steeper than the part before, and a figure that should
 * stay the same grows by this at most.
 */
const STRAIGHT = 1.25;

export const scale: Case = {
  id: 'B21',
  title: 'The cost of scale: visitors, objects of a page, recorded requests, previews in one job',
  minutes: bench => (bench.quick ? 1.2 : 2.5),
  run: async bench => {
    await using stack = new AsyncDisposableStack();
    const server = stack.adopt(await startBoreServer(), one => one.kill());
    const app = stack.adopt(await startApp(), one => one.stop());
    const setting = { bench, server, app };
    const curves = [
      await measureVisitors(setting),
      await measureObjects(setting),
      await measureRecorded(setting),
      await measurePreviews(setting),
    ];
    return {
      rows: curves.flatMap(({ rows }) => rows),
      notes: [MEANING],
      curves: curves.map(one => one.curve),
    };
  },
};

const MEANING =
  'A figure that should grow with the number is compared by its slope: in the last part of the curve and in the part ' +
  'before. Memory counts pages that several processes share once.';

interface Setting {
  bench: Bench;
  server: BoreServer;
  app: BenchApp;
}

interface Measured {
  curve: Curve;
  rows: Row[];
}

function describeTarget({ bench, server, app }: Setting) {
  return { server: server.host, port: app.port, fromSource: bench.fromSource };
}

async function measureVisitors(setting: Setting): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const { bench } = setting;
  const start = async () =>
    stack.adopt(await startSupervisor('gateway', describeTarget(setting)), one => one.stop());
  const busy = await start();
  await runWrk(busy.url, { connections: 100, seconds: chooseSeconds(bench, WARM_UP_SECONDS) });
  const costs: number[][] = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) costs.push(await measureCosts(bench, busy));
  const memories: number[][] = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) memories.push(await measureMemory(await start()));
  const cpu = takeMedians(costs);
  const memory = takeMedians(memories);
  return {
    curve: {
      of: 'visitors at the same time',
      figures: ['processor time, µs/request', 'memory with idle visitors, MB'],
      points: VISITORS.map((at, index) => ({ at, values: [cpu[index] ?? 0, memory[index] ?? 0] })),
    },
    rows: [
      buildRow('processor time a request, 1,000 visitors ÷ 10', (cpu[3] ?? 0) / (cpu[1] ?? 0)),
      buildRow('memory for each visitor, 100 to 1,000 ÷ 10 to 100', compareSlopes(VISITORS, memory)),
    ],
  };
}

/** Microseconds of processor time for a request, for each number of visitors who send requests all the time. */
async function measureCosts(bench: Bench, { pid, url }: RunningSupervisor): Promise<number[]> {
  const costs: number[] = [];
  for (const connections of VISITORS) {
    const before = readCpuSeconds(pid);
    const seconds = chooseSeconds(bench, LOAD_SECONDS);
    const { requests, errors } = await runWrk(url, { connections, seconds });
    if (errors > 0) bench.log(`${connections} visitors: ${errors} requests failed`);
    costs.push(((readCpuSeconds(pid) - before) * 1e6) / requests);
  }
  return costs;
}

/** MB, for each number of visitors who have sent one request and keep the connection. */
async function measureMemory(tunnel: RunningSupervisor): Promise<number[]> {
  await using stack = new AsyncDisposableStack();
  const memory: number[] = [];
  let open = 0;
  for (const visitors of VISITORS) {
    stack.use(await openIdleVisitors(tunnel, visitors - open));
    open = visitors;
    memory.push(readPssMb([tunnel.pid]));
  }
  return memory;
}

async function measureObjects(setting: Setting): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const tunnel = stack.adopt(await startTunnel('gateway', describeTarget(setting)), one => one.stop());
  await loadPage(tunnel, 1_000);
  const repeats: { millis: number; cpu: number }[][] = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    const loads: { millis: number; cpu: number }[] = [];
    for (const objects of OBJECTS) loads.push(await loadPage(tunnel, objects));
    repeats.push(loads);
  }
  const millis = takeMedians(repeats.map(loads => loads.map(one => one.millis)));
  const cpu = takeMedians(repeats.map(loads => loads.map(one => one.cpu)));
  return {
    curve: {
      of: 'objects of a page',
      figures: ['loaded, ms', 'processor time, ms'],
      points: OBJECTS.map((at, index) => ({ at, values: [millis[index] ?? 0, cpu[index] ?? 0] })),
    },
    rows: [buildRow('time for each object, 100 to 1,000 ÷ 10 to 100', compareSlopes(OBJECTS, millis))],
  };
}

async function loadPage(
  { url, pid }: RunningTunnel,
  objects: number,
): Promise<{ millis: number; cpu: number }> {
  const before = readCpuSeconds(pid);
  const args = ['-url', url, '-objects', `${objects}`];
  const { millis } = await runVisitor<{ millis: number }>('load', args);
  return { millis, cpu: (readCpuSeconds(pid) - before) * 1_000 };
}

async function measureRecorded(setting: Setting): Promise<Measured> {
  await using stack = new AsyncDisposableStack();
  const target = { ...describeTarget(setting), capture: '/**' };
  const tunnel = stack.adopt(await startTunnel('gateway', target), one => one.stop());
  const memory: number[] = [];
  let sent = 0;
  for (const count of RECORDED) {
    await sendWebhooks(`${tunnel.url}/sink`, count - sent);
    sent = count;
    memory.push(readPssMb([tunnel.pid]));
  }
  return {
    curve: {
      of: 'recorded requests of 2 KB',
      figures: ['memory, MB'],
      points: RECORDED.map((at, index) => ({ at, values: [memory[index] ?? 0] })),
    },
    rows: [
      buildRow(
        'memory for each recorded request, 5,000 to 10,000 ÷ 1,000 to 5,000',
        compareSlopes(RECORDED.slice(0, 3), memory.slice(0, 3)),
      ),
    ],
  };
}

async function sendWebhooks(url: string, count: number): Promise<void> {
  let left = count;
  const send = async () => {
    for (; left > 0; ) {
      left -= 1;
      const answer = await fetch(url, { method: 'POST', body: RECORDED_BODY });
      await answer.arrayBuffer();
      if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`);
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, send));
}

async function measurePreviews(setting: Setting): Promise<Measured> {
  const repeats: { startsMs: number[]; memory: number[] }[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) repeats.push(await startPreviews(setting));
  const startsMs = takeMedians(repeats.map(one => one.startsMs));
  const memory = takeMedians(repeats.map(one => one.memory));
  return {
    curve: {
      of: 'previews in one job',
      figures: ['start of the last one until it is live, ms', 'memory of all, MB'],
      points: PREVIEWS.map((at, index) => ({ at, values: [startsMs[index] ?? 0, memory[index] ?? 0] })),
    },
    rows: [
      buildRow('start of the eighth preview ÷ the first', (startsMs[3] ?? 0) / (startsMs[0] ?? 0)),
      buildRow('memory for each preview, 4 to 8 ÷ 2 to 4', compareSlopes(PREVIEWS, memory)),
    ],
  };
}

/** Starts eight previews one after the other, as the steps of a job do. */
async function startPreviews(setting: Setting): Promise<{ startsMs: number[]; memory: number[] }> {
  await using stack = new AsyncDisposableStack();
  const pids: number[] = [];
  const startsMs: number[] = [];
  const memory: number[] = [];
  for (const previews of PREVIEWS) {
    let last = 0;
    while (pids.length < previews) {
      const started = await startSupervisor('gateway', describeTarget(setting));
      stack.adopt(started, one => one.stop());
      pids.push(started.pid);
      last = started.liveMs;
    }
    startsMs.push(last);
    memory.push(readPssMb(pids));
  }
  return { startsMs, memory };
}

/** The median of each column. */
function takeMedians(repeats: readonly (readonly number[])[]): number[] {
  const [first = []] = repeats;
  return first.map((_, index) => median(repeats.map(values => values[index] ?? Number.NaN)));
}

/** The slope between the last two points, divided by the slope between the two before. */
function compareSlopes(at: readonly number[], values: readonly number[]): number {
  const slope = (from: number, to: number) =>
    ((values.at(to) ?? 0) - (values.at(from) ?? 0)) / ((at.at(to) ?? 0) - (at.at(from) ?? 0));
  return slope(-2, -1) / slope(-3, -2);
}

function buildRow(what: string, ratio: number): Row {
  return { what, samples: [ratio], unit: '×', take: 'median', better: 'lower', reach: STRAIGHT };
}
