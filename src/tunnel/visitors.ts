// The visitors: fetches each one over a connection of its own, hands it on, and knows who is here. They belong to the
// tunnel and not to a session, because they live on when the control connection is lost. Used by client.ts and
// reconnect.ts.

import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describeError } from '../errors.ts';
import { type Logger, sanitise } from '../log.ts';
import type { ServerAddress } from './address.ts';
import { dialAddress } from './dial.ts';
import { FrameReader } from './frame-reader.ts';
import { greet } from './greeting.ts';
import { resetSocket } from './reset.ts';
import type { Timings } from './timings.ts';

export interface VisitorOptions {
  key: KeyObject | undefined;
  /** Gets each visitor's stream; what it throws costs that visitor only. */
  onVisitor: (socket: Socket) => void;
  logger: Logger;
  timings: Timings;
  /** Visitors at a time, fetched and waiting together; more are left to the server, which drops them. */
  maxVisitors: number;
  /** Connections being opened at a time. */
  maxDials: number;
}

interface Invitation {
  id: string;
  server: ServerAddress;
  /** Of performance.now(). */
  deadline: number;
}

export class Visitors {
  readonly #options: VisitorOptions;
  readonly #stopping = new AbortController();
  readonly #here = new Set<Socket>();
  readonly #queue: Invitation[] = [];
  /** Ids queued and being fetched: a second invitation with the same id is no second visitor. */
  readonly #expected = new Set<string>();
  #dials = 0;

  constructor(options: VisitorOptions) {
    this.#options = options;
  }

  /** Visitors whose stream was handed on and is not closed yet. */
  get open(): number {
    return this.#here.size;
  }

  /** Fetches the visitor that `server` announced as `id`, now or when it is their turn. */
  invite(id: string, server: ServerAddress): void {
    const { maxVisitors, timings, logger } = this.#options;
    if (this.#stopping.signal.aborted || this.#expected.has(id)) return;
    if (this.#here.size + this.#expected.size >= maxVisitors) {
      logger.debug(`a visitor was left out: ${maxVisitors} are here already`);
      return;
    }
    this.#expected.add(id);
    this.#queue.push({ id, server, deadline: performance.now() + timings.visitor });
    this.#fetchNext();
  }

  /** Takes nobody in any more; those who are here may finish within `drainMs`, then they are cut off. */
  async stop(drainMs: number): Promise<void> {
    this.#stopping.abort();
    this.#queue.length = 0;
    const patience = AbortSignal.timeout(drainMs);
    for (const socket of this.#here)
      if (drainMs > 0) await once(socket, 'close', { signal: patience }).catch(() => {});
    for (const socket of this.#here) resetSocket(socket);
  }

  #fetchNext(): void {
    while (this.#dials < this.#options.maxDials) {
      const invitation = this.#queue.shift();
      if (invitation === undefined) return;
      this.#dials += 1;
      void this.#fetch(invitation).finally(() => {
        this.#dials -= 1;
        this.#expected.delete(invitation.id);
        this.#fetchNext();
      });
    }
  }

  async #fetch(invitation: Invitation): Promise<void> {
    const { logger, timings } = this.#options;
    const { signal } = this.#stopping;
    let failure = 'it was not their turn in time';
    while (performance.now() < invitation.deadline && !signal.aborted) {
      try {
        return this.#handOn(await this.#accept(invitation));
      } catch (error) {
        failure = describeError(error);
        await delay(timings.visitorRetry, undefined, { signal }).catch(() => {});
      }
    }
    if (!signal.aborted) logger.debug(`a visitor was lost: ${sanitise(failure)}`);
  }

  /** Everything behind `Accept` is the visitor's, whatever it looks like. */
  async #accept({ id, server, deadline }: Invitation): Promise<Socket> {
    const { key, timings } = this.#options;
    const { signal } = this.#stopping;
    const left = Math.max(1, deadline - performance.now());
    const socket = await dialAddress(server, Math.min(timings.dialAddress, left), signal);
    const abandon = () => socket.destroy();
    signal.addEventListener('abort', abandon, { once: true });
    try {
      const reader = new FrameReader(socket);
      await greet(socket, reader, key, { Accept: id }, Math.min(timings.challenge, left));
      reader.release();
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      signal.removeEventListener('abort', abandon);
    }
  }

  #handOn(socket: Socket): void {
    if (this.#stopping.signal.aborted) return void resetSocket(socket);
    this.#here.add(socket);
    socket.once('close', () => this.#here.delete(socket));
    try {
      this.#options.onVisitor(socket);
    } catch (error) {
      resetSocket(socket);
      this.#options.logger.error(`a visitor could not be served: ${describeError(error)}`);
    }
  }
}
