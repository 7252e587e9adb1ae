// The testbed of most cases: one bore server, one app, and one tunnel of each kind between them. Used by the cases.

import type { Bench } from '../case.ts';
import { type BenchApp, startApp } from './app.ts';
import { HOST, startBoreServer } from './bore-server.ts';
import { readCpuSeconds } from './proc.ts';
import type { Figures } from './rounds.ts';
import { type RunningTunnel, startTunnel, TUNNELS, type TunnelName } from './tunnels.ts';

export interface Testbed extends AsyncDisposable {
  readonly app: BenchApp;
  /** Throws for a tunnel that was not started. */
  tunnel(name: TunnelName): RunningTunnel;
}

/** Resolves when all tunnels are ready. `port`: a local port that the tunnels expose instead of the app's. */
export async function startTestbed(
  bench: Bench,
  names: readonly TunnelName[] = TUNNELS,
  port?: number,
): Promise<Testbed> {
  await using starting = new AsyncDisposableStack();
  const server = starting.adopt(await startBoreServer(), one => one.kill());
  const app = starting.adopt(await startApp(), one => one.stop());
  const tunnels = new Map<TunnelName, RunningTunnel>();
  for (const name of names) {
    const target = { server: server.host, port: port ?? app.port, fromSource: bench.fromSource };
    tunnels.set(
      name,
      starting.adopt(await startTunnel(name, target), one => one.stop()),
    );
  }
  const started = starting.move();
  const tunnel = (name: TunnelName) => {
    const found = tunnels.get(name);
    if (found === undefined) throw new Error(`no tunnel ${name} was started on ${HOST}`);
    return found;
  };
  return { app, tunnel, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

/** Adds `cpuSeconds` to the figures of some work: the processor time of the processes, divided by the amount of work. */
export async function measureCpu(
  pids: readonly number[],
  work: () => Promise<{ figures: Figures; amount: number }>,
): Promise<Figures> {
  const readAll = () => pids.reduce((sum, pid) => sum + readCpuSeconds(pid), 0);
  const before = readAll();
  const { figures, amount } = await work();
  return { ...figures, cpuSeconds: (readAll() - before) / amount };
}
