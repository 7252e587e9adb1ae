// What went wrong since the tunnel was last connected, server by server: what is logged of it, at which level, and what
// the user is told in the end. Used by retry-policy.ts.

import { describeError, TunnelError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { renderAddress, type ServerAddress } from '../address.ts';
import { hintAtFirewall, type TunnelFailure } from '../failure.ts';
import { ATTEMPTS_BEFORE_HINT } from '../timings.ts';

/** So many sessions in a row that ended at once are worth a warning. */
const SHORT_SESSIONS_BEFORE_WARNING = 3;

export class FailureLog {
  readonly #logger: Logger;
  readonly #counts = new Map<string, number>();
  /** The last failure of each server, in the user's words. */
  readonly #last = new Map<string, TunnelError>();
  #shortSessions = 0;
  #hasGoneRound = false;
  /** Lines about ports in use that were logged. */
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

  /** Keeps and logs a failure, and returns it as text; `isStart` before the first session, while the user waits. */
  record(server: ServerAddress, failure: TunnelFailure, isStart = false): string {
    const name = renderAddress(server);
    const count = this.#counts.get(name) ?? 1;
    const isPuzzling = failure.kind === 'transient' && count >= ATTEMPTS_BEFORE_HINT;
    const reason = `${describeError(failure)}${isPuzzling ? `; ${hintAtFirewall(server)}` : ''}`;
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

  /** `port` is in use, and `next` is asked for: the same port again while an older job may be ending. */
  logTaken({ host }: ServerAddress, port: number, next: number): void {
    const text =
      next === port
        ? `port ${port} of ${host} is in use, by an older job perhaps: waiting for it to be free`
        : `port ${port} of ${host} stays in use: asking for ${next === 0 ? 'any other' : next}`;
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

  /** A session is over. A server that drops one session after the other does not fill the log. */
  logLoss(server: ServerAddress, reason: string, wasGood: boolean): void {
    this.#shortSessions = wasGood ? 0 : this.#shortSessions + 1;
    const text = `reconnecting to ${renderAddress(server)}: ${reason}`;
    if (this.#shortSessions <= 1) this.#logger.info(text);
    else this.#logger.debug(text);
    if (this.#shortSessions === SHORT_SESSIONS_BEFORE_WARNING)
      this.#logger.warn(
        `${renderAddress(server)} opens the tunnel and drops it at once, again and again: ${reason}`,
      );
  }

  /** The tunnel is connected again. */
  logReturn(text: string): void {
    if (this.#shortSessions <= 1) this.#logger.info(text);
    else this.#logger.debug(text);
  }

  /** `from` was tried long enough, and `to` is next. From the second round on nothing is new: for debugging only. */
  logNextServer(from: ServerAddress, to: ServerAddress, isNewRound: boolean): void {
    this.#hasGoneRound ||= isNewRound;
    const text = `${renderAddress(from)} stays away: trying ${renderAddress(to)}`;
    if (this.#hasGoneRound) this.#logger.debug(text);
    else this.#logger.info(text);
  }
}
