// Notices a link that has fallen silent. Used by client.ts.

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
    // Timers count from the start of a loop turn, so one may fire before its time by this clock.
    if (readClock() - heardAt < timeoutMs) return void timer.refresh();
    stop();
    onSilence();
  };
  // After a stall of this process the timer comes first, and the heartbeats wait in the kernel: they are read before
  // anything is decided, and the timer starts anew with each of them.
  const timer = setTimeout(() => setImmediate(decide), timeoutMs);
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
