// Limits the memory of pipelined requests that wait for the answer before them. Used by http1-server.ts.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { hasBody, measureHead } from '../visit.ts';

/** The limit for heads and bodies in the queue of one connection; a connection that exceeds it is closed. */
const MAX_QUEUED_BYTES = 64 * 1024;

/**
 * How often the bodies in a queue are measured. If the buffer of a body is full, Node stops reading the connection, and
 * the gateway would not notice that the visitor leaves. So such a connection is closed.
 */
const MEASURE_INTERVAL_MS = 500;

interface Queue {
  /** Each request → the size of its head in bytes. */
  readonly requests: Map<IncomingMessage, number>;
  timer: NodeJS.Timeout | undefined;
}

export class QueuedRequests {
  readonly #queues = new WeakMap<Duplex, Queue>();

  /** The request begins to wait. */
  add(socket: Duplex, request: IncomingMessage): void {
    const queue = this.#queues.get(socket) ?? this.#open(socket);
    const measure = () => {
      if (isFull(queue)) socket.destroy();
    };
    queue.requests.set(request, measureHead(request));
    if (hasBody(request)) queue.timer ??= setInterval(measure, MEASURE_INTERVAL_MS);
    measure();
  }

  /** The request no longer waits. */
  delete(socket: Duplex, request: IncomingMessage): void {
    const queue = this.#queues.get(socket);
    if (queue?.requests.delete(request) && queue.requests.size === 0) stopTimer(queue);
  }

  #open(socket: Duplex): Queue {
    const queue: Queue = { requests: new Map(), timer: undefined };
    this.#queues.set(socket, queue);
    socket.once('close', () => stopTimer(queue));
    return queue;
  }
}

function stopTimer(queue: Queue): void {
  clearInterval(queue.timer);
  queue.timer = undefined;
}

function isFull({ requests }: Queue): boolean {
  let bytes = 0;
  for (const [request, headBytes] of requests) {
    if (request.readableLength >= request.readableHighWaterMark) return true;
    bytes += headBytes + request.readableLength;
  }
  return bytes > MAX_QUEUED_BYTES;
}
