// Streams the body of a request to the app. Used by proxy.ts.

import { Readable } from 'node:stream';
import { BodyTooLarge } from '../body-limit.ts';
import { createRequestFinder, HiddenRequest } from '../hidden-request.ts';
import type { Visit } from '../visit.ts';
import { describeRefusedBody } from '../webhooks/record/refusals.ts';
import type { AppAddress } from './app-link.ts';

interface UploadRules {
  address: AppAddress;
  /** Longest request body. */
  maxBodyBytes: number;
}

/**
 * Returns a stream that reads the request's body only as fast as the app does. It is separate from the request because
 * undici destroys its body when the app answers before the upload has ended. Then the rest of the upload is read and
 * dropped, because the visitor may not read the answer before it has sent everything. If the visitor leaves, the app's
 * request ends, and this stream with it (see answer-relay.ts).
 *
 * A visitor who sent `Expect: 100-continue` gets its 100 once the app is connected. If the app cannot be reached, the
 * visitor gets an answer without sending the body. The 100 does not come from the app, because undici does not send the
 * head before the first chunk of the body.
 *
 * If the body is longer than `maxBodyBytes`, the app's request fails with BodyTooLarge. It fails with HiddenRequest if
 * the app could run a part of the body as a request that the visitor may not make; the chunk that would complete it does
 * not reach the app. If an answer has begun, that is cut off.
 */
export function openUpload(visit: Visit, { address, maxBodyBytes }: UploadRules): Readable {
  const { request, response, awaitsContinue } = visit;
  const hidesRequest = address.leavesBodies && visit.isPublicOnly ? createRequestFinder() : () => false;
  let hasContinued = !awaitsContinue;
  let left = maxBodyBytes;
  const body = new Readable({
    read() {
      if (!hasContinued) response.writeContinue();
      hasContinued = true;
      request.resume();
    },
    destroy(error, done) {
      request.resume();
      done(error);
    },
  });
  const onData = (chunk: Buffer) => {
    visit.recording?.take(chunk);
    left -= chunk.length;
    if (left < 0) refuse(new BodyTooLarge(maxBodyBytes));
    else if (body.destroyed) return;
    else if (hidesRequest(chunk)) refuse(new HiddenRequest());
    else if (!body.push(chunk)) request.pause();
  };
  const refuse = (reason: Error) => {
    request.off('data', onData);
    visit.recording?.refuse(describeRefusedBody(reason));
    if (body.destroyed) response.destroy();
    else body.destroy(reason);
  };
  request.on('data', onData).pause();
  const onEnd = () => {
    visit.recording?.complete();
    if (!body.destroyed) body.push(null);
  };
  request.once('end', onEnd);
  visit.releaseBody = () => void request.off('data', onData).off('end', onEnd);
  // After the answer, the servers of downstream/ count the bytes.
  response.once('prefinish', () => {
    request.off('data', onData);
    if (visit.recording !== undefined) request.on('data', chunk => visit.recording?.take(chunk));
  });
  return body;
}
