// Which public port to ask for next. Used by reconnect.ts.

import type { TunnelFailure } from './failure.ts';
import type { Timings } from './timings.ts';
import type { PortWish } from './tunnel.ts';

export class PortChoice {
  /** Where the port is fixed, another one is never taken. */
  readonly fixed: boolean;
  readonly #timings: Timings;
  #port: number;
  #takenSince: number | undefined;
  #connectedBefore = false;

  constructor(wish: PortWish, preferred: number | undefined, timings: Timings) {
    this.fixed = wish.kind === 'fixed';
    this.#port = wish.kind === 'fixed' ? wish.port : (preferred ?? 0);
    this.#timings = timings;
  }

  /** What to put into `Hello`; 0 for any. */
  get port(): number {
    return this.#port;
  }

  get connectedBefore(): boolean {
    return this.#connectedBefore;
  }

  /** The server gave us `port`: it is the one to ask for from now on. */
  settle(port: number): void {
    this.#port = port;
    this.#takenSince = undefined;
    this.#connectedBefore = true;
  }

  /** Any port will do, where that is allowed. */
  giveUp(): void {
    if (!this.fixed) this.#port = 0;
    this.#takenSince = undefined;
  }

  /** True where another attempt makes sense, perhaps with another port; `now` is of a monotonic clock. */
  survive(failure: TunnelFailure, now: number): boolean {
    if (failure.kind === 'port-refused') {
      if (!this.fixed) this.giveUp();
      return !this.fixed;
    }
    if (failure.kind !== 'port-taken') return true;
    this.#takenSince ??= now;
    const first = this.fixed && !this.#connectedBefore;
    const patience = first ? this.#timings.portFirst : this.#timings.portAgain;
    if (now - this.#takenSince < patience) return true;
    if (!this.fixed) this.giveUp();
    return !first;
  }

  /** True while our own port is taken, by what is left of the session before. */
  isBeingFreed(now: number): boolean {
    return (
      this.#connectedBefore &&
      this.#takenSince !== undefined &&
      now - this.#takenSince < this.#timings.portAgain
    );
  }
}
