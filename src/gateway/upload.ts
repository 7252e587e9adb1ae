// The body of a request on its way to the app; used by proxy.

import { Readable } from 'node:stream';
import type { Visit } from './visit.ts';

/**
 * A stream of its own in front of the request's, read only as fast as the app takes it. undici destroys the body it
 * was given when the app answers before the upload is over; what is left of the upload is then read and dropped,
 * because the visitor may not look at the answer before it has sent everything. A visitor who leaves ends the whole
 * request, and this stream with it (see answer-relay.ts).
 *
 * A visitor that sent `Expect: 100-continue` is told to go on as soon as there is a connection to the app; where there is
 * none it gets its answer without a byte of the body on the way. The app itself is not asked: undici holds the head back
 * until the first piece of the body.
 */
export function openUpload({ request, response, awaitsContinue }: Visit): Readable {
  let asked = !awaitsContinue;
  const body = new Readable({
    read() {
      if (!asked) response.writeContinue();
      asked = true;
      request.resume();
    },
    destroy(error, done) {
      request.off('data', onData);
      request.resume();
      done(error);
    },
  });
  const onData = (chunk: Buffer) => {
    if (!body.push(chunk)) request.pause();
  };
  request.on('data', onData).pause();
  request.once('end', () => body.push(null));
  return body;
}
