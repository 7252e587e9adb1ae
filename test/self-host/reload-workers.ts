// nginx and HAProxy have a main process, which at a signal starts new workers for new visitors.

import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { waitUntil } from '../support/wait-until.ts';

/** Resolves when there is a new worker. */
export async function reloadWorkers(main: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const before = listWorkers(main);
  main.kill(signal);
  await waitUntil(() => listWorkers(main).some(pid => !before.includes(pid)), 'there is a new worker');
}

function listWorkers({ pid }: ChildProcess): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
}
