// One server and one tunnel, whose server dies and comes back: how long until visitors are served again. Used by
// cases/outages.ts.

import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from '../case.ts';
import { startProbing } from './first-visit.ts';
import type { Program } from './process.ts';

/** Service before each outage. Our tunnel resets its retry delays only after a session of 5 s. */
const SERVICE_MS = 6_000;

export interface OutageServer {
  /** On the scale of performance.now(). */
  readonly listeningAt: number;
  /** Ends it with SIGKILL. Resolves when it has exited. */
  kill(): Promise<void>;
}

export interface OutageTunnel {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly program: Program;
  stop(): Promise<void>;
}

export interface Lane {
  startServer(): Promise<OutageServer>;
  startTunnel(): Promise<OutageTunnel>;
}

export interface Outage {
  lengthS: number;
  /**
   * From the moment the server listens again until a visitor has a whole answer under the same URL; undefined if nobody
   * got one.
   */
  seconds: number | undefined;
}

/** Runs outages of these lengths, one after another, on one tunnel. */
export async function runOutages(bench: Bench, lane: Lane, lengthsS: readonly number[]): Promise<Outage[]> {
  await using stack = new AsyncDisposableStack();
  let server = await lane.startServer();
  stack.defer(() => server.kill());
  const tunnel = stack.adopt(await lane.startTunnel(), one => one.stop());
  const found: Outage[] = [];
  for (const lengthS of lengthsS) {
    await delay(SERVICE_MS);
    await server.kill();
    await delay(lengthS * 1_000);
    const { answered } = startProbing(tunnel);
    server = await lane.startServer();
    const at = await answered;
    found.push({ lengthS, seconds: at === undefined ? undefined : (at - server.listeningAt) / 1_000 });
    if (at === undefined) reportLoss(bench, tunnel, lengthS);
  }
  return found;
}

function reportLoss(bench: Bench, tunnel: OutageTunnel, lengthS: number): void {
  bench.log(`${tunnel.name} on ${tunnel.host}: no answer under its URL after an outage of ${lengthS} s`);
  bench.log(`  the last line of its output: ${tunnel.program.lines.at(-1)?.text ?? 'none'}`);
}
