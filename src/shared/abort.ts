// Makes any wait abortable. Used by app, exposure, tunnel and github.

/**
 * Settles as the promise does, or rejects with the signal's reason if the signal is aborted first. The work behind the
 * promise is not stopped; if it fails after that, the error is ignored.
 */
export function raceSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) onAbort();
  });
}
