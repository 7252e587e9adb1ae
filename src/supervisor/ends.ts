// Events outside of the exposure that end it: the table WATCHERS lists them. Used by supervision.

import { lstatSync } from 'node:fs';
import type { Exposure } from '../exposure/exposure.ts';
import { watchPullRequest } from '../github/pull-request-watch.ts';
import { formatDuration } from '../shared/duration.ts';
import type { Logger } from '../shared/log.ts';
import { isAlive } from '../shared/processes.ts';
import type { EndReason } from '../shared/state.ts';
import type { EndsConfig } from './config.ts';
import type { SupervisorGitHub } from './github.ts';
import { IdleTime } from './idle-time.ts';

/** How often file, runner and visitors are looked at. */
const WATCH_MS = 500;

export interface EndsOptions {
  /** Absent: nothing ends it. */
  ends: EndsConfig | undefined;
  exposure: Exposure;
  github: SupervisorGitHub | undefined;
  logger: Logger;
}

interface WatchOptions extends EndsOptions {
  ends: EndsConfig;
  end: (reason: EndReason) => void;
}

/** Starts to watch if `ends` asks for it; returns the function that stops watching. */
type Watcher = (options: WatchOptions) => (() => void) | undefined;

const WATCHERS: readonly Watcher[] = [watchContinueFile, watchRunner, watchUsage, watchPullRequestEvents];

/** Ends the exposure when one of the events happens; returns the function that stops watching. */
export function watchEnds(options: EndsOptions): () => void {
  const { ends = {}, exposure } = options;
  const end = (reason: EndReason) => void exposure.stop(reason);
  const stops = WATCHERS.map(watch => watch({ ...options, ends, end }));
  return () => {
    for (const stop of stops) stop?.();
  };
}

function watchContinueFile({ ends: { continueFile }, end }: WatchOptions) {
  if (continueFile === undefined) return undefined;
  const before = readModified(continueFile);
  return repeat(() => {
    const now = readModified(continueFile);
    if (now !== undefined && now !== before) end('continue file');
  });
}

/** When the file was last written. One from before the start counts only once it is written again, a link never. */
function readModified(file: string): number | undefined {
  try {
    const found = lstatSync(file);
    return found.isFile() ? found.mtimeMs : undefined;
  } catch {
    return undefined;
  }
}

function watchRunner({ ends: { runner }, end }: WatchOptions) {
  if (runner === undefined) return undefined;
  return repeat(() => {
    if (!isAlive(runner)) end('runner gone');
  });
}

function watchUsage({ ends: { idleTimeoutMs }, exposure, logger, end }: WatchOptions) {
  if (idleTimeoutMs === undefined) return undefined;
  const idleTime = new IdleTime(idleTimeoutMs);
  return repeat(() => {
    const { phase, tunnel } = exposure.state;
    const isReachable = phase.kind === 'live' && tunnel.status === 'Connected';
    if (!idleTime.isOver({ ...exposure.usage, isReachable }, performance.now())) return;
    logger.info(`nobody has used the preview for ${formatDuration(idleTimeoutMs)}`);
    end('idle timeout');
  });
}

function watchPullRequestEvents({ ends: { pullRequest }, github, logger, end }: WatchOptions) {
  if (pullRequest === undefined || github === undefined) return undefined;
  const { connection, job } = github;
  return watchPullRequest({ github: connection, job, watched: pullRequest, logger, onEnd: end });
}

function repeat(check: () => void): () => void {
  const timer = setInterval(check, WATCH_MS);
  return () => clearInterval(timer);
}
