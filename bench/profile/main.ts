// The entry of `npm run bench:profile`: shows what a request costs the gateway, and where. Each figure is of a load of
// its own, because measuring one disturbs the others.

import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { findFreePort } from '../../src/app/process/free-port.ts';
import { startApp } from '../rig/app.ts';
import { startBoreServer } from '../rig/bore-server.ts';
import { readCpuTimes } from '../rig/proc.ts';
import { startProgram, waitUntil } from '../rig/process.ts';
import { buildPrograms } from '../rig/programs.ts';
import { type RunningTunnel, startTunnel, type TunnelName } from '../rig/tunnels.ts';
import { runRate, runStream, runWrk } from '../rig/visitors.ts';
import { openInspector } from './inspector.ts';
import {
  type Collection,
  parseCollection,
  parseStrace,
  type Share,
  sumAllocatedMb,
  sumAllocations,
  sumCpu,
} from './shares.ts';

const ROOT = resolve(import.meta.dirname, '../..');

const USAGE = `npm run bench:profile -- [options]

  --shape SHAPE    keep (B3, the default), close (B4), rate (B5), down or up (B1)
  --access ACCESS  open (the default), basic or link
  --raw            raw bytes, without the gateway
  --seconds N      how long each of the four loads takes (default 4)
  --top N          how many files and functions are shown (default 20)
  --bundle         run the bundle in dist, in which all files are one
`;

/** Sends a load for some seconds. Resolves with how many units of work were done. */
type Load = (tunnel: RunningTunnel, seconds: number) => Promise<number>;

const STREAM_BYTES = 200e6;
const SHAPES: Readonly<Record<string, { unit: string; load: Load }>> = {
  keep: { unit: 'request', load: (tunnel, seconds) => sendRequests(tunnel, 32, seconds, false) },
  close: { unit: 'request', load: (tunnel, seconds) => sendRequests(tunnel, 16, seconds, true) },
  rate: { unit: 'request', load: async (tunnel, seconds) => (await runRate(tunnel, seconds)).count },
  down: { unit: 'MB', load: (tunnel, seconds) => sendStreams(tunnel, 'down', seconds) },
  up: { unit: 'MB', load: (tunnel, seconds) => sendStreams(tunnel, 'up', seconds) },
};
const NAMES: Readonly<Record<string, TunnelName>> = {
  open: 'gateway',
  basic: 'gateway with a password',
  link: 'gateway with a link',
};
const STRACE_SECONDS = 2;

async function sendRequests(
  { url, headers }: RunningTunnel,
  connections: number,
  seconds: number,
  closing: boolean,
): Promise<number> {
  const { requests, errors } = await runWrk(url, { connections, seconds, closing, headers });
  if (errors > 0) print(`${errors} requests failed`);
  return requests;
}

async function sendStreams(
  tunnel: RunningTunnel,
  direction: 'up' | 'down',
  seconds: number,
): Promise<number> {
  let megabytes = 0;
  for (const deadline = performance.now() + seconds * 1_000; performance.now() < deadline; ) {
    await runStream(tunnel, direction, STREAM_BYTES);
    megabytes += STREAM_BYTES / 1e6;
  }
  return megabytes;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      shape: { type: 'string', default: 'keep' },
      access: { type: 'string', default: 'open' },
      raw: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '4' },
      top: { type: 'string', default: '20' },
      bundle: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return print(USAGE);
  const shape = SHAPES[values.shape];
  const name = values.raw ? 'raw' : NAMES[values.access];
  const [seconds, top] = [Number(values.seconds), Number(values.top)];
  if (shape === undefined || name === undefined || !(seconds > 0) || !(top > 0)) throw new Error(USAGE);
  await buildPrograms();
  await using stack = new AsyncDisposableStack();
  const server = stack.adopt(await startBoreServer(), one => one.kill());
  const app = stack.adopt(await startApp(), one => one.stop());
  const inspectorPort = await findFreePort();
  const nodeFlags = ['--trace-gc', `--inspect=127.0.0.1:${inspectorPort}`];
  const target = { server: server.host, port: app.port, fromSource: !values.bundle, nodeFlags };
  const tunnel = stack.adopt(await startTunnel(name, target), one => one.stop());
  const inspector = stack.use(await openInspector(inspectorPort));
  const { unit } = shape;
  const load = (loadSeconds = seconds) => shape.load(tunnel, loadSeconds);
  print(`${name}, ${values.shape}, ${values.bundle ? 'dist' : 'src'}, Node ${process.versions.node}`);
  await load(); // V8 compiles only busy code
  await printCosts(tunnel, unit, seconds, load);
  printShares('processor time', sumCpu(await inspector.profileCpu(load), ROOT), top);
  printShares('allocated bytes', sumAllocations(await inspector.profileAllocations(load), ROOT), top);
  await printSystemCalls(tunnel, unit, load);
}

async function printCosts(
  { pid, program }: RunningTunnel,
  unit: string,
  seconds: number,
  load: () => Promise<number>,
): Promise<void> {
  const firstLine = program.lines.length;
  const before = readCpuTimes(pid);
  const amount = await load();
  const after = readCpuTimes(pid);
  const [user, system] = [after.user - before.user, after.system - before.system];
  const collections = program.lines
    .slice(firstLine)
    .map(({ text }) => parseCollection(text))
    .filter((one): one is Collection => one !== undefined);
  const pauses = collections.reduce((sum, { pauseMs }) => sum + pauseMs, 0);
  const micros = (time: number) => ((time * 1e6) / amount).toFixed(1);
  print(`${(amount / seconds).toFixed(0)} ${unit}s/s`);
  print(
    `processor time: ${micros(user + system)} µs/${unit} (${micros(user)} user, ${micros(system)} kernel)`,
  );
  print(
    `garbage collection: ${(pauses / 10 / seconds).toFixed(1)} % of the time, ${collections.length} times, ` +
      `longest ${Math.max(0, ...collections.map(({ pauseMs }) => pauseMs)).toFixed(1)} ms; ` +
      `allocated on the heap: ${((sumAllocatedMb(collections) * 1e3) / amount).toFixed(2)} KB/${unit}`,
  );
}

function printShares(
  what: string,
  { files, functions }: { files: Share[]; functions: Share[] },
  top: number,
): void {
  for (const [by, shares] of [
    ['file', files],
    ['function', functions],
  ] as const) {
    print(`\n${what} by ${by}`);
    for (const { name, share } of shares.slice(0, top))
      print(`${(share * 100).toFixed(1).padStart(6)} %  ${name}`);
  }
}

/** `strace` makes the process many times slower, which does not change how many calls a request needs. */
async function printSystemCalls(
  { pid }: RunningTunnel,
  unit: string,
  load: (seconds: number) => Promise<number>,
): Promise<void> {
  const file = join(tmpdir(), `bench-strace-${process.pid}`);
  const strace = startProgram('strace', ['-f', '-c', '-p', `${pid}`, '-o', file]);
  const isTraced = () => !/^TracerPid:\s+0$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  await waitUntil(() => isTraced() || undefined, 'strace');
  const amount = await load(STRACE_SECONDS);
  strace.kill('SIGINT');
  await strace.ended;
  const calls = [...parseStrace(readFileSync(file, 'utf8'))].sort(([, a], [, b]) => b - a);
  rmSync(file);
  const total = calls.reduce((sum, [, count]) => sum + count, 0);
  const shown = calls.slice(0, 10).map(([name, count]) => `${(count / amount).toFixed(2)} ${name}`);
  print(`\nsystem calls: ${(total / amount).toFixed(2)} a ${unit}: ${shown.join(', ')}`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
void run(process.argv.slice(2)).catch(error => {
  process.stderr.write(`bench:profile: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
