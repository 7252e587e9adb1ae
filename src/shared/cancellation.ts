// A process that is told to end while it still prepares a preview: it undoes what it has begun, for as long as that may
// take, and leaves. Used by main, and by `expose run` before it has a preview in the foreground.

import { setTimeout as delay } from 'node:timers/promises';

export class Cancellation {
  readonly #controller = new AbortController();
  readonly #signals: readonly NodeJS.Signals[];
  readonly #onCancel: () => void;
  readonly #exitCode: number;
  readonly #undoMs: number;
  #work: Promise<unknown> | undefined;

  /** Listens from now on. `undoMs` is how long it may take to leave; a second signal ends the process at once. */
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

  /** Aborted when the process has been told to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * Runs work that ends soon after the signal, and undoes itself then: the process waits for that, for a moment. Never
   * settles once the process is about to leave, for nobody is to report the work that was broken off.
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

  /** From now on somebody else listens. */
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
