// Says when the time of an exposure is over. Used by exposure.ts.

/** How often two clocks are compared with the end: after a laptop has slept, an exposure past its end must stop. */
const CHECK_MS = 1_000;

/** Calls back once, when the first of the two clocks has reached the end. Returns the function that stops it. */
export function startEndClock(durationMs: number, onEnd: () => void): () => void {
  const [wallEnd, monotonicEnd] = [Date.now() + durationMs, performance.now() + durationMs];
  let timer: NodeJS.Timeout | undefined;
  const check = () => {
    const leftMs = Math.min(wallEnd - Date.now(), monotonicEnd - performance.now());
    if (leftMs <= 0) onEnd();
    else timer = setTimeout(check, Math.min(leftMs, CHECK_MS));
  };
  check();
  return () => clearTimeout(timer);
}
