// Fetches each visitor over a data connection of its own, gives it to the sink, and counts the open visitors. Visitors
// belong to the tunnel and not to a session, because they stay when the control connection is lost. Made by
// shared-visitors.ts and visitor-thread.ts; session.ts and reconnect.ts use it as VisitorFetcher.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { resetSocket } from '../../shared/reset.ts';
import { sanitise } from '../../shared/sanitise.ts';
import type { ServerAddress } from '../address.ts';
import type { PipeEnd } from '../relay/pipe.ts';
import type { Timings } from '../timings.ts';
import { DataConnection, type VisitorSource } from './data-connection.ts';
import { SpareConnections } from './spare-connections.ts';
import type { VisitorSink } from './visitor-sink.ts';

export interface VisitorOptions {
  destination: VisitorSink;
  logger: Logger;
  timings: Timings;
  /** Whether connections may be opened ahead of visitors, on servers that allow it. */
  spareConnections: boolean;
  /** Visitors at a time, fetched and waiting together; more are left to the server, which drops them. */
  maxVisitors: number;
  /** Connections being opened at a time, by this thread. */
  maxDials: number;
  /** Called when `load`, or the destination's count of visits, has changed. */
  onChange?: () => void;
}

/** `Visitors` on one thread, or `SharedVisitors` on two. */
export interface VisitorFetcher {
  /** Visitors whose connection was given to the sink and is not closed yet. */
  readonly open: number;
  /** Fetches the visitor that `source` announced as `id`, now or when it is their turn. */
  fetch(id: string, source: VisitorSource): void;
  /** Takes no new visitors; the open ones may finish within `drainMs`, then they are cut off. */
  stop(drainMs: number): Promise<void>;
}

interface Invitation {
  id: string;
  source: VisitorSource;
  /** A time of performance.now(). */
  deadline: number;
}

export class Visitors implements VisitorFetcher {
  readonly #options: VisitorOptions;
  readonly #open = new Set<Socket>();
  readonly #queue: Invitation[] = [];
  /** Ids queued or being fetched: a second announcement with the same id is not another visitor. */
  readonly #expected = new Set<string>();
  readonly #dialling = new Set<DataConnection>();
  readonly #retries = new Set<NodeJS.Timeout>();
  readonly #spares = new SpareConnections((source, onFailed) => this.#connect(source, { onFailed }));
  /** Shortest connect time to the current server, our estimate of the round trip. */
  #roundTripMs = Number.POSITIVE_INFINITY;
  #measuredServer: ServerAddress | undefined;
  #isStopped = false;

  constructor(options: VisitorOptions) {
    this.#options = options;
  }

  get open(): number {
    return this.#open.size;
  }

  /** Visitors open, queued or being fetched. */
  get load(): number {
    return this.#open.size + this.#expected.size;
  }

  fetch(id: string, source: VisitorSource): void {
    const { maxVisitors, maxDials, timings, logger } = this.#options;
    if (this.#isStopped || this.#expected.has(id)) return;
    if (this.load >= maxVisitors) {
      logger.debug(explainFull(maxVisitors));
      return;
    }
    this.#expected.add(id);
    this.#options.onChange?.();
    const invitation = { id, source, deadline: performance.now() + timings.visitor };
    if (this.#dialling.size < maxDials) this.#dial(invitation);
    else this.#queue.push(invitation);
  }

  async stop(drainMs: number): Promise<void> {
    this.#isStopped = true;
    this.#queue.length = 0;
    for (const timer of this.#retries) clearTimeout(timer);
    for (const connection of this.#dialling) connection.abandon();
    this.#spares.stop();
    const deadline = AbortSignal.timeout(drainMs);
    for (const socket of this.#open)
      if (drainMs > 0) await once(socket, 'close', { signal: deadline }).catch(() => {});
    for (const socket of this.#open) resetSocket(socket);
    this.#options.destination.cut();
  }

  #dial(invitation: Invitation): void {
    const { source } = invitation;
    const onDialled = (roundTripMs: number) => this.#onRoundTrip(source, roundTripMs);
    const connection = this.#spares.take(source) ?? this.#connect(source, { onDialled });
    this.#dialling.add(connection);
    connection.accept(invitation.id, {
      onVisitor: (socket, first, end) => {
        this.#forget(connection, invitation);
        this.#deliver(socket, first, end);
        this.#options.onChange?.();
      },
      onFailed: reason => this.#retry(connection, invitation, reason),
    });
    this.#openSpares(source);
  }

  #onRoundTrip(source: VisitorSource, roundTripMs: number): void {
    const shortest = this.#measuredServer === source.address ? this.#roundTripMs : Number.POSITIVE_INFINITY;
    this.#measuredServer = source.address;
    this.#roundTripMs = Math.min(shortest, roundTripMs);
    this.#openSpares(source);
  }

  #openSpares(source: VisitorSource): void {
    const { spareConnections, timings } = this.#options;
    if (!spareConnections || !source.allowsSpares || this.#isStopped) return;
    if (this.#measuredServer !== source.address) return;
    if (this.#roundTripMs >= timings.spareRoundTrip) this.#spares.refill(source);
  }

  #connect(source: VisitorSource, events: ConstructorParameters<typeof DataConnection>[3]): DataConnection {
    const { destination, timings } = this.#options;
    const limits = { timeoutMs: timings.dataConnection, holdMs: timings.spareHold };
    return new DataConnection(source, destination.openEnd(), limits, events);
  }

  #forget(connection: DataConnection, { id }: Invitation): void {
    this.#dialling.delete(connection);
    this.#expected.delete(id);
    this.#dialNext();
  }

  #dialNext(): void {
    while (this.#dialling.size < this.#options.maxDials) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      if (performance.now() < next.deadline) this.#dial(next);
      else this.#giveUp(next, 'no dial was free in time');
    }
  }

  #retry(connection: DataConnection, invitation: Invitation, reason: string): void {
    const { visitorRetry } = this.#options.timings;
    if (performance.now() + visitorRetry >= invitation.deadline) {
      this.#giveUp(invitation, reason);
      this.#forget(connection, invitation);
      return;
    }
    // The failed connection counts as being dialled until another one replaces it.
    const timer = setTimeout(() => {
      this.#retries.delete(timer);
      this.#dialling.delete(connection);
      this.#dial(invitation);
    }, visitorRetry);
    this.#retries.add(timer);
  }

  #giveUp({ id }: Invitation, reason: string): void {
    this.#expected.delete(id);
    this.#options.onChange?.();
    this.#options.logger.debug(`a visitor was lost: ${sanitise(reason)}`);
  }

  #deliver(socket: Socket, first: Buffer, end: PipeEnd | undefined): void {
    const { destination, logger } = this.#options;
    this.#open.add(socket);
    socket.on('close', () => {
      this.#open.delete(socket);
      this.#options.onChange?.();
    });
    try {
      destination.accept(socket, first, end);
    } catch (error) {
      resetSocket(socket);
      logger.error(`a visitor could not be served: ${describeError(error)}`);
    }
  }
}

/** Log text: a visitor is not fetched. */
export function explainFull(maxVisitors: number): string {
  return `a visitor was not fetched: the limit of ${maxVisitors} visitors is reached`;
}
