// Raw mode (`protocol: tcp`): carries visitors' bytes to a port of this machine and the answers back, for any protocol.
// Made by exposure/ingress.ts, and on the second thread by visitor-thread.ts; used by visitors/ as a VisitorSink.

import type { Socket } from 'node:net';
import { raceSignal } from '../../shared/abort.ts';
import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { resetSocket } from '../../shared/reset.ts';
import { MAX_VISITORS } from '../timings.ts';
import { type IdleLimits, Pipe, PipeEnd, type Target } from './pipe.ts';

/** bore does not report a visitor who disappears without a close: after this much silence the connection is cut. */
const IDLE_MS = 60 * 60_000;
const HALF_CLOSED_IDLE_MS = 5 * 60_000;
/** How many times idle connections are searched for within the shorter limit. */
const SWEEPS_PER_LIMIT = 5;

export interface RelayOptions extends Partial<IdleLimits> {
  /** Where the app is now; undefined while it is away, and its visitors are reset. */
  target: () => Target | undefined;
  logger: Logger;
  /** Called when a visitor's connections are both closed. */
  onClosed?: () => void;
  /** Set if a second thread may help when there are many visitors; absent: one thread serves all. */
  secondThread?: SecondThreadOptions;
}

export interface SecondThreadOptions {
  /** src/visitor-thread.ts, or its bundle. */
  script: string;
  /** How busy the first thread must be (share of its time, over how many milliseconds) to get help; for tests. */
  busyShare?: number;
  busyMs?: number;
}

/** A relay on another thread, as seen from the first thread. */
export interface WorkerRelay {
  readonly visits: number;
  readonly open: number;
  /** Where the app is from now on; undefined while it is away. */
  setTarget(target: Target | undefined): void;
}

/** Our own probe: the first bytes that it will send, and what to call when they arrive. */
interface AwaitedToken {
  token: Buffer;
  onSeen: () => void;
}

/**
 * Carries the bytes of both directions. The end of one direction is passed on alone (half-close), a broken connection
 * breaks the other one, and a slow reader makes the writer wait. Memory is bounded for each connection.
 */
export class Relay {
  readonly maxVisitors = MAX_VISITORS;
  readonly secondThread: (SecondThreadOptions & { relay: Relay }) | undefined;
  readonly idleLimits: IdleLimits;
  readonly #options: RelayOptions;
  readonly #pipes = new Set<Pipe>();
  #sweeper: NodeJS.Timeout | undefined;
  #visits = 0;
  #awaitedToken: AwaitedToken | undefined;
  readonly #workers: WorkerRelay[] = [];

  constructor(options: RelayOptions) {
    const { secondThread, idleMs = IDLE_MS, halfClosedIdleMs = HALF_CLOSED_IDLE_MS } = options;
    this.#options = options;
    this.idleLimits = { idleMs, halfClosedIdleMs };
    this.secondThread = secondThread && { ...secondThread, relay: this };
  }

  /** Where the app is now. */
  get target(): Target | undefined {
    return this.#options.target();
  }

  /** Visitors since the start, our own probes not counted. */
  get visits(): number {
    return this.#workers.reduce((sum, { visits }) => sum + visits, this.#visits);
  }

  /** Visitors with at least one open connection: their own, or ours to the app. */
  get open(): number {
    return this.#workers.reduce((sum, { open }) => sum + open, this.#pipes.size);
  }

  /** Our own probe is expected. Only this relay can recognise it, not one on another thread. */
  get isAwaitingToken(): boolean {
    return this.#awaitedToken !== undefined;
  }

  /** Counts the visitors of a relay on another thread from now on. */
  addWorker(worker: WorkerRelay): void {
    this.#workers.push(worker);
  }

  /**
   * Sends a changed `target` to the workers at once, because another program may soon use the port that the app left.
   */
  updateTarget(): void {
    const { target } = this;
    for (const worker of this.#workers) worker.setTarget(target);
  }

  /** The reading side of a connection that is about to be opened; until `accept` its bytes belong to the handshake. */
  openEnd(): PipeEnd {
    return new PipeEnd();
  }

  /**
   * From this call on, `socket`, opened with `end`, carries a visitor's bytes; `first` holds those already read. Resets
   * the socket while the app is away.
   */
  accept(socket: Socket, first: Buffer, end: PipeEnd | undefined): void {
    if (end === undefined) throw new TypeError('the connection was not opened with a PipeEnd');
    const { target } = this;
    const { logger } = this.#options;
    if (target === undefined) {
      logger.debug('a visitor was reset: the app is away');
      resetSocket(socket);
      return;
    }
    const pipe = new Pipe(socket, end, target, {
      onAppError: error => logger.debug(`the app broke a connection: ${describeError(error)}`),
      onClosed: () => {
        this.#pipes.delete(pipe);
        this.#options.onClosed?.();
      },
    });
    pipe.begin(first);
    this.#visits += 1;
    if (this.#awaitedToken) this.#inspect(pipe, end, this.#awaitedToken);
    this.#pipes.add(pipe);
    this.#sweeper ??= this.#startSweeping();
  }

  /**
   * Resolves with true when a visitor's first bytes are `token`: it is our own probe, which is reset and not counted.
   * Resolves with false if `signal` is aborted first. Only one call at a time.
   */
  async awaitToken(token: Buffer, signal: AbortSignal): Promise<boolean> {
    const seen = Promise.withResolvers<void>();
    this.#awaitedToken = { token, onSeen: seen.resolve };
    try {
      await raceSignal(seen.promise, signal);
      return true;
    } catch {
      return false;
    } finally {
      this.#awaitedToken = undefined;
    }
  }

  /** Cuts every connection. New connections may follow. */
  cut(): void {
    for (const pipe of this.#pipes) pipe.cut();
  }

  #inspect(pipe: Pipe, end: PipeEnd, { token, onSeen }: AwaitedToken): void {
    end.inspectFirst = first => {
      if (!first.subarray(0, token.length).equals(token)) return false;
      this.#visits -= 1;
      pipe.cut();
      onSeen();
      return true;
    };
  }

  /** Runs while there are connections. */
  #startSweeping(): NodeJS.Timeout {
    const { idleMs, halfClosedIdleMs } = this.idleLimits;
    const timer = setInterval(() => {
      const now = performance.now();
      for (const pipe of this.#pipes) pipe.sweep(now, this.idleLimits);
      if (this.#pipes.size > 0) return;
      clearInterval(timer);
      this.#sweeper = undefined;
    }, Math.min(idleMs, halfClosedIdleMs) / SWEEPS_PER_LIMIT);
    return timer.unref();
  }
}
