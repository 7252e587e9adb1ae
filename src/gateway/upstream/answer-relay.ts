// Relays one answer of the app to one visitor, piece by piece as undici reads it. Used by proxy.ts and upgrade.ts.

import { STATUS_CODES } from 'node:http';
import type { Dispatcher } from 'undici';
import type { HttpResponse } from '../../shared/http-message.ts';
import { countFields, decodeFields, type RawHeaders } from '../raw-headers.ts';
import type { Visit } from '../visit.ts';
import { renderResponseHeaders, renderTrailers } from './headers.ts';
import { waitingHeads } from './waiting-heads.ts';

/** A first chunk up to this size is written as text, because Node then sends head and chunk in one write. */
const TEXT_BYTES = 4_096;

export class AnswerRelay implements Dispatcher.DispatchHandler {
  readonly response: HttpResponse;
  readonly onNoAnswer: (error: Error) => void;
  /** Whether any byte of an answer has come. */
  hasBegun = false;
  readonly #isHttp11: boolean;
  readonly #hasBody: boolean;
  readonly #ownHeaders: Visit['ownHeaders'];
  #bodyHasBegun = false;
  #controller: Dispatcher.DispatchController | undefined;

  /** `onNoAnswer` is called at most once: if the app's answer has not begun, and the visitor still waits for one. */
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
    // An incomplete answer must not look complete: without the end of its framing, the visitor notices that it is not.
    if (this.response.headersSent) this.response.destroy();
    else this.onNoAnswer(error);
  }

  /** Passes on 102 and 103. HTTP/1.0 has no interim responses (RFC 9110, 15.2). Failures are ignored. */
  #passInterim(status: number, raw: RawHeaders): void {
    if (!this.#isHttp11 || this.response.headersSent) return;
    try {
      this.response.writeInformation?.(status, renderResponseHeaders(raw, status, false));
    } catch {
      // Node refuses some fields and statuses. The final answer must not fail because of that.
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
 * Whether the app's reason phrase differs from the usual one. If a status line comes in several packets, undici has
 * only the last part of the phrase: so the end of the usual phrase counts as the usual one.
 */
function isOwnReason(status: number, reason: string): boolean {
  return /^[\t\x20-\x7e]+$/.test(reason) && STATUS_CODES[status]?.endsWith(reason) !== true;
}
