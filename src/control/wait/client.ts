// Waits for requests through the control API. Used by the `wait` action and by `expose wait`.

import * as v from 'valibot';
import { renderCount } from '../../shared/count.ts';
import { formatDuration, parseDuration } from '../../shared/duration.ts';
import { type ControlAddress, ControlError, isConnectionLost, openEvents } from '../client.ts';
import {
  DEFAULT_TIMEOUT,
  WaitEventSchema,
  type WaitFailure,
  type WaitProgress,
  type WaitResult,
} from './messages.ts';

/** What to wait for, as people write it; undefined: the default. The API checks it. */
export interface WaitOrder {
  path?: string | undefined;
  method?: string | undefined;
  count?: string | undefined;
  timeout?: string | undefined;
  since?: string | undefined;
  /** Conditions, all of which must hold. */
  match: readonly string[];
}

/** The time is up, or the wait could not go on. The message says what came instead, on several lines. */
export class WaitError extends ControlError {
  readonly failure: WaitFailure;

  constructor(failure: WaitFailure) {
    super(failure.status, failure.error);
    this.name = 'WaitError';
    this.failure = failure;
  }

  get isTimeout(): boolean {
    return this.status === 408;
  }
}

/** The API answers in time, unless it hangs. */
const GRACE_MS = 30_000;

/**
 * Resolves with the requests that matched. Rejects with a WaitError; with an InputError or a ControlError if the order is
 * wrong; and with another Error if the preview's process dies.
 */
export async function awaitRequests(
  address: ControlAddress,
  order: WaitOrder,
  onProgress: (progress: WaitProgress) => void,
): Promise<WaitResult> {
  const timeoutMs = parseDuration(order.timeout ?? DEFAULT_TIMEOUT, 'timeout');
  const signal = AbortSignal.timeout(timeoutMs + GRACE_MS);
  try {
    for await (const { type, data } of openEvents(
      address,
      `GET /api/requests/wait?${renderQuery(order)}`,
      signal,
    )) {
      const event = v.parse(WaitEventSchema, { type, data: JSON.parse(data) });
      if (event.type === 'result') return event.data;
      if (event.type === 'error') throw new WaitError(event.data);
      onProgress(event.data);
    }
  } catch (error) {
    if (!isConnectionLost(error)) throw error;
  }
  throw new Error('the preview ended during the wait');
}

function renderQuery({ match, ...single }: WaitOrder): string {
  const query = new URLSearchParams();
  for (const condition of match) query.append('match', condition);
  for (const [name, value] of Object.entries(single)) if (value !== undefined) query.set(name, value);
  return query.toString();
}

/** `waiting for POST /hooks/** … 12s: 1 of 2 came, 1 refused, 3 did not match`. */
export function renderProgress(
  { path, method }: WaitOrder,
  { matched, count, refused, other }: WaitProgress,
  elapsedMs: number,
): string {
  const what = [method, path ?? 'a captured request'].filter(text => text !== undefined).join(' ');
  const parts = [
    `${matched} of ${count} came`,
    ...(refused > 0 ? [`${refused} refused`] : []),
    ...(other > 0 ? [`${renderCount(other, 'other')}`] : []),
  ];
  return `waiting for ${what} … ${formatDuration(elapsedMs)}: ${parts.join(', ')}`;
}
