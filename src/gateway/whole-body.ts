// Reads the body of a request whole, for the passes that must see all of it before they decide. Used by webhooks/.

import { hasBody, type Visit } from './visit.ts';

/**
 * Resolves with the body, and keeps it in `visit.body`. `mayGrow` gets the length of each piece, and the length so far
 * with it; if it returns false, this resolves with 'too long', and the rest is dropped: the caller answers. Resolves
 * with 'sender left' if the connection, or the HTTP/2 stream, ends before the body. Never rejects.
 *
 * A sender who waits for a 100 (Continue) gets it.
 */
export function readWhole(
  visit: Pick<Visit, 'request' | 'response' | 'body' | 'recording' | 'awaitsContinue'>,
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
  const collected = new GrowingBuffer();
  let total = 0;
  const onData = (chunk: Buffer) => {
    total += chunk.length;
    visit.recording?.take(chunk);
    if (mayGrow(chunk.length, total)) collected.add(chunk);
    else finish('too long');
  };
  const onEnd = () => {
    visit.body = collected.take();
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

const FIRST_BYTES = 4 * 1024;

/** Copies each piece: as a buffer of its own, a piece of one byte costs 200 times as much, and anybody can send those. */
class GrowingBuffer {
  #bytes = Buffer.alloc(0);
  #length = 0;

  add(piece: Buffer): void {
    const needed = this.#length + piece.length;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, needed, 2 * this.#length));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length += piece.copy(this.#bytes, this.#length);
  }

  /** All of it, in a buffer that is no longer: it may be kept. */
  take(): Buffer {
    if (this.#length === this.#bytes.length) return this.#bytes;
    const whole = Buffer.allocUnsafeSlow(this.#length);
    this.#bytes.copy(whole, 0, 0, this.#length);
    return whole;
  }
}
