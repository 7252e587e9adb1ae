// Runs the load generators wrk, iperf3 and bench/visitor, and reads their figures. Used by the cases.

import { setTimeout as delay } from 'node:timers/promises';
import { type Program, runProgram, startProgram } from './process.ts';
import { PROGRAMS } from './programs.ts';

/** How much longer than asked a load may take before it is killed. */
const GRACE_MS = 15_000;
const VISITOR_LIMIT_MS = 90_000;

export interface WrkFigures {
  requests: number;
  perSecond: number;
  /** Connections refused, reset or timed out, and answers that were not 2xx. */
  errors: number;
}

export interface WrkLoad {
  connections: number;
  seconds: number;
  closing?: boolean;
  headers?: readonly string[];
  script?: string;
}

/**
 * Runs wrk with one thread: enough for 100,000 requests per second, and the other core stays free. `closing`: a new
 * connection for each request. `headers`: lines that each request has. `script`: a Lua file that says what is sent.
 */
export async function runWrk(url: string, options: WrkLoad): Promise<WrkFigures> {
  const { connections, seconds, closing = false, headers = [], script } = options;
  const lines = [...headers, ...(closing ? ['Connection: close'] : [])].flatMap(line => ['-H', line]);
  const file = script === undefined ? [] : ['-s', script];
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, ...lines, ...file, url];
  return parseWrk(await runProgram('wrk', args, { limitMs: seconds * 1000 + GRACE_MS }));
}

/** Throws if the text has no figures, for example because wrk could not connect. */
export function parseWrk(text: string): WrkFigures {
  const requests = Number(/(\d+) requests in/.exec(text)?.[1]);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
  if (Number.isNaN(requests) || Number.isNaN(perSecond)) throw new Error(`wrk printed no figures:\n${text}`);
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const errors = (socketErrors?.slice(1) ?? []).reduce((sum, count) => sum + Number(count), refused);
  return { requests, perSecond, errors };
}

/** Runs iperf3 with parallel streams, up (visitor to app) or down. The figures are for all streams together. */
export async function runIperf(
  address: { host: string; port: number },
  options: { streams: number; seconds: number; direction: 'up' | 'down' },
): Promise<{ bytes: number; bytesPerSecond: number }> {
  const { streams, seconds, direction } = options;
  const reverse = direction === 'down' ? ['--reverse'] : [];
  const args = [
    '-c',
    address.host,
    '-p',
    `${address.port}`,
    `-P${streams}`,
    `-t${seconds}`,
    '--json',
    ...reverse,
  ];
  const report = await retryWhileBusy(async () => {
    const text = await runProgram('iperf3', args, { limitMs: seconds * 1000 + GRACE_MS });
    return JSON.parse(text) as IperfReport;
  });
  const { bytes, bits_per_second } = report.end.sum_received ?? { bytes: 0, bits_per_second: 0 };
  return { bytes, bytesPerSecond: bits_per_second / 8 };
}

interface IperfReport {
  error?: string;
  end: { sum_received?: { bytes: number; bits_per_second: number } };
}

const IPERF_ATTEMPTS = 10;
const IPERF_PAUSE_MS = 300;

/** The iperf3 server accepts one load at a time, and is busy for a moment after each. */
async function retryWhileBusy(attempt: () => Promise<IperfReport>): Promise<IperfReport> {
  for (let left = IPERF_ATTEMPTS; ; left -= 1) {
    const report = await attempt().catch(
      (error: unknown) => ({ error: String(error), end: {} }) as IperfReport,
    );
    if (report.end.sum_received !== undefined) return report;
    if (left === 0) throw new Error(`iperf3: ${report.error ?? 'it reported no figures'}`);
    await delay(IPERF_PAUSE_MS);
  }
}

/** Starts an iperf3 server on a port of 127.0.0.1. Resolves when it listens. */
export async function startIperfServer(port: number): Promise<Program> {
  const program = startProgram('iperf3', ['-s', '-B', '127.0.0.1', '-p', `${port}`, '--forceflush']);
  await program.waitFor(text => /Server listening/.exec(text)?.[0], 'the line "Server listening"');
  return program;
}

export interface LatencyFigures {
  count: number;
  errors: number;
  /** Milliseconds, like p99 and max. */
  p50: number;
  p99: number;
  max: number;
}

const RATE = 500;

/** Sends 500 requests per second, whether or not earlier ones have been answered. */
export function runRate(
  tunnel: { url: string; headers: readonly string[] },
  seconds: number,
): Promise<LatencyFigures> {
  const args = ['-url', tunnel.url, '-rate', `${RATE}`, '-seconds', `${seconds}`];
  return runVisitor<LatencyFigures>('rate', [...args, ...listHeaders(tunnel)]);
}

/** Transfers `bytes` in one HTTP exchange. Resolves with the ms from the start of the request to the last byte. */
export async function runStream(
  address: { host: string; port: number; headers?: readonly string[] },
  direction: 'up' | 'down',
  bytes: number,
): Promise<number> {
  const where = `${address.host}:${address.port}`;
  const args = ['-address', where, '-direction', direction, '-bytes', `${bytes}`, ...listHeaders(address)];
  return (await runVisitor<{ millis: number }>('stream', args)).millis;
}

/** The arguments of bench/visitor for the headers that a tunnel requires. */
function listHeaders({ headers = [] }: { headers?: readonly string[] }): string[] {
  return headers.flatMap(line => ['-header', line]);
}

/** Runs one command of bench/visitor to its end. `T` is the JSON it prints; the types are in its Go source. */
export async function runVisitor<T>(
  command: string,
  args: readonly string[],
  options: { namespace?: string | undefined; limitMs?: number } = {},
): Promise<T> {
  const { namespace, limitMs = VISITOR_LIMIT_MS } = options;
  return JSON.parse(await runProgram(PROGRAMS.visitor, [command, ...args], { limitMs, namespace })) as T;
}

/** Starts a command of bench/visitor that runs until its standard input is closed. */
export function startVisitor(command: string, args: readonly string[], namespace?: string): Program {
  return startProgram(PROGRAMS.visitor, [command, ...args], { namespace });
}
