// B14 and B17: a program in OS mode, with wasmrun's page hosted by Node.js and by a browser. Run by main.ts.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { requirePart } from '../../test/support/real-parts.ts';
import { startWasmhub } from '../../test/support/wasmhub-server.ts';
import { type Bench, type Case, chooseSeconds } from '../case.ts';
import type { Row } from '../results.ts';
import { PORT_RANGE, SECRET, startBoreServer } from '../rig/bore-server.ts';
import { listProcessTree, readPssMb } from '../rig/proc.ts';
import { type Found, type Program, startProgram } from '../rig/process.ts';
import { PROGRAMS } from '../rig/programs.ts';
import { divideRounds, type Figures, measureRounds, pick, type Rounds } from '../rig/rounds.ts';
import { timeStep } from '../rig/step.ts';
import { type OwnState, parseState } from '../rig/tunnels.ts';
import { runVisitor, runWrk } from '../rig/visitors.ts';
import { median } from '../statistics.ts';

const HOSTS = ['browser', 'node'] as const;
type Host = (typeof HOSTS)[number];

const PROGRAM = `
  const objects = Buffer.alloc(2048, 'o');
  const large = Buffer.alloc(1048576, 'l');
  require('http').createServer((request, response) => {
    if (request.url === '/large') response.end(large);
    else if (request.url.startsWith('/object/')) response.end(objects);
    else response.end('a small answer\\n');
  }).listen(3000)\n`;
const START_LIMIT_MS = 90_000;
const CONNECTIONS = 8;
const SECONDS = 1;
const WARM_UP_REQUESTS = 30;
const REQUESTS = 100;
const LARGE_REQUESTS = 7;
const START_REACH_MS: Readonly<Record<Host, number>> = { node: 1_500, browser: 4_000 };

export const osMode: Case = {
  id: 'B14',
  title: 'OS mode: start, requests per second and memory, in Node.js and in a browser',
  minutes: bench => (bench.quick ? 0.5 : 0.2 + bench.rounds * 0.3),
  run: async bench => {
    await using stack = new AsyncDisposableStack();
    const environment = await prepare(stack);
    for (const host of HOSTS) await measure(bench, host, environment);
    const measured = await measureRounds(HOSTS, bench.rounds, host => measure(bench, host, environment));
    const steps = await timeSteps(bench, environment);
    return { rows: [...buildRows(measured), buildStepRow(steps)], notes: [RUNTIME, MEMORY] };
  },
};

export const osAnswers: Case = {
  id: 'B17',
  title: 'OS mode: answers through the tunnel, in Node.js and in a browser',
  minutes: bench => (bench.quick ? 0.5 : 0.2 + bench.rounds * 0.35),
  run: async bench => {
    await using stack = new AsyncDisposableStack();
    const environment = await prepare(stack);
    const measured = await measureRounds(HOSTS, bench.rounds, host =>
      measureAnswers(bench, host, environment),
    );
    return { rows: buildAnswerRows(measured), notes: [ANSWERS] };
  },
};

/** Times the action's step with the node host. The runtime has been downloaded by earlier starts. */
async function timeSteps(bench: Bench, environment: OsEnvironment): Promise<number[]> {
  const samples: number[] = [];
  const inputs = { mode: 'os', vm: 'node', path: join(environment.folder, 'app') };
  for (let run = 0; run < bench.rounds; run += 1)
    samples.push((await timeStep(environment.server, inputs, listVariables(environment))).announcedMs);
  return samples;
}

function buildStepRow(samples: number[]): Row {
  return {
    what: 'node host, step started → URL announced',
    samples,
    unit: 'ms',
    take: 'median',
    better: 'lower',
    reach: START_REACH_MS.node,
  };
}

const ANSWERS =
  "The program runs in wasmhub's Node.js runtime 0.6.0, and the visitor comes through tunnel and gateway. Before its " +
  'writes were joined, an answer on one connection took 68 ms and eight connections got 120 requests/s.';

/** Starts the servers, and creates the project. */
async function prepare(stack: AsyncDisposableStack): Promise<OsEnvironment> {
  const server = stack.adopt(await startBoreServer(), one => one.kill());
  const hub = stack.adopt(await startWasmhub({ runtime: requirePart('runtime') }), one => one.stop());
  const folder = mkdtempSync(join(tmpdir(), 'bench-os-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  createProject(folder);
  return { folder, server: server.host, hubUrl: hub.url };
}

const RUNTIME =
  "Both hosts run the program in wasmhub's Node.js runtime 0.6.0. Requests go directly to the program's port, without " +
  'tunnel and gateway.';
const MEMORY =
  'Memory is the sum over all processes, from the command line to the browser, after the requests. Shared pages count ' +
  'once.';

interface OsEnvironment {
  /** Holds the project and the home folder. */
  folder: string;
  /** Host of the bore server. */
  server: string;
  /** URL of the local server that takes wasmhub's part. */
  hubUrl: string;
}

/** Writes a project, and an empty home folder for the runtime that the first start downloads from the local server. */
function createProject(folder: string): void {
  mkdirSync(join(folder, 'app'));
  mkdirSync(join(folder, 'home'));
  writeFileSync(join(folder, 'app', 'index.js'), PROGRAM);
  writeFileSync(join(folder, 'app', 'package.json'), '{ "name": "bench", "main": "index.js" }\n');
}

async function measure(bench: Bench, host: Host, environment: OsEnvironment): Promise<Figures> {
  const began = performance.now();
  const program = startOsMode(bench, host, environment);
  try {
    const { value: state, at } = await waitUntilLive(program, host);
    const load = { connections: CONNECTIONS, seconds: chooseSeconds(bench, SECONDS) };
    const { perSecond, errors } = await runWrk(`http://127.0.0.1:${state.app.port}/`, load);
    if (errors > 0) bench.log(`${host}: ${errors} requests failed`);
    return { startMs: at - began, perSecond, memoryMb: readPssMb(listProcessTree(program.pid)) };
  } finally {
    await program.stop();
  }
}

async function measureAnswers(bench: Bench, host: Host, environment: OsEnvironment): Promise<Figures> {
  const program = startOsMode(bench, host, environment);
  try {
    const { value: state } = await waitUntilLive(program, host);
    const url = `http://${environment.server}:${state.public_port}`;
    await timeRequests(`${url}/`, WARM_UP_REQUESTS);
    const load = { connections: CONNECTIONS, seconds: chooseSeconds(bench, SECONDS) };
    return {
      oneMs: median(await timeRequests(`${url}/`, REQUESTS)),
      perSecond: (await runWrk(`${url}/`, load)).perSecond,
      pageMs: (await runVisitor<{ millis: number }>('load', ['-url', url])).millis,
      largeMs: median(await timeRequests(`${url}/large`, LARGE_REQUESTS)),
    };
  } finally {
    await program.stop();
  }
}

/** Requests one after the other on a kept connection: ms until the last byte of each. */
async function timeRequests(url: string, count: number): Promise<number[]> {
  const samples: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const began = performance.now();
    const response = await fetch(url);
    await response.arrayBuffer();
    samples.push(performance.now() - began);
  }
  return samples;
}

async function waitUntilLive(program: Program, host: Host): Promise<Found<OwnState>> {
  return await program.waitFor(
    text => {
      const state = parseState(text);
      return state?.exposure.phase === 'live' ? state : undefined;
    },
    `the announced URL, with the ${host} host`,
    START_LIMIT_MS,
  );
}

/** Home has the runtime, PATH has wasmrun, and nothing is downloaded from the internet. */
function listVariables({ folder, hubUrl }: OsEnvironment): Record<string, string> {
  return {
    HOME: join(folder, 'home'),
    PATH: `${dirname(PROGRAMS.wasmrun)}${delimiter}${process.env.PATH ?? ''}`,
    WASMRUN_WASMHUB_BASE_URL: hubUrl,
  };
}

function startOsMode(bench: Bench, host: Host, environment: OsEnvironment): Program {
  const { folder, server } = environment;
  const entry = bench.fromSource ? PROGRAMS.exposeSource : PROGRAMS.expose;
  const range = `${PORT_RANGE.min}-${PORT_RANGE.max}`;
  const args = [
    '--mode',
    'os',
    '--vm',
    host,
    '--server',
    server,
    '--port-range',
    range,
    '--access',
    'open',
    '--json',
  ];
  return startProgram(process.execPath, [entry, 'run', join(folder, 'app'), ...args], {
    environment: { BORE_SECRET: SECRET, ...listVariables(environment) },
  });
}

function buildRows(measured: Rounds<Host>): Row[] {
  const [node, browser] = [pick(measured.node, 'perSecond'), pick(measured.browser, 'perSecond')];
  const rowsOf = (key: string, row: (host: Host) => Pick<Row, 'what' | 'unit'> & Partial<Row>): Row[] =>
    HOSTS.toReversed().map(host => ({
      samples: pick(measured[host], key),
      take: 'median',
      better: 'lower',
      ...row(host),
    }));
  return [
    ...rowsOf('startMs', host => ({
      what: `${host} host, started → URL announced`,
      unit: 'ms',
      reach: START_REACH_MS[host],
    })),
    {
      what: 'node host, requests a second',
      samples: divideRounds(node, browser),
      unit: '×',
      take: 'median',
      better: 'higher',
      peer: 'browser host',
      reach: 3,
      absolute: { ours: median(node), peer: median(browser), unit: 'requests/s' },
    },
    ...rowsOf('memoryMb', host => ({ what: `${host} host, memory`, unit: 'MB' })),
  ];
}

function buildAnswerRows(measured: Rounds<Host>): Row[] {
  return HOSTS.toReversed().flatMap((host): Row[] => {
    const row = (key: string, what: string): Pick<Row, 'what' | 'samples' | 'take'> => ({
      what: `${host} host, ${what}`,
      samples: pick(measured[host], key),
      take: 'median',
    });
    return [
      { ...row('oneMs', 'one request after the other'), unit: 'ms', better: 'lower', reach: 12 },
      { ...row('perSecond', '8 connections'), unit: 'requests/s', better: 'higher', reach: 800 },
      { ...row('pageMs', 'a page of 30 objects, 6 connections'), unit: 'ms', better: 'lower' },
      { ...row('largeMs', '1 MB down'), unit: 'ms', better: 'lower' },
    ];
  });
}
