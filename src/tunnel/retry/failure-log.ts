// What went wrong since the tunnel was connected last, server by server: what people are told of it, and how loudly.
// Used by attempts.ts.

import { describeError, TunnelError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { renderAddress, type ServerAddress } from '../address.ts';
import { hintAtFirewall, type TunnelFailure } from '../failure.ts';
import { ATTEMPTS_BEFORE_HINT } from '../timings.ts';

/** Sessions that ended as soon as they stood, in a row, before it is worth a warning. */
const SHORT_SESSIONS_BEFORE_WARNING = 3;

export class FailureLog {
  readonly #logger: Logger;
  readonly #counts = new Map<string, number>();
  /** The last failure of each server, as people are told of it. */
  readonly #last = new Map<string, TunnelError>();
  #shortSessions = 0;
  #wentRound = false;
  /** About a port that is taken. */
  readonly #told = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** How often `server` has failed, this time included. */
  count(server: ServerAddress): number {
    const name = renderAddress(server);
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    return count;
  }

  /** Keeps a failure and returns what to tell; `isStart` while nobody has served yet and people wait. */
  note(server: ServerAddress, failure: TunnelFailure, isStart = false): string {
    const name = renderAddress(server);
    const count = this.#counts.get(name) ?? 1;
    const isPuzzling = failure.kind === 'transient' && count >= ATTEMPTS_BEFORE_HINT;
    const reason = `${describeError(failure)}${isPuzzling ? `; ${hintAtFirewall(server)}` : ''}`;
    this.#last.set(name, new TunnelError(reason, { cause: failure, retryable: failure.retryable }));
    if (isStart && count === ATTEMPTS_BEFORE_HINT) this.#logger.warn(reason);
    else this.#logger.debug(`attempt ${count} failed: ${reason}`);
    return reason;
  }

  /** All of it in one error; undefined where nothing has failed. */
  sum(): TunnelError | undefined {
    const [first, ...others] = this.#last.values();
    if (first === undefined || others.length === 0) return first;
    const message = [first, ...others].map(one => one.message).join('; ');
    return new TunnelError(message, { retryable: [first, ...others].some(one => one.retryable) });
  }

  /** `port` is in use, and `next` is asked for: where it is the same, for as long as an older job may be ending. */
  tellTaken({ host }: ServerAddress, port: number, next: number): void {
    const text =
      next === port
        ? `port ${port} of ${host} is in use, by an older job perhaps: waiting for it to be free`
        : `port ${port} of ${host} stays in use: asking for ${next === 0 ? 'any other' : next}`;
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.#logger.info(text);
  }

  /** The tunnel is connected. */
  clear(): void {
    this.#told.clear();
    this.#counts.clear();
    this.#last.clear();
    this.#wentRound = false;
  }

  /** A session is over. A server that drops one after the other fills no log. */
  tellLoss(server: ServerAddress, reason: string, wasGood: boolean): void {
    this.#shortSessions = wasGood ? 0 : this.#shortSessions + 1;
    const text = `reconnecting to ${renderAddress(server)}: ${reason}`;
    if (this.#shortSessions <= 1) this.#logger.info(text);
    else this.#logger.debug(text);
    if (this.#shortSessions === SHORT_SESSIONS_BEFORE_WARNING)
      this.#logger.warn(
        `${renderAddress(server)} opens the tunnel and drops it at once, again and again: ${reason}`,
      );
  }

  tellReturn(text: string): void {
    if (this.#shortSessions <= 1) this.#logger.info(text);
    else this.#logger.debug(text);
  }

  /** `from` was tried long enough, and `to` is next. Said once: from the second round on it is the same again. */
  tellTurn(from: ServerAddress, to: ServerAddress, isNewRound: boolean): void {
    this.#wentRound ||= isNewRound;
    const text = `${renderAddress(from)} stays away: trying ${renderAddress(to)}`;
    if (this.#wentRound) this.#logger.debug(text);
    else this.#logger.info(text);
  }
}
