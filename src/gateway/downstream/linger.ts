// The end of a connection whose visitor is still sending when its answer is out: what comes is read and dropped for a
// while, because closing on unread bytes may take the answer away again. Used by http1-server.ts, for every answer.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

export interface LingerLimits {
  /** How long the rest of an upload is waited for behind its answer. */
  lingerMs: number;
  /** How much of it is read. */
  lingerBytes: number;
}

export class Linger {
  readonly #limits: LingerLimits;
  /** The request under way on each connection whose answer may be early. */
  readonly #requests = new WeakMap<Duplex, IncomingMessage>();
  readonly #last = new WeakSet<Duplex>();
  readonly #drained = new WeakSet<IncomingMessage>();

  constructor(limits: LingerLimits) {
    this.#limits = limits;
  }

  /** True where the last answer of the connection is out: what else was asked for on it gets none (RFC 9112, 9.6). */
  isLast(socket: Duplex): boolean {
    return this.#last.has(socket);
  }

  /** Node reads on after an early answer, to find the next request behind the body; this says how long, and how much. */
  watch(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    this.#holdOpen(socket, request);
    response.once('prefinish', () => {
      if (request.complete) return;
      // Before Node lets go of a body that nobody asked for, which nobody could count then.
      request.read(0);
      this.#drain(request, socket);
    });
  }

  /** The same for a stream that Node has let go of: it ends with the answer. */
  watchLast(response: ServerResponse, socket: Duplex): void {
    response.once('finish', () => {
      socket.end();
      this.#bound(socket, socket);
      this.#startTimer(socket, socket);
      socket.resume();
    });
  }

  /** Node destroys a connection at once behind an answer with `Connection: close`; here the rest is waited for first. */
  #holdOpen(socket: Socket, request: IncomingMessage): void {
    const isHeld = this.#requests.has(socket);
    this.#requests.set(socket, request);
    if (isHeld) return;
    socket.destroySoon = () => {
      this.#last.add(socket);
      const current = this.#requests.get(socket);
      if (current === undefined || current.complete) return closeSoon(socket);
      current.once('end', () => closeSoon(socket));
      // Where it came behind the one that had the last answer, nobody else reads it.
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
