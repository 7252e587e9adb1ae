// Notices a link that has fallen silent. Used by session.ts.

export interface Watchdog {
  /** When something was heard last, by the watchdog's clock. */
  readonly heardAt: number;
  /** Something came. */
  hear(): void;
  /** May be called twice. */
  stop(): void;
}

/** Calls `onSilence` once, as soon as nothing was heard for `timeoutMs`. `readClock` is for tests. */
export function startWatchdog(
  timeoutMs: number,
  onSilence: () => void,
  readClock = () => performance.now(),
): Watchdog {
  let heardAt = readClock();
  let isOver = false;
  const stop = () => {
    isOver = true;
    clearTimeout(timer);
  };
  const decide = () => {
    if (isOver) return;
    const leftMs = timeoutMs - (readClock() - heardAt);
    // Timers count in whole milliseconds, so one may fire before its time by this clock: every third did. Only the rest
    // is waited for then; all of it once more would be twice the time.
    if (leftMs > 0) {
      clearTimeout(timer);
      timer = setTimeout(look, leftMs);
      return;
    }
    stop();
    onSilence();
  };
  // After a stall of this process the timer comes first, and the heartbeats wait in the kernel: they are read before
  // anything is decided, and the timer starts anew with each of them.
  const look = () => void setImmediate(decide);
  let timer = setTimeout(look, timeoutMs);
  const hear = () => {
    heardAt = readClock();
    timer.refresh(); // which wakes no timer that was cleared
  };
  return {
    get heardAt() {
      return heardAt;
    },
    hear,
    stop,
  };
}
