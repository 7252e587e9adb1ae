// The visitors: fetches each one over a connection of its own, hands it on, and knows who is here. They belong to the
// tunnel and not to a session, because they live on when the control connection is lost. Used by session.ts and
// reconnect.ts.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describeError } from '../../shared/errors.ts';
import { type Logger, sanitise } from '../../shared/log.ts';
import { resetSocket } from '../../shared/reset.ts';
import type { ServerAddress } from '../address.ts';
import { Relay, type VisitorPipeEnd } from '../relay/relay.ts';
import type { Timings } from '../timings.ts';
import type { StreamReceiver } from '../tunnel.ts';
import { DataConnection, type VisitorSource } from './data-connection.ts';
import { SpareConnections } from './spare-connections.ts';

export interface VisitorOptions {
  /** What it throws costs that visitor only. */
  destination: StreamReceiver | Relay;
  logger: Logger;
  timings: Timings;
  /** Whether lines may be opened ahead, on servers that allow it. */
  spareConnections: boolean;
  /** Visitors at a time, fetched and waiting together; more are left to the server, which drops them. */
  maxVisitors: number;
  /** Connections being opened at a time, by this thread. */
  maxDials: number;
  /** Called when `load`, or the destination's count of visits, has changed. */
  onChange?: () => void;
}

/** Who fetches visitors: `Visitors` here, or `SharedVisitors` on two threads. */
export interface VisitorFetcher {
  /** Visitors whose stream was handed on and is not closed yet. */
  readonly open: number;
  /** Fetches the visitor that `source` announced as `id`, now or when it is their turn. */
  invite(id: string, source: VisitorSource): void;
  /** Takes nobody in any more; those who are here may finish within `drainMs`, then they are cut off. */
  stop(drainMs: number): Promise<void>;
}

interface Invitation {
  id: string;
  source: VisitorSource;
  /** Of performance.now(). */
  deadline: number;
}

export class Visitors implements VisitorFetcher {
  readonly #options: VisitorOptions;
  readonly #here = new Set<Socket>();
  readonly #queue: Invitation[] = [];
  /** Ids queued and being fetched: a second invitation with the same id is no second visitor. */
  readonly #expected = new Set<string>();
  readonly #fetching = new Set<DataConnection>();
  readonly #retries = new Set<NodeJS.Timeout>();
  readonly #spares = new SpareConnections((source, onLost) => this.#connect(source, { onLost }));
  /** The shortest dial to the server of now: one that took longer was only held up, by this machine or that one. */
  #roundTripMs = Number.POSITIVE_INFINITY;
  #dialled: ServerAddress | undefined;
  #isStopped = false;

  constructor(options: VisitorOptions) {
    this.#options = options;
  }

  get open(): number {
    return this.#here.size;
  }

  /** Visitors who are here or on their way. */
  get load(): number {
    return this.#here.size + this.#expected.size;
  }

  invite(id: string, source: VisitorSource): void {
    const { maxVisitors, maxDials, timings, logger } = this.#options;
    if (this.#isStopped || this.#expected.has(id)) return;
    if (this.load >= maxVisitors) {
      logger.debug(`a visitor was left out: ${maxVisitors} are here already`);
      return;
    }
    this.#expected.add(id);
    this.#options.onChange?.();
    const invitation = { id, source, deadline: performance.now() + timings.visitor };
    if (this.#fetching.size < maxDials) this.#fetch(invitation);
    else this.#queue.push(invitation);
  }

  async stop(drainMs: number): Promise<void> {
    this.#isStopped = true;
    this.#queue.length = 0;
    for (const timer of this.#retries) clearTimeout(timer);
    for (const connection of this.#fetching) connection.abandon();
    this.#spares.stop();
    const patience = AbortSignal.timeout(drainMs);
    for (const socket of this.#here)
      if (drainMs > 0) await once(socket, 'close', { signal: patience }).catch(() => {});
    for (const socket of this.#here) resetSocket(socket);
    if (this.#options.destination instanceof Relay) this.#options.destination.cut();
  }

  #fetch(invitation: Invitation): void {
    const { source } = invitation;
    const onDialled = (roundTripMs: number) => {
      const before = this.#dialled === source.address ? this.#roundTripMs : Number.POSITIVE_INFINITY;
      this.#dialled = source.address;
      this.#roundTripMs = Math.min(before, roundTripMs);
      this.#openSpares(source);
    };
    const connection = this.#spares.take(source) ?? this.#connect(source, { onDialled });
    this.#fetching.add(connection);
    connection.accept(invitation.id, {
      onVisitor: (socket, leg, first) => {
        this.#forget(connection, invitation);
        this.#handOn(socket, leg, first);
        this.#options.onChange?.();
      },
      onLost: reason => this.#tryAgain(connection, invitation, reason),
    });
    this.#openSpares(source);
  }

  #openSpares(source: VisitorSource): void {
    const { spareConnections, timings } = this.#options;
    if (!spareConnections || !source.allowsSpares || this.#isStopped || this.#dialled !== source.address)
      return;
    if (this.#roundTripMs >= timings.spareRoundTrip) this.#spares.refill(source);
  }

  #connect(source: VisitorSource, events: ConstructorParameters<typeof DataConnection>[3]): DataConnection {
    const { destination, timings } = this.#options;
    const leg = destination instanceof Relay ? destination.openEnd() : undefined;
    const limits = { timeoutMs: timings.dataConnection, holdMs: timings.spareHold };
    return new DataConnection(source, leg, limits, events);
  }

  #forget(connection: DataConnection, { id }: Invitation): void {
    this.#fetching.delete(connection);
    this.#expected.delete(id);
    this.#fetchNext();
  }

  #fetchNext(): void {
    while (this.#fetching.size < this.#options.maxDials) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      if (performance.now() < next.deadline) this.#fetch(next);
      else this.#giveUp(next, 'it was not their turn in time');
    }
  }

  #tryAgain(connection: DataConnection, invitation: Invitation, reason: string): void {
    const { visitorRetry } = this.#options.timings;
    if (performance.now() + visitorRetry >= invitation.deadline) {
      this.#giveUp(invitation, reason);
      this.#forget(connection, invitation);
      return;
    }
    // The connection keeps its place among the dials until it is replaced.
    const timer = setTimeout(() => {
      this.#retries.delete(timer);
      this.#fetching.delete(connection);
      this.#fetch(invitation);
    }, visitorRetry);
    this.#retries.add(timer);
  }

  #giveUp({ id }: Invitation, reason: string): void {
    this.#expected.delete(id);
    this.#options.onChange?.();
    this.#options.logger.debug(`a visitor was lost: ${sanitise(reason)}`);
  }

  #handOn(socket: Socket, leg: VisitorPipeEnd | undefined, first: Buffer): void {
    const { destination, logger } = this.#options;
    this.#here.add(socket);
    socket.on('close', () => {
      this.#here.delete(socket);
      this.#options.onChange?.();
    });
    try {
      if (typeof destination === 'function') {
        if (first.length > 0) socket.unshift(first);
        destination(socket);
      } else if (leg !== undefined) destination.admit(socket, leg, first);
    } catch (error) {
      resetSocket(socket);
      logger.error(`a visitor could not be served: ${describeError(error)}`);
    }
  }
}
