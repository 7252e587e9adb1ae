// Limits what compression takes from the machine, on which the job's tests may be running: memory by the number of open
// encoders, CPU by letting one of them work at a time. Used by the gateway and by `mode: web`.

export class EncoderSlots {
  readonly #limit: number;
  #open = 0;
  #isWorking = false;
  readonly #waiting: (() => void)[] = [];

  /** `limit`: how many encoders may be open. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get areFull(): boolean {
    return this.#open >= this.#limit;
  }

  /** Call the result when the encoder is closed; further calls do nothing. */
  take(): () => void {
    let isTaken = true;
    this.#open += 1;
    return () => {
      if (isTaken) this.#open -= 1;
      isTaken = false;
    };
  }

  /**
   * Calls `start` when no other encoder works. What it starts takes about a millisecond. It must call `done` in any
   * case; further calls do nothing.
   */
  work(start: (done: () => void) => void): void {
    if (this.#isWorking) this.#waiting.push(() => this.#run(start));
    else this.#run(start);
  }

  #run(start: (done: () => void) => void): void {
    let isDone = false;
    this.#isWorking = true;
    start(() => {
      if (isDone) return;
      isDone = true;
      this.#isWorking = false;
      this.#waiting.shift()?.();
    });
  }
}
