// One connection to a server: sends one request after the other, and reads their answers. Used by pool.ts.

import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { hasCode, toError } from '../../../shared/errors.ts';
import type { RawHeaders } from '../../raw-headers.ts';
import { type AnswerEvents, AnswerParser } from './answer-parser.ts';
import { ClientError } from './errors.ts';
import type { Carrier, Flight } from './flight.ts';
import type { AnswerHandler, AnswerHead } from './message.ts';
import { Reader } from './reader.ts';

/** The app is mostly on this machine: if connecting takes longer, its accept queue is full. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * How long the app may take to send its head. Local models and reports need many minutes. If the visitor leaves, the
 * app's request ends at once, so this limit is only for those who wait.
 */
const ANSWER_TIMEOUT_MS = 60 * 60_000;

export interface Server {
  /** A name or an address, without brackets. */
  host: string;
  port: number;
  isTls: boolean;
}

export interface ConnectionOwner {
  /** The connection is free for another request; it has to be closed after `idleMs`. */
  onFree(connection: Connection, idleMs: number): void;
  /** The connection has closed, or belongs to somebody else. */
  onGone(connection: Connection): void;
}

export class Connection implements AnswerEvents, Carrier {
  readonly socket: Socket;
  /** While it is free: when it is to be closed (performance.now()). */
  idleUntil = 0;
  readonly #owner: ConnectionOwner;
  readonly #parser = new AnswerParser(this);
  readonly #reader: Reader | undefined;
  readonly #openedAt = performance.now();
  #isOpen = false;
  #flight: Flight | undefined;
  /** Set when the answer has ended, until the read that ended it is over. */
  #idleMs: number | undefined;
  #switched: AnswerHead | undefined;
  #isPaused = false;
  /** Whether the socket does not read. */
  #isStopped = false;
  #error: Error | undefined;

  /** Opens a connection for one request, and for others after it. */
  constructor(server: Server, flight: Flight, owner: ConnectionOwner) {
    this.#flight = flight;
    this.#owner = owner;
    // Whoever takes over the connection after a 101 wants an ordinary stream, and TLS has buffers of its own.
    const isStream = server.isTls || flight.message.upgrade !== undefined;
    if (!isStream) this.#reader = new Reader(bytes => this.#read(bytes));
    this.socket = open(server, this.#reader);
    if (isStream) this.socket.on('data', this.#onData);
    this.socket
      .on(server.isTls ? 'secureConnect' : 'connect', this.#onOpen)
      .on('drain', this.#onDrain)
      .on('error', this.#onError)
      .on('end', this.#onEndOfStream)
      .on('close', this.#onClose);
  }

  /** Sends another request on a free connection. */
  send(flight: Flight): void {
    this.#flight = flight;
    this.#begin(flight);
  }

  /** Whether a request may be sent now. */
  isFree(now: number): boolean {
    return this.#flight === undefined && !this.socket.destroyed && now < this.idleUntil;
  }

  /** To be called at intervals: ends what has taken too long. */
  sweep(now: number): void {
    const flight = this.#flight;
    if (flight === undefined) {
      if (now >= this.idleUntil) this.socket.destroy();
    } else if (!this.#isOpen) {
      if (now - this.#openedAt >= CONNECT_TIMEOUT_MS)
        this.fail(new ClientError('ERR_APP_CONNECT_TIMEOUT', 'nothing accepted the connection in time'));
    } else if (!flight.isAnswered && now - (flight.sentAt ?? now) >= ANSWER_TIMEOUT_MS)
      this.fail(new ClientError('ERR_APP_ANSWER_TIMEOUT', 'no answer came in time'));
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#isStopped) return;
    this.#isStopped = false;
    this.socket.resume();
  }

  fail(error: Error): void {
    const flight = this.#detach();
    this.socket.destroy();
    flight?.handler.onError(error);
  }

  onHead(head: AnswerHead): void {
    const flight = this.#flight;
    if (flight === undefined) return;
    if (head.status >= 200) flight.isAnswered = true;
    // The app is at work: its time begins anew.
    else if (flight.sentAt !== undefined) flight.sentAt = performance.now();
    flight.handler.onHead(head);
  }

  onData(chunk: Buffer): void {
    this.#flight?.handler.onData(chunk, this.#reader?.lend());
  }

  onEnd(trailers: RawHeaders, idleMs: number): void {
    const flight = this.#flight;
    if (flight === undefined) return;
    // Only if nothing of the request is left to be sent.
    const isSent = flight.sentAt !== undefined && this.socket.writableLength === 0;
    this.#idleMs = isSent && flight.mayReuse ? idleMs : 0;
    this.#detach();
    conclude(flight.handler, () => flight.handler.onEnd(trailers));
  }

  onUpgrade(head: AnswerHead): void {
    this.#switched = head;
  }

  readonly #onOpen = () => {
    this.#isOpen = true;
    if (this.#flight !== undefined) this.#begin(this.#flight);
  };

  readonly #onDrain = () => this.#flight?.onDrain();

  readonly #onData = (bytes: Buffer) => {
    if (!this.#read(bytes)) this.socket.pause();
  };

  readonly #onError = (error: Error) => {
    this.#error = error;
  };

  readonly #onEndOfStream = () => {
    if (!this.#endsHere()) this.fail(closedEarly());
  };

  readonly #onClose = () => {
    // A program that leaves a part of the request unread makes the system reset the connection (RFC 9293, 3.10.4), even
    // after a whole answer: so for an answer that ends with its connection, a reset is an end like another.
    const isEnd = hasCode(this.#error, 'ECONNRESET') && this.#endsHere();
    if (!isEnd) this.fail(this.#error ?? closedEarly());
    this.#parser.free();
    this.#reader?.close();
    this.#owner.onGone(this);
  };

  #begin(flight: Flight): void {
    const { method, upgrade } = flight.message;
    this.#parser.begin({ method, upgrades: upgrade !== undefined });
    this.#attempt(() => flight.begin(this));
  }

  /** False: the socket must not read on. */
  #read(bytes: Buffer): boolean {
    // Nobody has asked for these bytes: the next answer would begin with them.
    if (this.#flight === undefined) this.socket.destroy();
    else {
      this.#flight.handler.onBegun?.();
      this.#attempt(() => {
        const used = this.#parser.read(bytes);
        if (this.#switched !== undefined) this.#handOver(this.#switched, bytes.subarray(used));
        else if (this.#idleMs !== undefined) this.#settle(used === bytes.length ? this.#idleMs : 0);
      });
    }
    this.#isStopped = this.#isPaused || this.socket.destroyed;
    return !this.#isStopped;
  }

  /** An exception fails this one request, not the whole preview: nobody above catches it. */
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.fail(toError(error));
    }
  }

  /** Whether the end of the connection is the end of an answer. */
  #endsHere(): boolean {
    let isEnd = false;
    this.#attempt(() => {
      isEnd = this.#flight !== undefined && this.#parser.finish();
    });
    if (isEnd) this.socket.destroy();
    return isEnd;
  }

  /** After an answer. */
  #settle(idleMs: number): void {
    this.#idleMs = undefined;
    this.#isPaused = false;
    if (idleMs > 0 && !this.socket.destroyed) this.#owner.onFree(this, idleMs);
    else this.socket.destroy();
  }

  #handOver(head: AnswerHead, rest: Buffer): void {
    const { handler } = this.#detach() ?? {};
    const { socket } = this;
    socket.pause();
    socket
      .off('data', this.#onData)
      .off('drain', this.#onDrain)
      .off('error', this.#onError)
      .off('end', this.#onEndOfStream)
      .off('close', this.#onClose);
    if (rest.length > 0) socket.unshift(Buffer.from(rest));
    this.#parser.free();
    this.#owner.onGone(this);
    if (handler?.onUpgrade === undefined) socket.destroy();
    else conclude(handler, () => handler.onUpgrade?.(head, socket));
  }

  #detach(): Flight | undefined {
    const flight = this.#flight;
    this.#flight = undefined;
    this.#parser.stop();
    flight?.close();
    return flight;
  }
}

/** The last call of a handler; an exception becomes the error of its request. */
function conclude(handler: AnswerHandler, act: () => void): void {
  try {
    act();
  } catch (error) {
    handler.onError(toError(error));
  }
}

function open({ host, port, isTls }: Server, reader: Reader | undefined): Socket {
  if (isTls)
    return connectTls({ host, port, servername: isIP(host) === 0 ? host : '', ALPNProtocols: ['http/1.1'] });
  return connect({ host, port, noDelay: true, ...(reader !== undefined && { onread: reader.onread }) });
}

function closedEarly(): ClientError {
  return new ClientError('ERR_APP_CLOSED', 'the connection was closed before the answer had ended');
}
