// Ends a process that gets a signal while it still prepares a preview: waits, within a time limit, until the work has
// undone itself, and exits. Used by main, and by `expose run` until its preview runs in the foreground.

import { setTimeout as delay } from 'node:timers/promises';

export class Cancellation {
  readonly #controller = new AbortController();
  readonly #signals: readonly NodeJS.Signals[];
  readonly #onCancel: () => void;
  readonly #exitCode: number;
  readonly #undoMs: number;
  #work: Promise<unknown> | undefined;

  /** Listens from now on. The process exits at most `undoMs` after the signal; a second signal ends it at once. */
  constructor(
    signals: readonly NodeJS.Signals[],
    options: {
      exitCode: number;
      undoMs: number;
      /** Called first; must not throw. */
      onCancel?: () => void;
    },
  ) {
    this.#signals = signals;
    this.#exitCode = options.exitCode;
    this.#undoMs = options.undoMs;
    this.#onCancel = options.onCancel ?? (() => {});
    for (const signal of signals) process.once(signal, this.#leave);
  }

  /** Aborted when the process gets one of the signals. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Runs work that stops and undoes itself when the signal is aborted; the process waits for that before it exits. The
   * promise stays pending then, so that nobody reports the cancelled work as failed.
   */
  async guard<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const running = work(this.signal);
    this.#work = running;
    try {
      return await running;
    } catch (error) {
      if (this.signal.aborted) return await new Promise<never>(() => {});
      throw error;
    } finally {
      this.#work = undefined;
    }
  }

  /** Stops listening: the caller handles signals from now on. */
  stop(): void {
    for (const signal of this.#signals) process.off(signal, this.#leave);
  }

  readonly #leave = () => {
    this.#onCancel();
    this.#controller.abort();
    const undone = this.#work?.catch(() => {});
    void Promise.race([undone, delay(this.#undoMs)]).then(() => process.exit(this.#exitCode));
  };
}
