// Decides which requests are kept while the app is away, reads them, and answers them. Used by passes.ts and upstream/pass.ts.

import { BodyTooLarge, sendTooLarge } from '../../body-limit.ts';
import { sendText } from '../../own-pages.ts';
import { measureHead, type Visit } from '../../visit.ts';
import { readWhole } from '../../whole-body.ts';
import { findHandshake } from '../handshakes.ts';
import { describeRefusedBody } from '../record/refusals.ts';
import { readRequest } from '../whole-request.ts';
import type { Reservation } from './limits.ts';
import type { DeliveryQueue } from './queue.ts';

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

interface KeepOptions {
  queue: DeliveryQueue;
  maxBodyBytes: number;
  /** Asked when the body has come: the app may be back by then. */
  isStillNeeded: () => boolean;
}

/**
 * Keeps the request, and answers 202; 503 if the queue is full. Resolves with false if the app or the next pass must
 * answer: its body shows that it is a handshake, or it is no longer needed to keep it.
 */
export async function keepForLater(visit: Visit, options: KeepOptions): Promise<boolean> {
  const { room } = options.queue;
  const reservation = room.reserve(measureHead(visit.request));
  if (reservation === undefined) return sendFull(visit);
  // Before a 100 (Continue).
  if (room.has(Number(visit.request.headers['content-length'] ?? 0)))
    return await keepBody(visit, reservation, options);
  reservation.release();
  return sendFull(visit);
}

async function keepBody(
  visit: Visit,
  reservation: Reservation,
  { queue, maxBodyBytes, isStillNeeded }: KeepOptions,
): Promise<boolean> {
  let isTooLarge = false;
  const body = await readWhole(visit, (bytes, total) => {
    isTooLarge = total > maxBodyBytes;
    return !isTooLarge && reservation.grow(bytes);
  });
  const request = readRequest(visit);
  if (!Buffer.isBuffer(body) || findHandshake(request) !== undefined || !isStillNeeded()) {
    reservation.release();
    if (body === 'too long') return isTooLarge ? refuseTooLarge(visit, maxBodyBytes) : sendFull(visit);
    return body === 'sender left';
  }
  const { recording, address, isPublicOnly = false } = visit;
  recording?.complete();
  const rawHeaders = [...request.rawHeaders];
  queue.add({ request: { ...request, rawHeaders }, address, isPublicOnly, recording }, reservation);
  sendText(visit, 202, 'The app is away. This request is kept, and sent to the app when it is back.\n');
  return true;
}

function refuseTooLarge(visit: Visit, maxBodyBytes: number): true {
  visit.recording?.refuse(describeRefusedBody(new BodyTooLarge(maxBodyBytes)));
  sendTooLarge(visit, maxBodyBytes);
  return true;
}

function sendFull(visit: Visit): true {
  visit.recording?.refuse(
    'the app was not running, and no more requests could be kept for it: the sender must send it again when it is',
  );
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
