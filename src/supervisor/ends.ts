// Events outside of the exposure that end it: the `continue` file appears, or the runner is gone. Used by supervision.

import { lstatSync } from 'node:fs';
import { isAlive } from '../shared/processes.ts';
import type { EndReason } from '../shared/state.ts';
import type { SupervisorConfig } from './config.ts';

/** How often the file and the runner are checked. */
const WATCH_MS = 500;

/** Calls `end` when one of them happens; returns the function that stops watching. */
export function watchEnds(
  { continueFile, runner }: NonNullable<SupervisorConfig['ends']>,
  end: (reason: EndReason) => void,
): () => void {
  const before = readModified(continueFile);
  const timer = setInterval(() => {
    const now = readModified(continueFile);
    if (now !== undefined && now !== before) end('continue file');
    if (runner && !isAlive(runner)) end('runner gone');
  }, WATCH_MS);
  return () => clearInterval(timer);
}

/** When the file was last written. One from before the start counts only once it is written again, a link never. */
function readModified(file: string | undefined): number | undefined {
  try {
    const found = file === undefined ? undefined : lstatSync(file);
    return found?.isFile() ? found.mtimeMs : undefined;
  } catch {
    return undefined;
  }
}
