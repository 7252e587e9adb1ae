// Decides which requests are kept while the app is away, reads them, and answers them. Used by passes.ts.

import { sendTooLarge } from '../body-limit.ts';
import { sendText } from '../own-pages.ts';
import { readTarget, type Visit } from '../visit.ts';
import { readWhole } from '../whole-body.ts';
import type { DeliveryQueue, Reservation } from './queue.ts';
import { findHandshake } from './verify/handshakes.ts';
import { readRequest } from './verify/whole-request.ts';

/** The methods of webhooks. Everything else asks for something that only the app can answer. */
const KEPT_METHODS: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** A full queue stays full until the app is back, which takes seconds or minutes. */
const FULL_RETRY_S = 30;

/**
 * Whether a request of this kind may be kept: it is on a captured path, and its sender can do without the app's answer.
 * A page of a browser cannot: browsers send `Origin` with these methods.
 */
export function mayKeep({ request, recording, upgrade }: Visit): boolean {
  return (
    recording !== undefined &&
    upgrade === undefined &&
    KEPT_METHODS.has(request.method ?? '') &&
    request.headers.origin === undefined
  );
}

/**
 * Keeps the request, and answers 202; 503 if the queue is full. Resolves with false if the request must be answered by
 * the app, or by the next pass: its body shows that it is a handshake, or `isStillNeeded` says no once that has come.
 */
export async function keepForLater(
  visit: Visit,
  queue: DeliveryQueue,
  maxBodyBytes: number,
  isStillNeeded: () => boolean,
): Promise<boolean> {
  const reservation = queue.reserve(measureHead(visit));
  if (reservation === undefined) return sendFull(visit);
  const length = Number(visit.request.headers['content-length'] ?? 0);
  if (queue.hasRoom(length)) return await keepBody(visit, reservation, { maxBodyBytes, isStillNeeded });
  reservation.release();
  return sendFull(visit);
}

async function keepBody(
  visit: Visit,
  reservation: Reservation,
  { maxBodyBytes, isStillNeeded }: { maxBodyBytes: number; isStillNeeded: () => boolean },
): Promise<boolean> {
  let isTooLarge = false;
  const body = await readWhole(visit, (bytes, total) => {
    isTooLarge = total > maxBodyBytes;
    return !isTooLarge && reservation.grow(bytes);
  });
  const read = readRequest(visit);
  if (!Buffer.isBuffer(body) || findHandshake(read) !== undefined || !isStillNeeded()) {
    reservation.release();
    if (body === 'too long') return isTooLarge ? refuseTooLarge(visit, maxBodyBytes) : sendFull(visit);
    return body === 'sender left';
  }
  const { recording, address, isPublicOnly = false } = visit;
  recording?.complete();
  reservation.keep({
    request: { ...read, rawHeaders: [...read.rawHeaders] },
    address,
    isPublicOnly,
    recording,
  });
  sendText(visit, 202, 'The app is away. This request is kept, and sent to the app when it is back.\n');
  return true;
}

function measureHead({ request }: Visit): number {
  return request.rawHeaders.reduce((bytes, part) => bytes + part.length, readTarget(request).length);
}

function refuseTooLarge(visit: Visit, maxBodyBytes: number): true {
  visit.recording?.refuse('its body is longer than `max-body`');
  sendTooLarge(visit, maxBodyBytes);
  return true;
}

function sendFull(visit: Visit): true {
  visit.recording?.refuse('the app was away, and no more requests could be kept for it');
  sendText(
    visit,
    503,
    'The app is away, and no more requests can be kept for it. Send this one again later.\n',
    {
      'retry-after': String(FULL_RETRY_S),
    },
  );
  return true;
}
