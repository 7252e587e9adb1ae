// A bore server that is far away: server and visitors are in one network namespace, tunnels and app in another, with a
// real round-trip time between them. Needs root. Used by the cases about distance, pages and silence.

import { SERVER_ADDRESS, startTunRig, type TunRig } from '../../test/support/tun-rig.ts';
import type { Bench } from '../case.ts';
import { startApp } from './app.ts';
import { startBoreServer } from './bore-server.ts';
import { type RunningTunnel, startTunnel, type TunnelName } from './tunnels.ts';

/** Without wasmrun: it learns what to expose over a port of its own, which is unreachable from another namespace. */
export type FarName = Exclude<TunnelName, 'wasmrun'>;

export interface FarLink extends AsyncDisposable {
  readonly rig: TunRig;
  /** The app's port, in the runner's namespace. */
  readonly appPort: number;
  tunnel(name: FarName): RunningTunnel;
}

/** Resolves when all tunnels are ready for visitors. */
export async function startFarLink(bench: Bench, rttMs: number, names: readonly FarName[]): Promise<FarLink> {
  await using starting = new AsyncDisposableStack();
  const rig = starting.adopt(await startTunRig({ rttMs }), one => one.stop());
  starting.adopt(await startBoreServer(SERVER_ADDRESS, rig.server), one => one.kill());
  const app = starting.adopt(await startApp(rig.runner), one => one.stop());
  const tunnels = new Map<FarName, RunningTunnel>();
  for (const name of names) {
    const target = { server: SERVER_ADDRESS, port: app.port, fromSource: bench.fromSource };
    const tunnel = await startTunnel(name, { ...target, namespace: rig.runner });
    tunnels.set(
      name,
      starting.adopt(tunnel, one => one.stop()),
    );
  }
  const started = starting.move();
  const tunnel = (name: FarName) => {
    const found = tunnels.get(name);
    if (found === undefined) throw new Error(`no tunnel ${name} was started over the link`);
    return found;
  };
  return { rig, appPort: app.port, tunnel, [Symbol.asyncDispose]: () => started.disposeAsync() };
}
