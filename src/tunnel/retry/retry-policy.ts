// Decides after each attempt when and on which server the next one is made, or that it was the last one. Used by
// reconnect.ts, which makes the attempts.
//
// | the attempt ended with                 | then                                                                 |
// |----------------------------------------|----------------------------------------------------------------------|
// | a session                              | `markConnected`: it is the last server now, failures are forgotten    |
// | a port in use or refused               | port-choice.ts: the same port after a pause, another one at once, or |
// |                                        | this server is excluded                                              |
// | a failure that will not go away        | this server is excluded                                              |
// | any other failure of the tunnel        | the same server after a pause, until its grace period is over; then  |
// |                                        | the next server at once, or the best one after a pause               |
// | anything else                          | the end: a bug                                                       |
//
// After a server is excluded, the next one is tried at once; if none is left, the tunnel fails. Before the first
// session it also fails if the workflow has to change (isMisconfiguration).

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
import { type ServerEntry, ServerRotation } from './server-rotation.ts';

/** What follows a failed attempt: milliseconds until the next one, and the reason to show until then. */
export interface RetryDecision {
  pauseMs: number;
  reason: string;
}

export class RetryPolicy {
  readonly #options: TunnelOptions;
  readonly #timings: Timings;
  readonly #servers: ServerRotation;
  readonly #backoff: Backoff;
  readonly #failures: FailureLog;
  #lastServer: ServerEntry | undefined;

  constructor(options: TunnelOptions, timings: Timings) {
    this.#options = options;
    this.#timings = timings;
    this.#servers = new ServerRotation({ ...options, timings }, performance.now());
    this.#backoff = new Backoff(timings);
    this.#failures = new FailureLog(options.logger);
  }

  /** The server of the next attempt. */
  get server(): ServerEntry {
    return this.#servers.current;
  }

  /** The server of the last session; undefined before the first session. */
  get lastServer(): ServerEntry | undefined {
    return this.#lastServer;
  }

  /**
   * The time limit of one attempt: undefined on a first connect or a new server; on a lost server, the rest of its
   * grace period.
   */
  createLimit(): AbortSignal | undefined {
    const graceMs = this.#servers.graceLeft(performance.now());
    if (this.server !== this.#lastServer || graceMs === Number.POSITIVE_INFINITY) return undefined;
    return AbortSignal.timeout(Math.max(1, Math.ceil(graceMs)));
  }

  /** A session has started; the server opened `port`. */
  markConnected(port: number): void {
    this.#lastServer = this.server;
    this.server.ports.confirm(port);
    this.#servers.confirm();
    this.#failures.clear();
  }

  /** The session is over; `isWanted` if we ended it ourselves. */
  markLost(session: Session, reason: string, isWanted: boolean): void {
    const wasGood = isWanted || performance.now() - session.startedAt >= this.#timings.goodSession;
    if (wasGood) this.#backoff.reset();
    this.#servers.markLost(session.lastDataAt, wasGood, performance.now());
    this.#failures.logLoss(this.server.address, reason, wasGood);
  }

  /** Call it when a session has started after `markLost`. */
  logReconnected(afterMs: number, port: number): void {
    this.#failures.logReturn(`connected again after ${(afterMs / 1_000).toFixed(1)} s, public port ${port}`);
  }

  /** Milliseconds until the next attempt, which may go to another server. */
  nextPause(): number {
    const now = performance.now();
    const pause = this.#backoff.next(now);
    if (this.#servers.graceLeft(now) > pause) return pause;
    const { address } = this.server;
    const isNewRound = this.#servers.advance(now, pause);
    this.#failures.logNextServer(address, this.server.address, isNewRound);
    return isNewRound ? pause : 0;
  }

  /** Throws a TunnelError if trying again cannot help. */
  decideRetry(error: unknown): RetryDecision {
    if (!(error instanceof TunnelFailure)) throw explainBug(error);
    const { address, ports } = this.server;
    const count = this.#failures.count(address);
    if (error.kind === 'port-taken' || error.kind === 'port-refused') return this.#decideAboutPort(error);
    if (isPermanent(error, this.#lastServer !== undefined, count)) return this.#excludeServer(error);
    ports.resetGrace();
    const reason = this.#failures.record(address, error, this.#lastServer === undefined);
    return { pauseMs: this.nextPause(), reason };
  }

  /** The error once the time is over: why no attempt succeeded. */
  explainEnd(): TunnelError {
    return this.#failures.summarise() ?? explainTimeout(this.server.address);
  }

  #decideAboutPort(failure: TunnelFailure): RetryDecision {
    const now = performance.now();
    const { ports } = this.server;
    if (this.#lastServer === undefined) this.#servers.markReachable(now);
    const { port } = ports;
    const isTakeover = this.#lastServer !== undefined && this.#lastServer !== this.server;
    const verdict = ports.nextPort(failure, now, isTakeover);
    if (verdict === 'never') return this.#excludeServer(ports.explainEnd(failure));
    const reason = this.#failures.record(this.server.address, ports.explain(failure));
    this.#logPort(failure, port);
    if (verdict === 'next') return { pauseMs: 0, reason };
    return { pauseMs: ports.isBeingFreed(now) ? this.#timings.portRetry : this.nextPause(), reason };
  }

  /** Logs that the server did not give `port`. The next port has been chosen already. */
  #logPort(failure: TunnelFailure, port: number): void {
    const { address, ports } = this.server;
    // After a silent link, the server always holds our own port for a moment: this is not logged.
    if (failure.kind === 'port-taken' && (this.#lastServer === undefined || port !== ports.port))
      this.#failures.logTaken(address, port, ports.port);
    if (this.#options.remotePort.kind === 'auto' && ports.port === 0)
      this.#options.logger.warn(explainAnyPort(address, ports.asked));
  }

  #excludeServer(failure: TunnelFailure): RetryDecision {
    const reason = this.#failures.record(this.server.address, failure);
    if (this.#lastServer === undefined && isMisconfiguration(failure)) throw failure;
    if (!this.#servers.exclude(performance.now())) throw this.explainEnd();
    this.#options.logger.warn(`${reason}; going on with ${renderAddress(this.server.address)}`);
    return { pauseMs: 0, reason };
  }
}

function explainBug(error: unknown): TunnelError {
  return new TunnelError(`this is a bug: ${describeError(error)}`, { cause: error, retryable: false });
}
