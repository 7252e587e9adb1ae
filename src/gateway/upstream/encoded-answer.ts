// Compresses the body of one answer, piece by piece. Nothing waits for more: what the app has sent is encoded and
// passed on as soon as the encoder is free. Used by answer-relay.ts.

import type { Transform } from 'node:stream';
import { type Coding, MIN_BYTES } from '../../shared/content-coding.ts';
import { compressAtOnce, openEncoder, savesEnough } from '../../shared/encoder.ts';
import type { EncoderSlots } from '../../shared/encoder-slots.ts';
import { toError } from '../../shared/errors.ts';
import type { HttpResponse } from '../../shared/http-message.ts';
import { endWith, writeFirst } from './waiting-heads.ts';

/** A body that has come whole and is not longer is encoded at once (see compressAtOnce). */
const AT_ONCE_BYTES = 16 * 1024;

/** How much may wait for the encoder before the app is paused. */
const MAX_WAITING_BYTES = 64 * 1024;

export interface EncodedAnswerOptions {
  response: HttpResponse;
  coding: Coding;
  /** Whether a sample of the body decides. */
  isDoubtful: boolean;
  slots: EncoderSlots;
  /** Writes the head, once: for the body as it is, or for the encoded body, whose length may be known. */
  writeHead: (coding: Coding | undefined, length?: number) => void;
  /** Called when the app may go on sending. */
  onReady: () => void;
}

export class EncodedAnswer {
  readonly #options: EncodedAnswerOptions;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #trailers: [name: string, value: string][] | undefined;
  /** Undefined until the head is written. */
  #form: 'encoded' | 'plain' | undefined;
  #hasWritten = false;
  #encoder: Transform | undefined;
  #output: Buffer[] = [];
  /** While bytes are encoded, or wait for a visitor who reads slowly. */
  #isBusy = false;
  #isScheduled = false;
  #isClosed = false;
  #endWork = () => {};
  readonly #giveBack: () => void;

  constructor(options: EncodedAnswerOptions) {
    this.#options = options;
    this.#giveBack = options.slots.take();
  }

  /** False: stop sending until `onReady` is called. */
  write(chunk: Buffer): boolean {
    if (this.#form === 'plain') return this.#options.response.write(chunk);
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    this.#schedule();
    return this.#waitingBytes < MAX_WAITING_BYTES;
  }

  end(trailers: [name: string, value: string][]): void {
    this.#trailers = trailers;
    if (this.#form === 'plain') this.#finish(Buffer.alloc(0));
    else this.#schedule();
  }

  /** Sends the head without waiting for the body. */
  flushHeaders(): void {
    this.#attempt(() => {
      if (this.#form === undefined) this.#begin(this.#options.isDoubtful ? 'plain' : 'encoded');
      this.#options.response.flushHeaders();
    });
  }

  /** To be called when the visitor has read what was written. */
  drained(): void {
    if (this.#form === 'plain') this.#options.onReady();
    else this.#attempt(() => this.#goOn());
  }

  /** To be called when the answer has ended, however it did. May be called twice. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#encoder?.destroy();
    this.#endWork();
    this.#giveBack();
  }

  /** What comes in one read of the app's connection is encoded together. */
  #schedule(): void {
    if (this.#isBusy || this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#attempt(() => this.#advance());
    });
  }

  /** An exception fails this one answer, not the whole preview: nobody above catches it. */
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#options.response.destroy(toError(error));
    }
  }

  #advance(): void {
    if (this.#isBusy || this.#isClosed) return;
    const isLast = this.#trailers !== undefined;
    if (this.#waiting.length === 0 && !isLast) return;
    const bytes = this.#takeWaiting();
    if (this.#form === undefined && !this.#decide(bytes, isLast)) return;
    this.#encode(bytes, isLast);
  }

  #takeWaiting(): Buffer {
    const [first = Buffer.alloc(0)] = this.#waiting;
    const bytes = this.#waiting.length > 1 ? Buffer.concat(this.#waiting) : first;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return bytes;
  }

  /** Chooses the form of the body by its beginning. False: `bytes` have been sent. */
  #decide(bytes: Buffer, isLast: boolean): boolean {
    const { coding, isDoubtful, writeHead } = this.#options;
    if (isLast && bytes.length < MIN_BYTES) return this.#sendPlain(bytes);
    if (isDoubtful && !savesEnough(bytes)) return this.#sendPlain(bytes);
    if (!isLast || bytes.length > AT_ONCE_BYTES) {
      this.#begin('encoded');
      return true;
    }
    const encoded = compressAtOnce(coding, 'fast', bytes);
    if (encoded.length >= bytes.length) return this.#sendPlain(bytes);
    this.#form = 'encoded';
    writeHead(coding, encoded.length);
    this.#finish(encoded);
    return false;
  }

  #begin(form: 'encoded' | 'plain'): void {
    this.#form = form;
    this.#options.writeHead(form === 'encoded' ? this.#options.coding : undefined);
    if (form === 'plain') this.#giveBack();
  }

  #sendPlain(bytes: Buffer): false {
    this.#begin('plain');
    if (this.#trailers !== undefined) this.#finish(bytes);
    else if (writeFirst(this.#options.response, bytes)) this.#options.onReady();
    return false;
  }

  #encode(bytes: Buffer, isLast: boolean): void {
    this.#isBusy = true;
    this.#encoder ??= this.#open();
    const encoder = this.#encoder;
    this.#options.slots.work(done => {
      if (this.#isClosed) return done();
      this.#endWork = done;
      const deliver = () => this.#attempt(() => this.#deliver(isLast));
      if (isLast) encoder.once('end', deliver).end(bytes);
      else encoder.write(bytes, deliver);
    });
    // The app sends on while these bytes are encoded.
    this.#options.onReady();
  }

  #open(): Transform {
    const encoder = openEncoder(this.#options.coding, 'fast');
    encoder.on('data', (chunk: Buffer) => this.#output.push(chunk));
    // What has been sent must not look complete.
    encoder.on('error', () => this.#options.response.destroy());
    return encoder;
  }

  #deliver(isLast: boolean): void {
    this.#endWork();
    if (this.#isClosed) return;
    const bytes = Buffer.concat(this.#output);
    this.#output = [];
    if (isLast) {
      this.#finish(bytes);
      return;
    }
    const isFirst = !this.#hasWritten;
    this.#hasWritten = true;
    const { response } = this.#options;
    if (isFirst ? writeFirst(response, bytes) : response.write(bytes)) this.#goOn();
  }

  #goOn(): void {
    this.#isBusy = false;
    this.#advance();
  }

  #finish(bytes: Buffer): void {
    const { response } = this.#options;
    const trailers = this.#trailers ?? [];
    if (trailers.length > 0) response.addTrailers(trailers);
    endWith(response, bytes);
    this.close();
  }
}
