// The visitors of our bore server: waiting for a client to accept them, or connected. Used by server.ts.

import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { resetSocket } from '../../shared/reset.ts';
import { PENDING_VISITOR_MS } from '../wire/protocol.ts';

export class PendingVisitors {
  readonly #max: number;
  readonly #waiting = new Map<string, { visitor: Socket; timer: NodeJS.Timeout }>();
  readonly #all = new Set<Socket>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Visitors waiting or connected. */
  get size(): number {
    return this.#all.size;
  }

  /** Keeps a visitor, paused, for PENDING_VISITOR_MS. Returns its id; if there are too many, resets it: undefined. */
  add(visitor: Socket): string | undefined {
    visitor.on('error', () => {});
    if (this.#all.size >= this.#max) {
      resetSocket(visitor);
      return undefined;
    }
    const id = randomUUID();
    const timer = setTimeout(() => visitor.destroy(), PENDING_VISITOR_MS);
    this.#all.add(visitor);
    this.#waiting.set(id, { visitor, timer });
    visitor.once('close', () => {
      clearTimeout(timer);
      this.#waiting.delete(id);
      this.#all.delete(visitor);
    });
    return id;
  }

  /** Joins the visitor `id` with `socket`, both directions to their ends. False if no such visitor waits. */
  connect(id: string, socket: Socket): boolean {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return false;
    clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    join(socket, waiting.visitor);
    return true;
  }

  stop(): void {
    for (const visitor of this.#all) resetSocket(visitor);
  }
}

/** Passes on bytes and ends in both directions; when one connection breaks, the other one is reset. */
function join(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to);
    from.once('close', () => {
      if (!from.readableEnded) resetSocket(to);
      else if (!from.writableFinished) to.destroy();
    });
  }
}
