// Carries one answer of the app to one visitor, as undici hands it over; used by proxy and upgrade.

import { STATUS_CODES } from 'node:http';
import type { Dispatcher } from 'undici';
import type { HttpResponse } from '../../shared/http-message.ts';
import { countFields, decodeFields, type RawHeaders } from '../raw-headers.ts';
import type { Visit } from '../visit.ts';
import { renderResponseHeaders, renderTrailers } from './headers.ts';
import { waitingHeads } from './waiting-heads.ts';

/** Up to this size a chunk goes out as text: Node then puts the head in front of it, and writes once. */
const TEXT_BYTES = 4_096;

export class AnswerRelay implements Dispatcher.DispatchHandler {
  readonly response: HttpResponse;
  readonly onNoAnswer: (error: Error) => void;
  /** Whether anything of an answer has come, be it half a head. */
  hasBegun = false;
  readonly #isHttp11: boolean;
  readonly #hasBody: boolean;
  readonly #ownHeaders: Visit['ownHeaders'];
  #bodyHasBegun = false;
  #controller: Dispatcher.DispatchController | undefined;

  /** `onNoAnswer` is called at most once: the app's answer did not begin, and the visitor still waits for one. */
  constructor({ request, response, ownHeaders }: Visit, onNoAnswer: (error: Error) => void) {
    this.response = response;
    this.#ownHeaders = ownHeaders;
    this.#isHttp11 = request.httpVersion === '1.1';
    this.#hasBody = request.method !== 'HEAD';
    this.onNoAnswer = onNoAnswer;
    response.once('close', () => this.#endWithVisitor());
    response.on('drain', () => this.#controller?.resume());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.response.destroyed) this.#endWithVisitor();
  }

  onResponseStarted(): void {
    this.hasBegun = true;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _: unknown, reason = ''): void {
    const raw = decodeFields(controller.rawHeaders);
    if (status < 200) {
      this.#passInterim(status, raw);
      return;
    }
    const isChunked =
      this.#isHttp11 &&
      this.#hasBody &&
      status !== 204 &&
      status !== 304 &&
      countFields(raw, 'content-length') === 0;
    const headers = renderResponseHeaders(raw, status, isChunked);
    for (const [name, value] of this.#ownHeaders) headers.push(name, value);
    if (isOwnReason(status, reason)) this.response.writeHead(status, reason, headers);
    else this.response.writeHead(status, headers);
    waitingHeads.add(this.response);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    waitingHeads.delete(this.response);
    if (!this.#write(chunk)) controller.pause();
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    waitingHeads.delete(this.response);
    const trailers = renderTrailers(decodeFields(controller.rawTrailers));
    if (trailers.length > 0) this.response.addTrailers(trailers);
    this.response.end();
  }

  onResponseError(_: Dispatcher.DispatchController | null, error: Error): void {
    waitingHeads.delete(this.response);
    if (this.response.destroyed) return;
    // Half an answer must not look like a whole one: without the end of its framing the visitor can tell.
    if (this.response.headersSent) this.response.destroy();
    else this.onNoAnswer(error);
  }

  /** Hints (103) and signs of life (102); HTTP/1.0 has none (RFC 9110, 15.2), and none is worth an answer. */
  #passInterim(status: number, raw: RawHeaders): void {
    if (!this.#isHttp11 || this.response.headersSent) return;
    try {
      this.response.writeInformation?.(status, renderResponseHeaders(raw, status, false));
    } catch {
      // What Node would rather not write.
    }
  }

  #write(chunk: Buffer): boolean {
    const isFirst = !this.#bodyHasBegun;
    this.#bodyHasBegun = true;
    if (isFirst && chunk.length <= TEXT_BYTES) return this.response.write(chunk.toString('latin1'), 'latin1');
    return this.response.write(chunk);
  }

  #endWithVisitor(): void {
    waitingHeads.delete(this.response);
    if (!this.response.writableFinished) this.#controller?.abort(new Error('the visitor is gone'));
  }
}

/**
 * Whether the app's reason is worth passing on in place of the usual one. Where a status line comes in pieces, undici
 * has only the last of them: the end of the usual reason is not another.
 */
function isOwnReason(status: number, reason: string): boolean {
  return /^[\t\x20-\x7e]+$/.test(reason) && STATUS_CODES[status]?.endsWith(reason) !== true;
}
