// The failures of each server since the tunnel was last connected: decides what is logged, at which level, and which
// failures the final error contains. Used by retry-policy.ts.

import { describeError, TunnelError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { renderAddress, type ServerAddress } from '../address.ts';
import { hintAtDoctor, hintAtFirewall, type TunnelFailure } from '../failure.ts';
import { ATTEMPTS_BEFORE_HINT } from '../timings.ts';

/** The number of sessions in a row that ended at once after which a warning is logged. */
const SHORT_SESSIONS_BEFORE_WARNING = 3;

export class FailureLog {
  readonly #logger: Logger;
  readonly #counts = new Map<string, number>();
  /** The last failure of each server, worded for the user. */
  readonly #last = new Map<string, TunnelError>();
  #shortSessions = 0;
  #hasGoneRound = false;
  /** Lines about ports in use that were logged already: each is logged once. */
  readonly #logged = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Counts a failure of `server` and returns how many there are. */
  count(server: ServerAddress): number {
    const name = renderAddress(server);
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    return count;
  }

  /** Stores and logs a failure, and returns its text; `isStart`: there was no session yet, and the user waits. */
  record(server: ServerAddress, failure: TunnelFailure, isStart = false): string {
    const name = renderAddress(server);
    const count = this.#counts.get(name) ?? 1;
    const isPuzzling = failure.kind === 'transient' && count >= ATTEMPTS_BEFORE_HINT;
    const reason = `${describeError(failure)}${isPuzzling ? `; ${hintAtFirewall(server)} ${hintAtDoctor(server)}` : ''}`;
    this.#last.set(name, new TunnelError(reason, { cause: failure, retryable: failure.retryable }));
    if (isStart && count === ATTEMPTS_BEFORE_HINT) this.#logger.warn(reason);
    else this.#logger.debug(`attempt ${count} failed: ${reason}`);
    return reason;
  }

  /** The last failures of all servers in one error; undefined if nothing has failed. */
  summarise(): TunnelError | undefined {
    const [first, ...others] = this.#last.values();
    if (first === undefined || others.length === 0) return first;
    const message = [first, ...others].map(one => one.message).join('; ');
    return new TunnelError(message, { retryable: [first, ...others].some(one => one.retryable) });
  }

  /** `port` is in use. The next request is for `next`: the same port again while an older job may be ending. */
  logTaken({ host }: ServerAddress, port: number, next: number): void {
    const text =
      next === port
        ? `port ${port} of ${host} is in use, perhaps by an older job: waiting for it to be free`
        : `port ${port} of ${host} is still in use: asking for ${next === 0 ? 'any other' : next}`;
    if (this.#logged.has(text)) return;
    this.#logged.add(text);
    this.#logger.info(text);
  }

  /** The tunnel is connected: all failures are forgotten. */
  clear(): void {
    this.#logged.clear();
    this.#counts.clear();
    this.#last.clear();
    this.#hasGoneRound = false;
  }

  /** A session is over. If a server drops one session after the other, only the first losses are logged above debug. */
  logLoss(server: ServerAddress, reason: string, wasGood: boolean): void {
    this.#shortSessions = wasGood ? 0 : this.#shortSessions + 1;
    const text = `reconnecting to ${renderAddress(server)}: ${reason}`;
    if (this.#shortSessions <= 1) this.#logger.info(text);
    else this.#logger.debug(text);
    if (this.#shortSessions === SHORT_SESSIONS_BEFORE_WARNING)
      this.#logger.warn(
        `${renderAddress(server)} repeatedly opens the tunnel and drops it at once: ${reason}`,
      );
  }

  /** The tunnel is connected again. */
  logReturn(text: string): void {
    if (this.#shortSessions <= 1) this.#logger.info(text);
    else this.#logger.debug(text);
  }

  /** `from` was tried long enough, and `to` is next. The second and later rounds repeat the first: logged at debug. */
  logNextServer(from: ServerAddress, to: ServerAddress, isNewRound: boolean): void {
    this.#hasGoneRound ||= isNewRound;
    const text = `${renderAddress(from)} is not available: trying ${renderAddress(to)}`;
    if (this.#hasGoneRound) this.#logger.debug(text);
    else this.#logger.info(text);
  }
}
