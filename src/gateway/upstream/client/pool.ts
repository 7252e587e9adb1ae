// The client for HTTP/1.1: connections to one server, each for one request at a time. Used by app-link.ts and
// webhooks/replay.ts.
//
// A connection is chosen synchronously, but only when everything that has already arrived has been read (setImmediate):
// so a server that has closed an idle connection, or sent bytes on it that nobody asked for, is noticed before the next
// request goes there. For the same reason, a connection rests until the next turn of the event loop after each answer.

import { toError } from '../../../shared/errors.ts';
import { Connection, type ConnectionOwner, type Server } from './connection.ts';
import { ClientError } from './errors.ts';
import { Flight } from './flight.ts';
import type { AnswerHandler, RequestMessage } from './message.ts';

/**
 * As many as the requests that connection-slots.ts lets run in both groups, so that no request waits for a connection.
 */
const MAX_CONNECTIONS = 1_280;

/** Less than the 5 s after which Node and many others close an idle connection, so that we close it first. */
const IDLE_MS = 4_000;

/** One timer looks after all connections: one for each would cost more than a request. */
const SWEEP_MS = 500;

/** Sends requests, and calls their handlers. */
export interface Client {
  dispatch(message: RequestMessage, handler: AnswerHandler): void;
}

export class Pool implements Client, ConnectionOwner {
  readonly #server: Server;
  readonly #keepsAlive: boolean;
  readonly #maxConnections: number;
  readonly #all = new Set<Connection>();
  /** The one used last is at the end, and is used first. Some may have closed. */
  #idle: Connection[] = [];
  /** Those that become idle with the next turn. */
  #resting: Connection[] = [];
  #waiting: Flight[] = [];
  #isScheduled = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #onEmpty: (() => void)[] = [];
  #isClosed = false;

  /** `keepsAlive`: false to use each connection only once. `maxConnections`: for tests. */
  constructor(
    server: Server,
    { keepsAlive, maxConnections = MAX_CONNECTIONS }: { keepsAlive: boolean; maxConnections?: number },
  ) {
    this.#server = server;
    this.#keepsAlive = keepsAlive;
    this.#maxConnections = maxConnections;
  }

  dispatch(message: RequestMessage, handler: AnswerHandler): void {
    try {
      if (this.#isClosed) throw left();
      this.#waiting.push(new Flight(message, handler, this.#keepsAlive));
    } catch (error) {
      handler.onError(toError(error));
      return;
    }
    this.#schedule();
  }

  /** Fails every request; resolves when all connections are closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { handler } of this.#waiting.splice(0)) handler.onError(left());
    for (const connection of this.#all) connection.fail(left());
    if (this.#all.size > 0) await new Promise<void>(resolve => void this.#onEmpty.push(resolve));
  }

  onFree(connection: Connection, idleMs: number): void {
    connection.idleUntil = performance.now() + Math.min(idleMs, IDLE_MS);
    this.#resting.push(connection);
    this.#schedule();
  }

  onGone(connection: Connection): void {
    this.#all.delete(connection);
    if (this.#waiting.length > 0) this.#schedule();
    if (this.#all.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#assign());
  }

  #assign(): void {
    this.#isScheduled = false;
    const now = performance.now();
    const flights = this.#waiting;
    this.#waiting = [];
    for (const flight of flights) this.#attempt(flight, now);
    this.#idle.push(...this.#resting);
    this.#resting = [];
    // A request that found none would otherwise wait until another connection becomes free. An upgrade needs a new one.
    const isWanted = this.#waiting.some(({ message }) => message.upgrade === undefined);
    if (isWanted && this.#idle.length > 0) this.#schedule();
  }

  /** An exception fails this one request, not those behind it: nobody above catches it. */
  #attempt(flight: Flight, now: number): void {
    try {
      this.#send(flight, now);
    } catch (error) {
      flight.handler.onError(toError(error));
    }
  }

  #send(flight: Flight, now: number): void {
    const idle = flight.message.upgrade === undefined ? this.#takeIdle(now) : undefined;
    if (idle !== undefined) idle.send(flight);
    else if (this.#all.size < this.#maxConnections) this.#open(flight);
    else this.#waiting.push(flight);
  }

  #takeIdle(now: number): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined || connection.isFree(now)) return connection;
    }
  }

  #open(flight: Flight): void {
    this.#all.add(new Connection(this.#server, flight, this));
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  #sweep(): void {
    const now = performance.now();
    for (const connection of this.#all) connection.sweep(now);
    this.#idle = this.#idle.filter(connection => connection.isFree(now));
  }
}

function left(): ClientError {
  return new ClientError('ERR_APP_LEFT', 'the app stopped, or moved to another port');
}
