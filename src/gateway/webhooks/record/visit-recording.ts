// The recording of one visit: its body as it arrives, its answer, and when it becomes visible. Made by recorder.ts for
// each request on a captured path.

import type { CapturedDelivery, CapturedRequest } from '../../../shared/captured-request.ts';
import { hasBody, readTarget, type Visit } from '../../visit.ts';
import { findHandshake, type Handshake } from '../handshakes.ts';
import type { WholeRequest } from '../whole-request.ts';
import { ArrivingBody, type BodyBudget, type BodyStore } from './arriving-body.ts';
import type { Identity, Recording } from './recording.ts';

/** Of the body of a refused request: enough to see what it was. */
const MAX_REFUSED_BODY_BYTES = 256 * 1024;

/** How long the rest of a body may come after its answer; the servers of downstream/ read no longer either. */
const REST_MS = 5_000;

export type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** A request without what the recorder adds. `deliveryId` as in Identity. */
export type NewRequest = Omit<CapturedRequest, 'id' | 'duplicateOf' | 'delivery'> &
  Pick<Identity, 'deliveryId'>;

/** What recordings write to. Kept by recorder.ts. */
export interface Book {
  readonly budget: BodyBudget;
  readonly store: BodyStore;
  onGrowth(): void;
  /** The text without the preview's key or password, if it has any. */
  hide(text: string): string;
  hideAll(texts: readonly string[]): readonly string[];
  add(request: NewRequest): Mutable<CapturedRequest>;
  announce(request: CapturedRequest): void;
}

export class VisitRecording implements Recording {
  readonly #visit: Visit;
  readonly #book: Book;
  readonly #receivedAt = new Date();
  /** A time of performance.now(). */
  readonly #begun = performance.now();
  readonly #body: ArrivingBody;
  #identity: Identity = {};
  #problem: string | undefined;
  #answer: CapturedRequest['answer'];
  #isFinished = false;
  #isBroken = false;
  /** Undefined until it is visible. */
  #request: Mutable<CapturedRequest> | undefined;

  constructor(visit: Visit, book: Book) {
    this.#visit = visit;
    this.#book = book;
    const { 'content-length': length } = visit.request.headers;
    this.#body = new ArrivingBody(book.budget, length === undefined ? undefined : Number(length));
    visit.response.once('finish', () => this.#finish());
    visit.response.once('close', () => this.#close());
  }

  take(chunk: Buffer): void {
    if (this.#request !== undefined) return;
    this.#body.add(chunk);
    this.#book.onGrowth();
  }

  identify(identity: Identity): void {
    this.#identity = identity;
  }

  complete(): void {
    this.#show(undefined);
  }

  refuse(reason: string): void {
    this.#show(reason);
  }

  note(problem: string): void {
    this.#problem ??= problem;
    this.#change({ problem: this.#problem });
  }

  upgrade(): void {
    this.#end(101);
  }

  deliver(delivery: CapturedDelivery): void {
    this.#change({ delivery });
  }

  #show(refusal: string | undefined): void {
    if (this.#request !== undefined) return;
    const { request, visitorAddress } = this.#visit;
    const { hide, hideAll } = this.#book;
    const { bytes } = this.#body;
    const whole: WholeRequest = {
      method: request.method ?? '',
      // Only now: the passes have removed the key.
      target: hide(readTarget(request)),
      rawHeaders: hideAll(request.rawHeaders),
      body: this.#body.take(this.#book.store, refusal === undefined ? undefined : MAX_REFUSED_BODY_BYTES),
    };
    this.#request = this.#book.add({
      ...whole,
      receivedAt: this.#receivedAt,
      httpVersion: request.wireVersion ?? request.httpVersion,
      visitorAddress,
      bodyBytes: bytes,
      ...(this.#isBroken && { isBroken: true }),
      refusal,
      verified: this.#identity.verified,
      handshake: this.#identity.handshake ?? findUnruledHandshake(whole),
      deliveryId: this.#identity.deliveryId,
      problem: this.#problem,
      answer: this.#answer,
      isFinished: this.#isFinished,
    });
    this.#book.announce(this.#request);
  }

  /** The answer is sent. */
  #finish(): void {
    const { request, response, awaitsContinue } = this.#visit;
    this.#end(response.statusCode);
    if (this.#request !== undefined) return;
    if (!hasBody(request)) this.refuse(`the gateway answered it itself (${response.statusCode})`);
    // The app, or a static file, has answered before the end of the body.
    else if (awaitsContinue && this.#body.bytes === 0) this.#endBody();
    else this.#awaitRest();
  }

  #awaitRest(): void {
    const { request } = this.#visit;
    const stop = () => {
      clearTimeout(timer);
      request.off('end', stop);
      request.socket.off('close', stop);
      this.#endBody();
    };
    const timer = setTimeout(stop, REST_MS);
    request.once('end', stop);
    request.socket.once('close', stop);
  }

  /** No more of the body will come. Nothing changes if all of it has. */
  #endBody(): void {
    if (this.#request !== undefined) return;
    this.#isBroken = !this.#visit.request.readableEnded;
    if (this.#isBroken) this.note('it was answered before the end of its body, and the rest was not read');
    this.complete();
  }

  /** The answer is complete, or the connection (HTTP/2: the stream) is closed. */
  #close(): void {
    if (this.#isFinished) return;
    const { statusCode, headersSent } = this.#visit.response;
    this.#isBroken = true;
    if (this.#request === undefined)
      this.refuse(`the sender left after ${this.#body.bytes} bytes of its body, before the end`);
    else this.note(headersSent ? 'the answer broke off before its end' : 'its sender left before the answer');
    this.#end(headersSent ? statusCode : undefined);
  }

  #end(status: number | undefined): void {
    const durationMs = Math.round(performance.now() - this.#begun);
    this.#answer = status === undefined ? undefined : { status, durationMs };
    this.#isFinished = true;
    this.#change({ answer: this.#answer, isFinished: true });
  }

  #change(change: Partial<CapturedRequest>): void {
    if (this.#request === undefined) return;
    Object.assign(this.#request, change);
    this.#book.announce(this.#request);
  }
}

/** On paths without a rule: a GET only looks like a handshake there, and nobody waits for one by default. */
function findUnruledHandshake(request: WholeRequest): Handshake | undefined {
  return request.method === 'POST' ? findHandshake(request) : undefined;
}
