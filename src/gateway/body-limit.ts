// The longest body a visitor may send (`max-body`). A pass of gateway.ts refuses what says beforehand that it is longer;
// upload.ts counts the rest.

import { sendNotice } from './pages/answer.ts';
import { describeTooLarge } from './pages/notice.ts';
import type { Visit } from './visit.ts';

/** A body turned out to be longer than allowed while it was on its way to the app. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';

  constructor(maxBytes: number) {
    super(`the body is longer than the ${maxBytes} bytes of max-body`);
  }
}

/** True where the visit ends here, before the app hears of it, and before the visitor is told to go on (100-continue). */
export function refuseLargeBody(visit: Visit, maxBytes: number): boolean {
  // Node's parser lets nothing but digits pass.
  if (Number(visit.request.headers['content-length'] ?? 0) <= maxBytes) return false;
  sendTooLarge(visit, maxBytes);
  return true;
}

export function sendTooLarge(visit: Visit, maxBytes: number): void {
  sendNotice(visit, describeTooLarge(maxBytes), { connection: 'close' });
}
