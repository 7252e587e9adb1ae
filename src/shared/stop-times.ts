// How long the parts of an end may take. The post step has promised to be over after 30 s (a cancelled job is killed
// some minutes later), and everything here has to fit into that. Used wherever a preview is ended.

/** At the end, visitors have this long to finish their downloads. */
export const DRAIN_MS = 5_000;
/** Time for the app to stop after SIGTERM, unless `stop-timeout` says otherwise. */
export const DEFAULT_STOP_TIMEOUT_MS = 5_000;
/** The longest `stop-timeout`: `docker compose` gives its containers 10 s by default. */
export const MAX_STOP_TIMEOUT_MS = 20_000;
/** SIGKILL takes effect at once, except for a process in an uninterruptible call of the kernel. */
export const KILL_MS = 1_000;
/** All of post. */
export const POST_LIMIT_MS = 30_000;
/** Until an answer of the control API arrives on a busy machine. */
const ANSWER_MS = 1_000;

/** When an answer to `POST /api/stop` is overdue: visitors are drained, the app has stopped or was killed. */
export function limitStop(stopTimeoutMs: number): number {
  return DRAIN_MS + stopTimeoutMs + KILL_MS + ANSWER_MS;
}

/**
 * `wantedMs`, or what is left of post's time if that is less; `keptMs` is kept for what comes later. post begins with
 * its process.
 */
export function limitInPost(wantedMs: number, keptMs: number): number {
  return Math.max(0, Math.min(wantedMs, POST_LIMIT_MS - keptMs - performance.now()));
}
