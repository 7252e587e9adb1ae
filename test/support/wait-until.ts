// Waits for what must happen. Used by every test that would otherwise sleep.

import { setTimeout as delay } from 'node:timers/promises';

/** Generous: it only stops a test that hangs. */
const DEADLINE_MS = 20_000;

/** Resolves when `check` holds; fails with `what` after a deadline. */
export async function waitUntil(
  check: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = DEADLINE_MS,
): Promise<void> {
  for (const end = performance.now() + deadlineMs; !(await check()); await delay(10))
    if (performance.now() > end) throw new Error(`timed out waiting for this: ${what}`);
}
