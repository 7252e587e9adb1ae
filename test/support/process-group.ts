// Bash in a process group of its own, for the tests of processes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

/** Runs the script; resolves when it has printed a line. Whatever is left of the group is killed after the test. */
export async function startGroup(script: string) {
  const child = spawn('bash', ['-c', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const { pid } = child;
  if (pid === undefined) throw new Error('no bash');
  onTestFinished(() => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // gone, as it should be
    }
  });
  const [line] = await once(child.stdout, 'data');
  return { child, pid, line: String(line).trim() };
}
