// Starts one of the simulator's own programs in a process of its own, and exchanges messages with it. Used by fleet.ts
// and crowd.ts.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

/** A child stops its tunnels and connections when it is told to; then it is killed. */
const END_LIMIT_MS = 10_000;

export interface Child<Order> {
  readonly pid: number;
  tell(order: Order): void;
  /** Closes the channel, on which the child ends by itself. Kills it after 10 s. May be called twice. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * `script`: a file of this folder. `namespace`: the network namespace the program runs in (needs root). `onEnd` is
 * called if the child ends before `stop`.
 */
export function startChild<Order extends object, Event>(
  script: string,
  options: { namespace?: string | undefined; onEvent: (event: Event) => void; onEnd: (error: Error) => void },
): Child<Order> {
  const { namespace, onEvent, onEnd } = options;
  const program = [process.execPath, resolve(import.meta.dirname, script)];
  const [command = '', ...args] =
    namespace === undefined ? program : ['ip', 'netns', 'exec', namespace, ...program];
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  running.add(child);
  let isStopping = false;
  const ended = once(child, 'exit').then(([code, signal]) => {
    running.delete(child);
    if (!isStopping) onEnd(new Error(`${script} ended with ${signal ?? code}`));
  });
  child.on('message', message => onEvent(message as Event));
  return {
    pid: child.pid ?? 0,
    tell: order => void child.send(order),
    stop: async () => {
      isStopping = true;
      if (child.connected) child.disconnect();
      const timer = setTimeout(() => child.kill('SIGKILL'), END_LIMIT_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}
