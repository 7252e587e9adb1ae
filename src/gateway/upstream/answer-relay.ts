// Relays one answer of the app to one visitor, piece by piece as it comes. Used by proxy.ts and upgrade.ts.

import { STATUS_CODES } from 'node:http';
import type { Coding } from '../../shared/content-coding.ts';
import type { HttpResponse } from '../../shared/http-message.ts';
import { countFields, type RawHeaders } from '../raw-headers.ts';
import type { Visit } from '../visit.ts';
import type { AnswerHandler, AnswerHead, Exchange, GiveBack } from './client/message.ts';
import { addVary, type Compression, type Eligibility } from './compression.ts';
import { EncodedAnswer } from './encoded-answer.ts';
import { renderResponseHeaders, renderTrailers } from './headers.ts';
import type { Names } from './names.ts';
import { waitingHeads, writeFirst } from './waiting-heads.ts';

export class AnswerRelay implements AnswerHandler {
  readonly response: HttpResponse;
  readonly names: Names;
  readonly onNoAnswer: (error: Error) => void;
  /** Whether any byte of an answer has come. */
  hasBegun = false;
  readonly #visit: Visit;
  readonly #compression: Compression | undefined;
  readonly #isHttp11: boolean;
  readonly #hasBody: boolean;
  /** Over HTTP/2 a write is over when the chunk is queued: it is still needed then, and must be copied. */
  readonly #isHttp2: boolean;
  #bodyHasBegun = false;
  /** Set if the body is compressed. */
  #encoded: EncodedAnswer | undefined;
  #exchange: Exchange | undefined;

  /**
   * `onNoAnswer` is called at most once: if the app's answer has not begun, and the visitor still waits for one.
   * Without `compression`, the answer is passed on as it is.
   */
  constructor(visit: Visit, names: Names, onNoAnswer: (error: Error) => void, compression?: Compression) {
    const { request, response } = visit;
    this.response = response;
    this.names = names;
    this.#visit = visit;
    this.#compression = compression;
    this.#isHttp11 = request.httpVersion === '1.1';
    this.#hasBody = request.method !== 'HEAD';
    this.#isHttp2 = request.wireVersion === '2.0';
    this.onNoAnswer = onNoAnswer;
    response.once('close', () => this.#endWithVisitor());
    response.on('drain', () => (this.#encoded === undefined ? this.#resume() : this.#encoded.drained()));
  }

  onConnected(exchange: Exchange): void {
    this.#exchange = exchange;
    if (this.response.destroyed) this.#endWithVisitor();
  }

  onBegun(): void {
    this.hasBegun = true;
  }

  onHead({ status, reason, headers: raw }: AnswerHead): void {
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
    const headers = renderResponseHeaders(raw, this.names, { status, keepsTrailer: isChunked });
    for (const [name, value] of this.#visit.ownHeaders) headers.push(name, value);
    this.#begin({ status, reason, headers }, this.#compression?.judge(this.#visit.request, status, raw));
  }

  onData(chunk: Buffer, giveBack: GiveBack | undefined): void {
    waitingHeads.delete(this.#encoded ?? this.response);
    if (!this.#write(chunk, giveBack)) this.#exchange?.pause();
  }

  onEnd(raw: RawHeaders): void {
    waitingHeads.delete(this.#encoded ?? this.response);
    const trailers = renderTrailers(raw, this.names);
    if (this.#encoded !== undefined) {
      this.#encoded.end(trailers);
      return;
    }
    if (trailers.length > 0) this.response.addTrailers(trailers);
    this.response.end();
  }

  onError(error: Error): void {
    waitingHeads.delete(this.#encoded ?? this.response);
    if (this.response.destroyed) return;
    // An incomplete answer must not look complete: without the end of its framing, the visitor notices that it is not.
    if (this.response.headersSent || this.#encoded !== undefined) this.response.destroy();
    else this.onNoAnswer(error);
  }

  /** Passes on 102 and 103. HTTP/1.0 has no interim responses (RFC 9110, 15.2). Failures are ignored. */
  #passInterim(status: number, raw: RawHeaders): void {
    if (!this.#isHttp11 || this.response.headersSent) return;
    try {
      const headers = renderResponseHeaders(raw, this.names, { status, keepsTrailer: false });
      this.response.writeInformation?.(status, headers);
    } catch {
      // Node refuses some fields and statuses. The final answer must not fail because of that.
    }
  }

  /** Writes the head, or leaves that to `#encoded`. */
  #begin(head: Head, eligible: Eligibility | undefined): void {
    const { coding, isDoubtful = false } = eligible ?? {};
    if (eligible !== undefined) addVary(head.headers);
    if (this.#compression === undefined || coding === undefined)
      this.#compression?.matchTags(head, this.#visit.request);
    else if (this.#hasBody) this.#encoded = this.#encode(head, coding, isDoubtful, this.#compression);
    // Without a body there is no sample, so nobody knows what an answer to GET would be.
    else if (!isDoubtful) this.#compression.encodeHead(head.headers, coding);
    if (this.#encoded === undefined) this.#writeHead(head);
    waitingHeads.add(this.#encoded ?? this.response);
  }

  #encode(head: Head, coding: Coding, isDoubtful: boolean, compression: Compression): EncodedAnswer {
    const hasLength = countFields(head.headers, 'content-length') > 0;
    return new EncodedAnswer({
      response: this.response,
      coding,
      isDoubtful,
      slots: compression.slots,
      writeHead: (chosen, length) => {
        if (chosen !== undefined) compression.encodeHead(head.headers, chosen);
        if (hasLength && length !== undefined) head.headers.push('content-length', String(length));
        this.#writeHead(head);
      },
      onReady: () => this.#resume(),
    });
  }

  #writeHead({ status, reason, headers }: Head): void {
    if (isOwnReason(status, reason)) this.response.writeHead(status, reason, headers);
    else this.response.writeHead(status, headers);
  }

  /** Does not keep `chunk`, except until it is given back. */
  #write(chunk: Buffer, giveBack: GiveBack | undefined): boolean {
    const isFirst = !this.#bodyHasBegun;
    this.#bodyHasBegun = true;
    if (giveBack !== undefined && this.#encoded === undefined && !this.#isHttp2)
      return this.response.write(chunk, giveBack);
    giveBack?.();
    if (this.#encoded !== undefined) return this.#encoded.write(Buffer.from(chunk));
    return isFirst ? writeFirst(this.response, chunk) : this.response.write(Buffer.from(chunk));
  }

  #resume(): void {
    this.#exchange?.resume();
  }

  #endWithVisitor(): void {
    waitingHeads.delete(this.#encoded ?? this.response);
    this.#encoded?.close();
    if (!this.response.writableFinished) this.#exchange?.abort(new Error('the visitor is gone'));
  }
}

/** The head of a final answer, as the visitor gets it. */
interface Head {
  status: number;
  reason: string;
  headers: string[];
}

/** Whether the app's reason phrase differs from the usual one, which Node writes by itself. */
function isOwnReason(status: number, reason: string): boolean {
  return /^[\t\x20-\x7e]+$/.test(reason) && STATUS_CODES[status] !== reason;
}
