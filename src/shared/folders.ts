// Removing a folder that something may still hold on to. Used by the exposure, the app and the entries.

import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { describeError } from './errors.ts';
import { sanitise } from './log.ts';

/**
 * An open file keeps its folder on Windows, a `.nfs` file on NFS; both are mostly gone a moment later. Counted here, for
 * with its own `maxRetries` Node waits anew at every level of a tree, which took a minute where a mount was in it.
 */
const ATTEMPTS = 3;
const RETRY_DELAY_MS = 200;

/** Removes it with everything in it, if it is there. Resolves with what is left, and why, for a warning; never rejects. */
export async function removeFolder(folder: string): Promise<string | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await rm(folder, { recursive: true, force: true });
      return undefined;
    } catch (error) {
      if (attempt === ATTEMPTS)
        return `${sanitise(folder)} could not be removed: ${sanitise(describeError(error))}`;
      await delay(RETRY_DELAY_MS);
    }
  }
}
