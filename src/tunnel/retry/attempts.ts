// Decides after each attempt when and where the next one is made, or that there is none. Used by reconnect.ts, which
// makes them.

import { describeError, TunnelError } from '../../shared/errors.ts';
import { renderAddress } from '../address.ts';
import {
  explainAnyPort,
  explainTimeout,
  isMisconfiguration,
  isPermanent,
  TunnelFailure,
} from '../failure.ts';
import type { Session } from '../session/session.ts';
import type { Timings } from '../timings.ts';
import type { TunnelOptions } from '../tunnel.ts';
import { Backoff } from './backoff.ts';
import { FailureLog } from './failure-log.ts';
import { type Place, ServerChoice } from './server-choice.ts';

/** What comes of an attempt that failed: milliseconds until the next one, and what to tell until then. */
export interface RetryDecision {
  pauseMs: number;
  reason: string;
}

export class Attempts {
  readonly #options: TunnelOptions;
  readonly #timings: Timings;
  readonly #servers: ServerChoice;
  readonly #backoff: Backoff;
  readonly #failures: FailureLog;
  /** Where the last session was. */
  #home: Place | undefined;

  constructor(options: TunnelOptions, timings: Timings) {
    this.#options = options;
    this.#timings = timings;
    this.#servers = new ServerChoice({ ...options, timings }, performance.now());
    this.#backoff = new Backoff(timings);
    this.#failures = new FailureLog(options.logger);
  }

  /** Where the next attempt is made. */
  get place(): Place {
    return this.#servers.current;
  }

  /** Undefined until there was one. */
  get home(): Place | undefined {
    return this.#home;
  }

  /**
   * For one attempt. At the start every server gets the time it takes, and so does one that takes over; but the one
   * that is away keeps nobody waiting for longer than its patience.
   */
  limit(): AbortSignal | undefined {
    const patience = this.#servers.patience(performance.now());
    if (this.place !== this.#home || patience === Number.POSITIVE_INFINITY) return undefined;
    return AbortSignal.timeout(Math.max(1, Math.ceil(patience)));
  }

  /** There is a session; the server gave it `port`. */
  succeed(port: number): void {
    this.#home = this.place;
    this.place.ports.settle(port);
    this.#servers.settle();
    this.#failures.clear();
  }

  /** The session is over; `isWanted` where we ended it ourselves. */
  lose(session: Session, reason: string, isWanted: boolean): void {
    const wasGood = isWanted || performance.now() - session.startedAt >= this.#timings.goodSession;
    if (wasGood) this.#backoff.reset();
    this.#servers.lose(session.heardAt, wasGood, performance.now());
    this.#failures.tellLoss(this.place.address, reason, wasGood);
  }

  /** After `lose`: there is a session again. */
  logReconnected(afterMs: number, port: number): void {
    this.#failures.tellReturn(`connected again after ${(afterMs / 1_000).toFixed(1)} s, public port ${port}`);
  }

  /** Milliseconds until the next attempt, which may be at another server by then. */
  nextPause(): number {
    const now = performance.now();
    const pause = this.#backoff.next(now);
    if (this.#servers.patience(now) > pause) return pause;
    const { address } = this.place;
    const isNewRound = this.#servers.advance(now, pause);
    this.#failures.tellTurn(address, this.place.address, isNewRound);
    return isNewRound ? pause : 0;
  }

  /** Throws a TunnelError where trying again cannot help. */
  judge(error: unknown): RetryDecision {
    if (!(error instanceof TunnelFailure)) throw explainBug(error);
    const { address, ports } = this.place;
    const failures = this.#failures.count(address);
    if (error.kind === 'port-taken' || error.kind === 'port-refused') return this.#judgePort(error);
    if (isPermanent(error, this.#home !== undefined, failures)) return this.#dismiss(error);
    ports.forgetTaken();
    const reason = this.#failures.note(address, error, this.#home === undefined);
    return {
      pauseMs: ports.isBeingFreed(performance.now()) ? this.#timings.portRetry : this.nextPause(),
      reason,
    };
  }

  /** Why it was all in vain, where time was over. */
  explainEnd(): TunnelError {
    return this.#failures.sum() ?? explainTimeout(this.place.address);
  }

  #judgePort(failure: TunnelFailure): RetryDecision {
    const now = performance.now();
    const { address, ports } = this.place;
    if (this.#home === undefined) this.#servers.hear(now);
    const { port } = ports;
    const isTakeover = this.#home !== undefined && this.#home !== this.place;
    const verdict = ports.judge(failure, now, isTakeover);
    if (verdict === 'never') return this.#dismiss(ports.explainEnd(failure));
    const reason = this.#failures.note(address, ports.explain(failure));
    // Our own port is taken for a moment after every link that fell silent: that is not worth a line.
    if (failure.kind === 'port-taken' && (this.#home === undefined || port !== ports.port))
      this.#failures.tellTaken(address, port, ports.port);
    if (this.#options.remotePort.kind === 'auto' && ports.port === 0)
      this.#options.logger.warn(explainAnyPort(address, ports.asked));
    if (verdict === 'next') return { pauseMs: 0, reason };
    return { pauseMs: ports.isBeingFreed(now) ? this.#timings.portRetry : this.nextPause(), reason };
  }

  /** This server will not do: on to the next one, unless there is none, or the workflow has to change. */
  #dismiss(failure: TunnelFailure): RetryDecision {
    const reason = this.#failures.note(this.place.address, failure);
    if (this.#home === undefined && isMisconfiguration(failure)) throw failure;
    if (!this.#servers.dismiss(performance.now())) throw this.explainEnd();
    this.#options.logger.warn(`${reason}; going on with ${renderAddress(this.place.address)}`);
    return { pauseMs: 0, reason };
  }
}

function explainBug(error: unknown): TunnelError {
  return new TunnelError(`this is a bug: ${describeError(error)}`, { cause: error, retryable: false });
}
