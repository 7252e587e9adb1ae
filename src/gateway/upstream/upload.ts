// The body of a request on its way to the app. Used by proxy.ts.

import { BodyTooLarge } from '../body-limit.ts';
import { createRequestFinder, HiddenRequest } from '../hidden-request.ts';
import type { Visit } from '../visit.ts';
import { describeRefusedBody } from '../webhooks/record/refusals.ts';
import type { AppAddress } from './app-link.ts';
import type { BodySink, BodySource } from './client/message.ts';

interface UploadRules {
  address: AppAddress;
  /** Longest request body. */
  maxBodyBytes: number;
}

/**
 * Reads the request's body only as fast as the app does. If the app answers before the upload has ended, the rest is read
 * and dropped, because the visitor may not read the answer before it has sent everything. If the visitor leaves, the
 * app's request ends (see answer-relay.ts).
 *
 * A visitor who sent `Expect: 100-continue` gets its 100 once the app is connected. If the app cannot be reached, the
 * visitor gets an answer without sending the body. The 100 does not come from the app, because the head is sent with the
 * first chunk of the body.
 *
 * If the body is longer than `maxBodyBytes`, the app's request fails with BodyTooLarge. It fails with HiddenRequest if
 * the app could run a part of the body as a request that the visitor may not make; the chunk that would complete it does
 * not reach the app. If an answer has begun, that is cut off.
 */
export function openUpload(visit: Visit, rules: UploadRules): BodySource {
  return new Upload(visit, rules);
}

class Upload implements BodySource {
  readonly #visit: Visit;
  readonly #maxBodyBytes: number;
  readonly #hidesRequest: (chunk: Buffer) => boolean;
  #left: number;
  /** Undefined before the app takes the body, and when it takes no more. */
  #sink: BodySink | undefined;
  /** An empty body may end before the app is connected, although the request is paused. */
  #hasEnded = false;

  constructor(visit: Visit, { address, maxBodyBytes }: UploadRules) {
    this.#visit = visit;
    this.#maxBodyBytes = maxBodyBytes;
    this.#left = maxBodyBytes;
    this.#hidesRequest = address.leavesBodies && visit.isPublicOnly ? createRequestFinder() : () => false;
    const { request, response, recording } = visit;
    request.on('data', this.#onData).once('end', this.#onEnd).pause();
    visit.releaseBody = () => void request.off('data', this.#onData).off('end', this.#onEnd);
    // After the answer, the servers of downstream/ count the bytes.
    response.once('prefinish', () => {
      request.off('data', this.#onData);
      if (recording !== undefined) request.on('data', chunk => recording.take(chunk));
    });
  }

  start(sink: BodySink): void {
    const { request, response, awaitsContinue } = this.#visit;
    this.#sink = sink;
    if (awaitsContinue) response.writeContinue();
    if (this.#hasEnded) sink.end();
    else request.resume();
  }

  resume(): void {
    this.#visit.request.resume();
  }

  stop(): void {
    this.#sink = undefined;
    this.#visit.request.resume();
  }

  readonly #onData = (chunk: Buffer) => {
    this.#visit.recording?.take(chunk);
    this.#left -= chunk.length;
    if (this.#left < 0) this.#refuse(new BodyTooLarge(this.#maxBodyBytes));
    else if (this.#sink === undefined) return;
    else if (this.#hidesRequest(chunk)) this.#refuse(new HiddenRequest());
    else if (!this.#sink.write(chunk)) this.#visit.request.pause();
  };

  readonly #onEnd = () => {
    this.#hasEnded = true;
    this.#visit.recording?.complete();
    this.#sink?.end();
  };

  #refuse(reason: Error): void {
    const { request, response, recording } = this.#visit;
    request.off('data', this.#onData);
    recording?.refuse(describeRefusedBody(reason));
    if (this.#sink === undefined) response.destroy();
    else this.#sink.fail(reason);
  }
}
