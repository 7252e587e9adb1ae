// Waiting for one thing unless another comes first. Used wherever a wait can be given up.

/**
 * What the promise comes to, unless the signal is aborted first: then rejects with the signal's reason. The work behind
 * the promise is not stopped, and a rejection that comes too late is ignored.
 */
export function raceSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) onAbort();
  });
}
