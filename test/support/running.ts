// Whether a process still runs. Used by tests of what should be gone.

import { readStartTime } from '../../src/shared/processes.ts';

/** False for a zombie too: where nobody reaps, the dead stay visible. */
export function isRunning(pid: number): boolean {
  return readStartTime(pid) !== undefined;
}
