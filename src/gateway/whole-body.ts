// Reads the body of a request whole, for the passes that must see all of it before they decide. Used by passes.ts and
// webhooks/.

import { hasBody, type Visit } from './visit.ts';

/**
 * Resolves with the body, and keeps it in `visit.body`. `mayGrow` gets the length of each piece, and the length so far
 * with it; if it returns false, this resolves with 'too long', and the rest is dropped: the caller answers. Resolves
 * with 'sender left' if the connection, or the HTTP/2 stream, ends before the body. Never rejects.
 *
 * A sender who waits for a 100 (Continue) gets it.
 */
export function readWhole(
  visit: Visit,
  mayGrow: (bytes: number, total: number) => boolean,
): Promise<Buffer | 'too long' | 'sender left'> {
  const { request, response } = visit;
  if (visit.body !== undefined) {
    const { length } = visit.body;
    return Promise.resolve(mayGrow(length, length) ? visit.body : 'too long');
  }
  if (!hasBody(request)) {
    visit.body = Buffer.alloc(0);
    return Promise.resolve(visit.body);
  }
  const { promise, resolve } = Promise.withResolvers<Buffer | 'too long' | 'sender left'>();
  const chunks: Buffer[] = [];
  let total = 0;
  const onData = (chunk: Buffer) => {
    total += chunk.length;
    visit.recording?.take(chunk);
    if (mayGrow(chunk.length, total)) chunks.push(chunk);
    else finish('too long');
  };
  const onEnd = () => {
    visit.body = Buffer.concat(chunks);
    finish(visit.body);
  };
  const onClose = () => finish('sender left');
  const finish = (result: Buffer | 'too long' | 'sender left') => {
    request.off('data', onData).off('end', onEnd).off('close', onClose);
    response.off('close', onClose);
    // Without a listener for its data, a stream would stand still.
    request.resume();
    resolve(result);
  };
  if (visit.awaitsContinue) response.writeContinue();
  request.on('data', onData).once('end', onEnd).once('close', onClose);
  response.once('close', onClose);
  // It is paused if a pass had begun to forward it.
  request.resume();
  return promise;
}
