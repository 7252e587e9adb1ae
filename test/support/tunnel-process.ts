// Starts tunnels in a process of their own (tunnel-child.ts) and measures its memory, handles and unhandled errors,
// which then come only from the tunnels. Used by tests and by the soak; does not need a test runner.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TunnelState } from '../../src/shared/state.ts';
import type { ServerAddress } from '../../src/tunnel/address.ts';
import type { Timings } from '../../src/tunnel/timings.ts';

const EXIT_DEADLINE_MS = 10_000;

/**
 * `gateway`: in front of the app; `raw`: a relay; `raw on two threads`: a relay with the second thread from the first
 * visitors on; `stream`: each visitor's stream is piped to the app.
 */
export interface ChildTunnel {
  mode: 'gateway' | 'raw' | 'raw on two threads' | 'stream';
  server: ServerAddress;
  /** The host that visitors connect to, if it is not the server's host. */
  publicHost?: string;
  secret?: string;
  /** Port of the app on 127.0.0.1. */
  app: number;
  /** The key that the gateway requires; absent: access is open. */
  key?: string;
  timings?: Partial<Timings>;
  /** For the relay, in raw mode. */
  idleMs?: number;
}

/** After a garbage collection; memory in bytes. */
export interface Measure {
  rss: number;
  heapUsed: number;
  external: number;
  /** How many of each kind keep the process alive (process.getActiveResourcesInfo). */
  resources: Record<string, number>;
  /** Sum over all tunnels. */
  openVisitors: number;
  /** One for each tunnel. */
  reconnects: number[];
}

export interface Question {
  id: number;
  ask: 'measure' | 'stop';
}

export type ChildMessage =
  | { event: 'ready' }
  | { event: 'state'; tunnel: number; state: TunnelState }
  | { event: 'log'; line: string }
  | { event: 'unhandled'; text: string }
  | { event: 'answer'; id: number; measure: Measure };

export interface TunnelProcess {
  /** The process id, to send signals to. */
  readonly pid: number;
  /** The current state of each tunnel, in the order of the settings. */
  readonly states: readonly TunnelState[];
  /** The public port of each tunnel; throws if one is not connected. */
  readonly ports: readonly number[];
  /** The last public port of each tunnel, even if it is not connected now; 0 for none. */
  readonly lastPorts: readonly number[];
  /** Errors that were not caught, with their stacks, and an unexpected exit. */
  readonly unhandled: readonly string[];
  /** Log lines above debug, with the level in front. */
  readonly log: readonly string[];
  measure(): Promise<Measure>;
  /** Stops the tunnels, and then the process; resolves with the measure in between. */
  stop(): Promise<Measure>;
  /** For cleaning up after a failed test. */
  kill(): void;
}

/** Resolves when every tunnel is connected. `nodeFlags` are more options of Node.js. */
export async function startTunnelProcess(
  settings: readonly ChildTunnel[],
  nodeFlags: readonly string[] = [],
): Promise<TunnelProcess> {
  const script = fileURLToPath(new URL('tunnel-child.ts', import.meta.url));
  const child = fork(script, [JSON.stringify(settings)], { execArgv: ['--expose-gc', ...nodeFlags] });
  const states: TunnelState[] = settings.map(() => ({ status: 'Not started' }));
  const lastPorts = settings.map(() => 0);
  const unhandled: string[] = [];
  const log: string[] = [];
  const answers = new Map<number, PromiseWithResolvers<Measure>>();
  const ready = Promise.withResolvers<void>();
  let asked = 0;
  child.on('message', received => {
    const message = received as ChildMessage;
    if (message.event === 'ready') ready.resolve();
    else if (message.event === 'state') {
      states[message.tunnel] = message.state;
      if (message.state.status === 'Connected') lastPorts[message.tunnel] = message.state.port;
    } else if (message.event === 'log') log.push(message.line);
    else if (message.event === 'unhandled') unhandled.push(message.text);
    else answers.get(message.id)?.resolve(message.measure);
  });
  child.once('exit', (code, signal) => {
    if (code !== 0) unhandled.push(`the process ended with ${signal ?? code}`);
    const error = new Error(
      `the process of the tunnels has ended unexpectedly: ${JSON.stringify({ states, unhandled, log })}`,
    );
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
      // The process ends by itself when nothing is left to do; anything that keeps it alive is a leak.
      const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_DEADLINE_MS);
      await gone.finally(() => clearTimeout(timer));
      return left;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
