// Removing a folder that something may still hold on to. Used by the exposure, the app and the entries.

import { rm } from 'node:fs/promises';
import { describeError } from './errors.ts';
import { sanitise } from './log.ts';

/** An open file keeps its folder on Windows, a `.nfs` file on NFS; both are mostly gone a moment later. */
const RETRIES = 5;
const RETRY_DELAY_MS = 100;

/** Removes it with everything in it, if it is there. Resolves with what is left, and why, for a warning; never rejects. */
export async function removeFolder(folder: string): Promise<string | undefined> {
  try {
    await rm(folder, { recursive: true, force: true, maxRetries: RETRIES, retryDelay: RETRY_DELAY_MS });
    return undefined;
  } catch (error) {
    return `${sanitise(folder)} could not be removed: ${sanitise(describeError(error))}`;
  }
}
