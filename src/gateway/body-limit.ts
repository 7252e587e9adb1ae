// The answer to a body that is longer than `max-body`. Used by passes.ts, which checks `Content-Length`, and by
// upload.ts, which counts the bytes of chunked bodies.

import { sendNotice } from './pages/answer.ts';
import { describeTooLarge } from './pages/notice.ts';
import type { Visit } from './visit.ts';

/** A body turned out to be longer than allowed while it was being forwarded to the app. */
export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';

  constructor(maxBytes: number) {
    super(`its body is longer than the ${maxBytes} bytes of max-body`);
  }
}

export function sendTooLarge(visit: Visit, maxBytes: number): void {
  sendNotice(visit, describeTooLarge(maxBytes), { connection: 'close' });
}
