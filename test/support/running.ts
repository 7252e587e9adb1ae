// Whether a process still runs; tests ask it about what should be gone.

import { readFileSync } from 'node:fs';

/** False for a zombie too: where nobody reaps, the dead stay visible. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
