// Starts tunnels in a process of their own (tunnel-child.ts) and asks it how it is doing. For what must be measured
// apart from the test itself: memory, handles, unhandled errors. Needs no test runner.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TunnelState } from '../../src/shared/state.ts';
import type { ServerAddress } from '../../src/tunnel/address.ts';
import type { Timings } from '../../src/tunnel/timings.ts';

const EXIT_DEADLINE_MS = 10_000;

/**
 * `gateway`: it stands in front of the app; `raw`: the relay; `raw on two threads`: the same, with the second from the
 * first visitor on; `stream`: each visitor's stream is piped to the app.
 */
export interface ChildTunnel {
  mode: 'gateway' | 'raw' | 'raw on two threads' | 'stream';
  server: ServerAddress;
  /** Where visitors connect, where something stands between us and the server. */
  publicHost?: string;
  secret?: string;
  /** Port of the app on 127.0.0.1. */
  app: number;
  /** The key without which the gateway lets nobody in; absent: it lets everybody in. */
  key?: string;
  timings?: Partial<Timings>;
  /** Of the relay, in raw mode. */
  idleMs?: number;
}

/** After a garbage collection; memory in bytes. */
export interface Measure {
  rss: number;
  heapUsed: number;
  external: number;
  /** How many of each kind keep the process alive (process.getActiveResourcesInfo). */
  resources: Record<string, number>;
  /** Of all tunnels. */
  openVisitors: number;
  /** Of each tunnel. */
  reconnects: number[];
}

export interface Question {
  id: number;
  ask: 'measure' | 'stop';
}

export type Told =
  | { event: 'ready' }
  | { event: 'state'; tunnel: number; state: TunnelState }
  | { event: 'log'; line: string }
  | { event: 'unhandled'; text: string }
  | { event: 'answer'; id: number; measure: Measure };

export interface TunnelProcess {
  /** For signals. */
  readonly pid: number;
  /** The latest of each tunnel, in the order they were asked for. */
  readonly states: readonly TunnelState[];
  /** The public port of each tunnel; throws where one is not connected. */
  readonly ports: readonly number[];
  /** The public port that each tunnel had last, connected or not; 0 for none. */
  readonly lastPorts: readonly number[];
  /** What was thrown and not caught, and a death nobody asked for; each with its stack where there is one. */
  readonly unhandled: readonly string[];
  /** Warnings, errors and what else is worth a line, with the level in front. */
  readonly log: readonly string[];
  measure(): Promise<Measure>;
  /** Stops the tunnels, and then the process; resolves with what was left in between. */
  stop(): Promise<Measure>;
  /** For the end of a test that failed. */
  kill(): void;
}

/** Resolves when every tunnel is connected. `nodeFlags` are further options of Node.js. */
export async function startTunnelProcess(
  wishes: readonly ChildTunnel[],
  nodeFlags: readonly string[] = [],
): Promise<TunnelProcess> {
  const script = fileURLToPath(new URL('tunnel-child.ts', import.meta.url));
  const child = fork(script, [JSON.stringify(wishes)], { execArgv: ['--expose-gc', ...nodeFlags] });
  const states: TunnelState[] = wishes.map(() => ({ status: 'Not started' }));
  const lastPorts = wishes.map(() => 0);
  const unhandled: string[] = [];
  const log: string[] = [];
  const answers = new Map<number, PromiseWithResolvers<Measure>>();
  const ready = Promise.withResolvers<void>();
  let asked = 0;
  child.on('message', message => {
    const told = message as Told;
    if (told.event === 'ready') ready.resolve();
    else if (told.event === 'state') {
      states[told.tunnel] = told.state;
      if (told.state.status === 'Connected') lastPorts[told.tunnel] = told.state.port;
    } else if (told.event === 'log') log.push(told.line);
    else if (told.event === 'unhandled') unhandled.push(told.text);
    else answers.get(told.id)?.resolve(told.measure);
  });
  child.once('exit', (code, signal) => {
    if (code !== 0) unhandled.push(`the process ended with ${signal ?? code}`);
    const error = new Error(`the tunnels' process is gone: ${JSON.stringify({ states, unhandled, log })}`);
    for (const one of [ready, ...answers.values()]) one.reject(error);
  });
  const ask = (question: Question['ask']): Promise<Measure> => {
    asked += 1;
    const answer = Promise.withResolvers<Measure>();
    answers.set(asked, answer);
    child.send({ id: asked, ask: question } satisfies Question);
    return answer.promise;
  };
  await ready.promise;
  return {
    pid: child.pid ?? 0,
    states,
    lastPorts,
    unhandled,
    log,
    get ports() {
      return states.map(state => {
        if (state.status !== 'Connected') throw new Error(`a tunnel is ${state.status}`);
        return state.port;
      });
    },
    measure: () => ask('measure'),
    stop: async () => {
      const gone = once(child, 'exit');
      const left = await ask('stop');
      // Nothing is left to do, so that it ends by itself; what keeps it is a leak.
      const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_DEADLINE_MS);
      await gone.finally(() => clearTimeout(timer));
      return left;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
