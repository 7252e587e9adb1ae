// A link with a real round-trip time between two network namespaces, root only: a relay of TCP connections could not
// delay their handshakes, which are half of what a far-away server costs. For tests and benchmarks.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { requirePart } from './real-parts.ts';

/** The server's end of the link; the same in every rig, and seen from inside of its namespaces only. */
export const SERVER_ADDRESS = '10.200.0.1';
/** The runner's end of the link. */
export const RUNNER_ADDRESS = '10.200.0.2';

/** Creating the namespaces takes some tens of milliseconds. */
const START_DEADLINE_MS = 10_000;

export interface TunRig {
  /** Namespace to run `bore server` and visitors in. */
  readonly server: string;
  /** Namespace to run the tunnel's client and its app in. */
  readonly runner: string;
  /** Starts a program inside; it is killed at the end of the rig. Its pid is the program's own. */
  run(namespace: string, command: string, args?: readonly string[], options?: SpawnOptions): ChildProcess;
  /** For packets sent from now on; half of it each way. */
  setRtt(rttMs: number): Promise<void>;
  /** For each direction; 0 is no limit, as at the start. */
  setRate(mbitPerSecond: number): Promise<void>;
  /** Packets vanish from now on; those on their way still arrive. */
  drop(direction?: 'toServer' | 'toClient' | 'both'): Promise<void>;
  heal(): Promise<void>;
  /** Ends everything inside. May be called twice. Where nobody calls it, it happens when this process ends. */
  stop(): Promise<void>;
}

/** Resolves when packets pass. Rejects with what the rig says where it cannot be made. */
export async function startTunRig({ rttMs }: { rttMs: number }): Promise<TunRig> {
  const child = spawn(requirePart('tun-rig'), { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit').catch(() => {});
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const stop = async () => {
    child.stdin.end();
    await exited;
  };
  child.stdin.on('error', () => {}); // an end of it is seen on stdout
  const read = async (): Promise<string> => {
    const { value = 'error the rig has ended' } = await lines.next();
    if (value.startsWith('error')) throw new Error(`the link's rig: ${value.slice('error '.length)}`);
    return value;
  };
  const timer = setTimeout(() => child.stdin.end(), START_DEADLINE_MS);
  const [, server = '', runner = ''] = (await read().finally(() => clearTimeout(timer))).split(' ');
  // One after the other, so that each gets its own answer.
  let last: Promise<unknown> = Promise.resolve();
  const say = (command: string): Promise<void> => {
    const answered = last.then(() => {
      child.stdin.write(`${command}\n`);
      return read();
    });
    last = answered.catch(() => {});
    return answered.then(() => {});
  };
  const rig: TunRig = {
    server,
    runner,
    run: (namespace, command, args = [], options = {}) =>
      spawn(requirePart('ip'), ['netns', 'exec', namespace, command, ...args], options),
    setRtt: ms => say(`delay ${ms / 2}ms`),
    setRate: mbitPerSecond => say(`rate ${mbitPerSecond * 1e6}`),
    drop: (direction = 'both') => say(`drop ${direction}`),
    heal: () => say('heal'),
    stop,
  };
  await rig.setRtt(rttMs).catch(async error => {
    await stop();
    throw error;
  });
  return rig;
}
