// The body of a request on its way to the app; used by proxy.

import { Readable } from 'node:stream';
import { BodyTooLarge } from '../body-limit.ts';
import type { Visit } from '../visit.ts';

/**
 * A stream of its own in front of the request's, read only as fast as the app takes it. undici destroys the body it
 * was given when the app answers before the upload is over; what is left of the upload is then read and dropped,
 * because the visitor may not look at the answer before it has sent everything. A visitor who leaves ends the whole
 * request, and this stream with it (see answer-relay.ts).
 *
 * A visitor that sent `Expect: 100-continue` is told to go on as soon as there is a connection to the app; where there is
 * none it gets its answer without a byte of the body on the way. The app itself is not asked: undici holds the head back
 * until the first piece of the body.
 *
 * More than `maxBytes` breaks the app's request off with BodyTooLarge, and the visitor's too where an answer has begun.
 */
export function openUpload({ request, response, awaitsContinue }: Visit, maxBytes: number): Readable {
  let asked = !awaitsContinue;
  let left = maxBytes;
  const body = new Readable({
    read() {
      if (!asked) response.writeContinue();
      asked = true;
      request.resume();
    },
    destroy(error, done) {
      request.resume();
      done(error);
    },
  });
  const onData = (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) {
      request.off('data', onData);
      if (body.destroyed) response.destroy();
      else body.destroy(new BodyTooLarge(maxBytes));
    } else if (!body.destroyed && !body.push(chunk)) request.pause();
  };
  request.on('data', onData).pause();
  request.once('end', () => body.destroyed || body.push(null));
  // From here on linger.ts counts.
  response.once('prefinish', () => request.off('data', onData));
  return body;
}
