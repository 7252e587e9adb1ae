// Notices that a link has fallen silent. Used by session.ts.

export interface Watchdog {
  /** Time of the watchdog's clock when the last bytes came. */
  readonly lastDataAt: number;
  /** Call it when bytes came: the time-out starts again. */
  onData(): void;
  /** May be called twice. */
  stop(): void;
}

/** Calls `onSilence` once, when no bytes came for `timeoutMs`. Tests replace `readClock`. */
export function startWatchdog(
  timeoutMs: number,
  onSilence: () => void,
  readClock = () => performance.now(),
): Watchdog {
  let lastDataAt = readClock();
  let isOver = false;
  const stop = () => {
    isOver = true;
    clearTimeout(timer);
  };
  const decide = () => {
    if (isOver) return;
    const leftMs = timeoutMs - (readClock() - lastDataAt);
    // Timers count in whole milliseconds, so one may fire early by this clock (every third did). In this case wait only
    // for the remaining time; a new start would double it.
    if (leftMs > 0) {
      clearTimeout(timer);
      timer = setTimeout(check, leftMs);
      return;
    }
    stop();
    onSilence();
  };
  // After a stall of this process the timer fires first, while heartbeats wait in the kernel: setImmediate lets the
  // event loop read them before the decision.
  const check = () => void setImmediate(decide);
  let timer = setTimeout(check, timeoutMs);
  const onData = () => {
    lastDataAt = readClock();
    timer.refresh(); // does not wake a timer that was cleared
  };
  return {
    get lastDataAt() {
      return lastDataAt;
    },
    onData,
    stop,
  };
}
