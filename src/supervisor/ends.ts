// The ends of an exposure that come from outside: the `continue` file, and a runner that is gone. Used by supervision.

import { lstatSync } from 'node:fs';
import { isAlive } from '../shared/processes.ts';
import type { EndReason } from '../shared/state.ts';
import type { SupervisorConfig } from './config.ts';

/** A file somebody touches, a runner that died: seen within this time. */
const WATCH_MS = 500;

/** Looks for the two ends that come from outside: the `continue` file, and a runner that is gone. */
export function watchEnds(config: SupervisorConfig, end: (reason: EndReason) => void): () => void {
  const { continueFile, runner } = config;
  const before = readModified(continueFile);
  const timer = setInterval(() => {
    const now = readModified(continueFile);
    if (now !== undefined && now !== before) end('continue file');
    if (runner && !isAlive(runner)) end('runner gone');
  }, WATCH_MS);
  return () => clearInterval(timer);
}

/** A file that was there before the start does not count until it is made anew; a link in its place does not count. */
function readModified(file: string | undefined): number | undefined {
  try {
    const found = file === undefined ? undefined : lstatSync(file);
    return found?.isFile() ? found.mtimeMs : undefined;
  } catch {
    return undefined;
  }
}
