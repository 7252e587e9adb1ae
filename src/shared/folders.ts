// Removes folders that a process or a mount may still hold. Used by exposure, app, step and commands.

import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { describeError } from './errors.ts';
import { sanitise } from './sanitise.ts';

/**
 * Open files on Windows and `.nfs` files on NFS keep a folder from being removed, mostly for a moment. Retried here and
 * not by Node's `maxRetries`, which waits again at every level of the tree: with a mount in it that took a minute.
 */
const ATTEMPTS = 3;
const RETRY_DELAY_MS = 200;

/**
 * Removes the folder and its contents, if it exists. If that fails, resolves with a warning that says why; never
 * rejects.
 */
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
