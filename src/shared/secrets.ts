// Comparing secrets without telling, by the time it takes, how much of a guess was right. Used by access and probe.

import { hash, timingSafeEqual } from 'node:crypto';

/** Whatever the lengths; for keys, passwords and MACs. */
export function isSame(given: string, wanted: string): boolean {
  return timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', wanted, 'buffer'));
}
