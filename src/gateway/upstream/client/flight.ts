// One request on its way to the app, until its answer has ended: writes it to the socket of its connection, and is what
// the answer's handler controls. Used by pool.ts and connection.ts.

import type { Socket } from 'node:net';
import { ClientError } from './errors.ts';
import type { AnswerHandler, BodySink, BodySource, Exchange, RequestMessage } from './message.ts';
import {
  endWithLength,
  endWithoutBody,
  mayReuse,
  type RequestHead,
  renderRequestHead,
  startChunked,
} from './request-head.ts';

/** Up to this size, a copy costs less than a second buffer in the same write. */
const TEXT_BYTES = 4 * 1_024;

/** What a flight needs of its connection. */
export interface Carrier {
  readonly socket: Socket;
  pause(): void;
  resume(): void;
  /** Destroys the connection. */
  fail(error: Error): void;
}

export class Flight implements Exchange, BodySink {
  readonly message: RequestMessage;
  readonly handler: AnswerHandler;
  /** Whether the connection may be used again after this request and its answer. */
  readonly mayReuse: boolean;
  /** When the whole request was written (performance.now()). */
  sentAt: number | undefined;
  /** Whether the head of the final answer has come. */
  isAnswered = false;
  readonly #head: RequestHead;
  /** While the request is on a connection. */
  #carrier: Carrier | undefined;
  #started: BodySource | undefined;
  #written = 0;

  /** Throws a ClientError if the message cannot be sent. `keepsAlive`: whether the pool keeps connections. */
  constructor(message: RequestMessage, handler: AnswerHandler, keepsAlive: boolean) {
    this.message = message;
    this.handler = handler;
    this.mayReuse = keepsAlive && mayReuse(message);
    this.#head = renderRequestHead(message, this.mayReuse);
  }

  /** There is a connection: sends the request. */
  begin(carrier: Carrier): void {
    this.#carrier = carrier;
    this.handler.onConnected(this);
    const { body, method } = this.message;
    // The handler may have aborted.
    if (this.#carrier === undefined) return;
    if (body === undefined) this.#finish(`${this.#head.text}${endWithoutBody(method)}`);
    else if (Buffer.isBuffer(body)) this.#sendWhole(carrier.socket, body);
    else {
      this.#started = body;
      body.start(this);
    }
  }

  /** The socket takes more. */
  onDrain(): void {
    if (this.sentAt === undefined) this.#started?.resume();
  }

  /** The answer has ended, or never will. */
  close(): void {
    this.#carrier = undefined;
    if (this.sentAt === undefined) this.#started?.stop();
    this.#started = undefined;
  }

  pause(): void {
    this.#carrier?.pause();
  }

  resume(): void {
    this.#carrier?.resume();
  }

  abort(reason: Error): void {
    this.#carrier?.fail(reason);
  }

  write(chunk: Buffer): boolean {
    const socket = this.#carrier?.socket;
    if (socket === undefined || chunk.length === 0) return true;
    const { text, length } = this.#head;
    if (length !== undefined && this.#written + chunk.length > length) {
      this.fail(invalidLength(length));
      return true;
    }
    const isFirst = this.#written === 0;
    this.#written += chunk.length;
    // The end of a chunk is written with the start of the next (RFC 9112, 7.1).
    if (length === undefined)
      return writeTogether(
        socket,
        `${isFirst ? startChunked(text) : ''}\r\n${chunk.length.toString(16)}\r\n`,
        chunk,
      );
    return writeTogether(socket, isFirst ? endWithLength(text, length) : '', chunk);
  }

  end(): void {
    const { text, length } = this.#head;
    if (length !== undefined && length !== this.#written) this.fail(invalidLength(length));
    else if (this.#written === 0) this.#finish(`${text}${endWithoutBody(this.message.method)}`);
    else this.#finish(length === undefined ? '\r\n0\r\n\r\n' : '');
  }

  fail(error: Error): void {
    this.#carrier?.fail(error);
  }

  #sendWhole(socket: Socket, body: Buffer): void {
    const { text, length = body.length } = this.#head;
    if (length !== body.length) {
      this.fail(invalidLength(length));
      return;
    }
    writeTogether(socket, endWithLength(text, length), body);
    this.#finish('');
  }

  #finish(last: string): void {
    const socket = this.#carrier?.socket;
    if (socket === undefined) return;
    if (last !== '') socket.write(last, 'latin1');
    this.sentAt = performance.now();
  }
}

/** In one write, so that they leave in one packet. */
function writeTogether(socket: Socket, text: string, bytes: Buffer): boolean {
  if (text === '') return socket.write(bytes);
  if (bytes.length <= TEXT_BYTES) return socket.write(`${text}${bytes.toString('latin1')}`, 'latin1');
  socket.cork();
  socket.write(text, 'latin1');
  const takesMore = socket.write(bytes);
  socket.uncork();
  return takesMore;
}

/** A server would take what is too much for the next request, or what is missing for the start of it. */
function invalidLength(length: number): ClientError {
  return new ClientError('ERR_REQUEST_INVALID', `its body has not the ${length} bytes that were announced`);
}
