// How long GitHub wants no further request, and the wait for it. Used by api.ts.

import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import type { Logger } from '../shared/log.ts';
import { GitHubError } from './github-error.ts';
import { Answered, quoteRefusal } from './refusal.ts';

/** The longest pause that we accept; secondary rate limits ask for a minute. Requests during a longer one fail at once. */
const LONGEST_PAUSE_MS = 60_000;

/** How many more times a request is tried after it met the rate limit. */
const MAX_RATE_LIMIT_RETRIES = 2;

/** GitHub's documentation: without a time, wait for at least one minute. */
const UNTOLD_PAUSE_MS = 60_000;

/** GitHub's longest limit is an hour. A timer of more than 24.8 days would fire at once. */
const LONGEST_ASKED_MS = 24 * 3_600_000;

interface Refusal {
  status: number;
  headers: Readonly<Record<string, unknown>>;
  /** GitHub's own words. */
  said: string;
}

/**
 * Milliseconds, a day at most; undefined if the answer is not about a limit. GitHub names the time in `Retry-After` or, if the hour's
 * requests are used up, in `x-ratelimit-reset` ("Rate limits for the REST API"). Enterprise servers call a secondary
 * limit "abuse detection".
 */
export function readPauseMs(refusal: Refusal, now = Date.now()): number | undefined {
  const askedMs = readAskedMs(refusal, now);
  return askedMs === undefined ? undefined : Math.min(askedMs, LONGEST_ASKED_MS);
}

function readAskedMs({ status, headers, said }: Refusal, now: number): number | undefined {
  if (status < 400) return undefined;
  const asked = readRetryAfter(headers['retry-after'], now);
  if (asked !== undefined) return asked;
  if (status !== 403 && status !== 429) return undefined;
  const reset = Number(headers['x-ratelimit-reset'] ?? Number.NaN) * 1000;
  // A second later, because the time has no fractions.
  if (headers['x-ratelimit-remaining'] === '0' && !Number.isNaN(reset))
    return Math.max(0, reset - now) + 1_000;
  return status === 429 || /rate limit|abuse detection/i.test(said) ? UNTOLD_PAUSE_MS : undefined;
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function readRetryAfter(value: unknown, now: number): number | undefined {
  if (typeof value !== 'string') return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Sends nothing while GitHub wants no request, whichever request it said it to. */
export class Pauses {
  readonly #logger: Logger;
  /** Milliseconds since 1970. */
  #until = 0;
  /** What GitHub said when it asked for the pause. */
  #said = '';

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Tries again after pauses that are not too long. */
  async send<T>(request: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    for (let triesLeft = MAX_RATE_LIMIT_RETRIES; ; triesLeft -= 1) {
      await this.#wait(signal);
      try {
        return await request();
      } catch (error) {
        const pauseMs = this.#note(error);
        const isWanted = triesLeft > 0 && pauseMs !== undefined && pauseMs <= LONGEST_PAUSE_MS;
        if (pauseMs !== undefined) this.#report(pauseMs, isWanted);
        if (!isWanted) throw error;
      }
    }
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    for (let waitMs = this.#until - Date.now(); waitMs > 0; waitMs = this.#until - Date.now()) {
      if (waitMs > LONGEST_PAUSE_MS) throw this.#refuse(waitMs);
      await sleep(waitMs, undefined, signal ? { signal } : {});
    }
  }

  /** How long GitHub wants no request; undefined if it did not say so. */
  #note(error: unknown): number | undefined {
    if (!v.is(Answered, error)) return undefined;
    const { headers = {} } = error.response;
    const said = quoteRefusal(error.response.data);
    const pauseMs = readPauseMs({ status: error.status, headers, said });
    if (pauseMs === undefined) return undefined;
    this.#until = Math.max(this.#until, Date.now() + pauseMs);
    this.#said = said;
    return pauseMs;
  }

  #report(pauseMs: number, isTriedAgain: boolean): void {
    const next = isTriedAgain ? `trying again in ${Math.ceil(pauseMs / 1000)} s` : 'giving up';
    this.#logger.info(`GitHub's rate limit is reached; ${next}`);
  }

  #refuse(waitMs: number): GitHubError {
    const until = `${new Date(this.#until).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
    const message = `GitHub wants no request before ${until}: ${this.#said}`;
    return new GitHubError(message, { retryable: true, retryAfterMs: waitMs });
  }
}
