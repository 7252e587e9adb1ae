// Closes a connection whose visitor is still sending after its answer. Reads and drops the rest for a while before
// that, because closing a connection with unread bytes can destroy the answer on its way. Used by http1-server.ts.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface LingerLimits {
  /** How long the rest of an upload is read after its answer. */
  lingerMs: number;
  /** How much of the rest is read. */
  lingerBytes: number;
}

export class Linger {
  readonly #limits: LingerLimits;
  /** The current request of each connection, if it has a body: its answer may be sent before its end. */
  readonly #requests = new WeakMap<Duplex, IncomingMessage>();
  readonly #last = new WeakSet<Duplex>();
  readonly #drained = new WeakSet<IncomingMessage>();

  constructor(limits: LingerLimits) {
    this.#limits = limits;
  }

  /** Whether the last answer of the connection is sent: later requests get no answer (RFC 9112, 9.6). */
  isLast(socket: Duplex): boolean {
    return this.#last.has(socket);
  }

  /** After an early answer, Node reads the rest of the body to find the next request. Limits how long and how much. */
  watch(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    this.#holdOpen(socket, request);
    response.once('prefinish', () => {
      if (request.complete) return;
      // Start reading now: otherwise Node would drop an unread body itself, and its bytes could not be counted.
      request.read(0);
      this.#drain(request, socket);
    });
  }

  /** Does this for a connection from which Node has detached its parser; it ends with this answer. */
  watchLast(response: ServerResponse, socket: Duplex): void {
    response.once('finish', () => {
      socket.end();
      this.#bound(socket, socket);
      this.#startTimer(socket, socket);
      socket.resume();
    });
  }

  /** Node destroys a connection right after an answer with `Connection: close`; here the rest is read first. */
  #holdOpen(socket: Socket, request: IncomingMessage): void {
    const isHeld = this.#requests.has(socket);
    this.#requests.set(socket, request);
    if (isHeld) return;
    socket.destroySoon = () => {
      this.#last.add(socket);
      const current = this.#requests.get(socket);
      if (current === undefined || current.complete) return closeSoon(socket);
      current.once('end', () => closeSoon(socket));
      // This may be a request after the last answered one, which is read only here.
      this.#drain(current, socket);
    };
  }

  #drain(request: IncomingMessage, socket: Duplex): void {
    if (this.#drained.has(request)) return;
    this.#drained.add(request);
    this.#bound(request, socket);
    this.#startTimer(request, socket);
    request.resume();
  }

  #bound(from: IncomingMessage | Duplex, socket: Duplex): void {
    let left = this.#limits.lingerBytes;
    from.on('data', (chunk: Buffer | string) => {
      left -= chunk.length;
      if (left < 0) socket.destroy();
    });
  }

  #startTimer(from: IncomingMessage | Duplex, socket: Duplex): void {
    const timer = setTimeout(() => socket.destroy(), this.#limits.lingerMs);
    const stop = () => clearTimeout(timer);
    socket.once('close', stop);
    if (from === socket) return;
    from.once('end', () => {
      stop();
      socket.off('close', stop);
    });
  }
}

function closeSoon(socket: Duplex): void {
  if (socket instanceof Socket) Socket.prototype.destroySoon.call(socket);
  else socket.end(() => socket.destroy());
}
