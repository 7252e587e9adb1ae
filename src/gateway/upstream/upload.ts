// Streams the body of a request to the app. Used by proxy.ts.

import { Readable } from 'node:stream';
import { BodyTooLarge } from '../body-limit.ts';
import type { Visit } from '../visit.ts';

/**
 * A separate stream in front of the request, read only as fast as the app takes it. undici destroys its body when the
 * app answers before the upload has ended; the rest of the upload is then read and dropped, because the visitor may not
 * read the answer before it has sent everything. A visitor who leaves ends the whole request, and this stream with it
 * (see answer-relay.ts).
 *
 * A visitor who sent `Expect: 100-continue` gets its 100 as soon as there is a connection to the app; if there is none, it
 * gets an answer without sending the body. The 100 does not come from the app: undici holds the head back until the first
 * piece of the body.
 *
 * More than `maxBytes` ends the app's request with BodyTooLarge, and the visitor's too if an answer has begun.
 */
export function openUpload({ request, response, awaitsContinue }: Visit, maxBytes: number): Readable {
  let hasContinued = !awaitsContinue;
  let left = maxBytes;
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
    left -= chunk.length;
    if (left < 0) {
      request.off('data', onData);
      if (body.destroyed) response.destroy();
      else body.destroy(new BodyTooLarge(maxBytes));
    } else if (!body.destroyed && !body.push(chunk)) request.pause();
  };
  request.on('data', onData).pause();
  request.once('end', () => body.destroyed || body.push(null));
  // From now on linger.ts counts.
  response.once('prefinish', () => request.off('data', onData));
  return body;
}
