// Keeps a program running: one that ends is started again, a limited number of times. Used by app.ts.

import { setTimeout as delay } from 'node:timers/promises';
import { AppError, describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import type { AppState } from '../shared/state.ts';
import type { Program } from './program.ts';

/** The loop's clock, in milliseconds; tests use a faster one. */
export interface RestartTiming {
  /** The pause before each restart; there are as many restarts as pauses. */
  pausesMs: readonly number[];
  /** A program that has served this long resets the count of restarts. */
  resetAfterMs: number;
  /** Limit of one restart. */
  startMs: number;
}

/** Five restarts in about half a minute: visitors wait that long. A program that has served 5 minutes works. */
const RESTART_TIMING: RestartTiming = {
  pausesMs: [500, 1_000, 3_000, 8_000, 15_000],
  resetAfterMs: 5 * 60_000,
  startMs: 120_000,
};

export interface RestartOptions {
  /** Starts the program; resolves when it answers, rejects after all its processes were stopped. */
  startOnce: (signal: AbortSignal) => Promise<Program>;
  onState: (state: AppState) => void;
  logger: Logger;
  timing?: RestartTiming;
}

/** Runs one program after another, from `start` until `stop` or until no restart is left. */
export class RestartLoop {
  readonly #options: RestartOptions;
  readonly #timing: RestartTiming;
  readonly #stopped = new AbortController();
  readonly #stopRequested: Promise<undefined>;
  #state: AppState = { status: 'starting' };
  #program: Program | undefined;
  #running: Promise<void> = Promise.resolve();
  #used = 0;
  #stopping: Promise<void> | undefined;

  constructor(options: RestartOptions) {
    this.#options = options;
    this.#timing = options.timing ?? RESTART_TIMING;
    this.#stopRequested = new Promise(resolve => {
      this.#stopped.signal.addEventListener('abort', () => resolve(undefined), { once: true });
    });
  }

  /** The program that answers now. */
  get program(): Program | undefined {
    return this.#program;
  }

  /** The first start; rejects as `startOnce` does. */
  async start(signal: AbortSignal): Promise<void> {
    this.#setState({ status: 'starting' });
    try {
      const program = await this.#options.startOnce(signal);
      this.#running = this.#keepRunning(program);
    } catch (error) {
      this.#fail(toAppError(error));
      throw error;
    }
  }

  /** Resolves when nothing runs any more; may be called twice. */
  async stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    await this.#stopping;
  }

  async #stopAll(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    if (this.#state.status !== 'failed') this.#setState({ status: 'stopped' });
  }

  async #keepRunning(first: Program): Promise<void> {
    let program: Program | undefined = first;
    while (program !== undefined) {
      const began = performance.now();
      const loss = await this.#serve(program);
      if (performance.now() - began >= this.#timing.resetAfterMs) this.#used = 0;
      program = loss === undefined ? undefined : await this.#restart(loss, program);
    }
  }

  /** Resolves with the reason why the program ended, or with undefined after a stop. */
  async #serve(program: Program): Promise<AppError | undefined> {
    this.#program = program;
    if (!this.#stopped.signal.aborted) this.#setState({ status: 'running', upstream: program.upstream });
    const loss = await Promise.race([program.ended, this.#stopRequested]);
    this.#program = undefined;
    if (loss === undefined) await program.stop();
    return loss;
  }

  /** The next program that answers, or undefined after a stop or when no restart is left. */
  async #restart(loss: AppError, lost: Program): Promise<Program | undefined> {
    const { signal } = this.#stopped;
    let reason = loss;
    for (;;) {
      const pause = this.#timing.pausesMs[this.#used];
      const goesOn = pause !== undefined && reason.restartable;
      if (goesOn) this.#announceRestart(reason);
      else this.#fail(reason);
      // Processes that the program left may still hold the port, or write to the console.
      await lost.stop();
      if (!goesOn) return undefined;
      try {
        await delay(pause, undefined, { signal });
        return await this.#options.startOnce(
          AbortSignal.any([signal, AbortSignal.timeout(this.#timing.startMs)]),
        );
      } catch (error) {
        if (signal.aborted) return undefined;
        reason = toAppError(error);
      }
    }
  }

  #announceRestart(reason: AppError): void {
    this.#used += 1;
    this.#setState({ status: 'restarting', reason: reason.message, attempt: this.#used });
    this.#options.logger.warn(
      `${reason.message}; it is started again (${this.#used} of ${this.#timing.pausesMs.length})`,
    );
  }

  #fail(reason: AppError): void {
    const { exitCode, lastLines } = reason;
    const spent = this.#used > 0 && reason.restartable;
    const message = spent ? `${reason.message}; given up after ${this.#used} restarts` : reason.message;
    this.#setState({
      status: 'failed',
      reason: message,
      ...(exitCode === undefined ? {} : { exitCode }),
      lastLines,
    });
  }

  #setState(state: AppState): void {
    this.#state = state;
    this.#options.onState(state);
  }
}

function toAppError(error: unknown): AppError {
  return error instanceof AppError ? error : new AppError(describeError(error), { cause: error });
}
