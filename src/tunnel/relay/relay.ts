// Raw mode (`protocol: tcp`): carries visitors' bytes to a port of this machine and the answers back, whatever protocol
// they speak. Made by ingress.ts, fed by visitors.ts.

import { connect, type OnReadOpts, type Socket } from 'node:net';
import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { resetSocket } from '../../shared/reset.ts';
import { borrow, giveBack, SHARED } from './read-buffers.ts';

/** A read of this size is a direction in full flow: from here on a copy costs more than a buffer of its own. */
const BULK_BYTES = 16 * 1_024;
/** A connection on which nothing moved for this long is forgotten: a visitor who vanished is never reported (bore). */
const IDLE_MS = 60 * 60_000;
/** The same where one side has said its last word and the other stays silent. */
const HALF_CLOSED_IDLE_MS = 5 * 60_000;
/** How often they are looked for, as a part of the shorter limit. */
const SWEEPS_PER_LIMIT = 5;
/** First probe after this much silence; the kernel notices a dead peer some minutes later. */
const KEEP_ALIVE_MS = 30_000;

export interface RelayOptions {
  /** Where the app is now; undefined while it is away, and its visitors are reset. */
  target: () => { host: string; port: number } | undefined;
  logger: Logger;
  /** Called when a visitor's connections are both closed. */
  onClosed?: () => void;
  /** Silence after which a connection is cut, in milliseconds; other numbers for tests. */
  idleMs?: number;
  halfClosedIdleMs?: number;
  /** For visitors that are too many for one thread; absent: there is only one. */
  secondThread?: {
    /** src/visitor-thread.ts, or its bundle. */
    script: string;
    /** How much of its time the first thread has to work, over how many milliseconds; other numbers for tests. */
    busyShare?: number;
    busyMs?: number;
  };
}

/** A relay on another thread, as the first one knows it. */
export interface WorkerRelay {
  readonly visits: number;
  readonly open: number;
  /** Where the app is from now on; undefined while it is away. */
  follow(target: { host: string; port: number } | undefined): void;
}

/** The reading side of a visitor's connection that is about to be opened. */
export interface VisitorPipeEnd {
  /** For `net.connect`. */
  readonly socketOptions: { onread: OnReadOpts; writableHighWaterMark: number };
  /** Gets what is read before `begin`, as copies. */
  hear: (chunk: Buffer) => void;
}

/**
 * Both directions to their ends: the end of one is passed on as such (half-close), a broken connection takes the other
 * with it, and a reader who is slow makes the writer wait. Memory is bounded per connection.
 */
export class Relay {
  readonly options: RelayOptions;
  readonly #bridges = new Set<Pipe>();
  #sweeper: NodeJS.Timeout | undefined;
  #visits = 0;
  #awaited: { token: Buffer; seen: () => void } | undefined;
  readonly #workers: WorkerRelay[] = [];

  constructor(options: RelayOptions) {
    this.options = options;
  }

  /** Visitors since the start, our own probes not counted. */
  get visits(): number {
    return this.#workers.reduce((sum, { visits }) => sum + visits, this.#visits);
  }

  /** Visitors whose connections, that to the app too, are not closed yet. */
  get open(): number {
    return this.#workers.reduce((sum, { open }) => sum + open, this.#bridges.size);
  }

  /** Our own probe is on its way, and has to come out here and not in a branch. */
  get isAwaitingToken(): boolean {
    return this.#awaited !== undefined;
  }

  /** Counts the visitors of a relay on another thread from now on. */
  addWorker(branch: WorkerRelay): void {
    this.#workers.push(branch);
  }

  /** `target` may say something else from now on: a port that the app has left may be somebody else's soon. */
  updateTarget(): void {
    const target = this.options.target();
    for (const branch of this.#workers) branch.follow(target);
  }

  /** The reading side of a visitor's connection, before it is opened; until `admit` its bytes are the handshake's. */
  openEnd(): VisitorPipeEnd {
    return new PipeEnd();
  }

  /**
   * What `socket`, opened with `leg`, brings from here on is the visitor's, and comes behind `first`. Resets it while the
   * app is away.
   */
  admit(socket: Socket, leg: VisitorPipeEnd, first: Buffer): void {
    const target = this.options.target();
    if (target === undefined) {
      this.options.logger.debug('a visitor was reset: the app is away');
      resetSocket(socket);
      return;
    }
    if (!(leg instanceof PipeEnd)) throw new TypeError('a leg of another relay');
    const bridge = new Pipe(socket, leg, target, {
      onAppError: error => this.options.logger.debug(`the app broke a connection: ${describeError(error)}`),
      onClosed: () => {
        this.#bridges.delete(bridge);
        this.options.onClosed?.();
      },
    });
    bridge.begin(first);
    this.#visits += 1;
    if (this.#awaited) this.#inspect(bridge, leg, this.#awaited);
    this.#bridges.add(bridge);
    this.#sweeper ??= this.#startSweeping();
  }

  /**
   * True when a visitor whose first bytes are `token` came in before `signal` says so, and false else. That visitor is
   * ourselves: it is reset, and not counted. One at a time.
   */
  awaitToken(token: Buffer, signal: AbortSignal): Promise<boolean> {
    return new Promise(resolve => {
      const settle = (seen: boolean) => {
        signal.removeEventListener('abort', onAbort);
        this.#awaited = undefined;
        resolve(seen);
      };
      const onAbort = () => settle(false);
      if (signal.aborted) return resolve(false);
      signal.addEventListener('abort', onAbort, { once: true });
      this.#awaited = { token, seen: () => settle(true) };
    });
  }

  /** Cuts every connection. More may come. */
  cut(): void {
    for (const bridge of this.#bridges) bridge.cut();
  }

  #inspect(bridge: Pipe, leg: PipeEnd, { token, seen }: { token: Buffer; seen: () => void }): void {
    leg.inspect = first => {
      if (!first.subarray(0, token.length).equals(token)) return false;
      this.#visits -= 1;
      bridge.cut();
      seen();
      return true;
    };
  }

  /** Runs while there are connections. */
  #startSweeping(): NodeJS.Timeout {
    const { idleMs = IDLE_MS, halfClosedIdleMs = HALF_CLOSED_IDLE_MS } = this.options;
    const interval = Math.min(idleMs, halfClosedIdleMs) / SWEEPS_PER_LIMIT;
    const timer = setInterval(() => {
      const now = performance.now();
      for (const bridge of this.#bridges) bridge.sweep(now, idleMs, halfClosedIdleMs);
      if (this.#bridges.size > 0) return;
      clearInterval(timer);
      this.#sweeper = undefined;
    }, interval);
    return timer.unref();
  }
}

/** One visitor and the connection to the app made for it. */
class Pipe {
  readonly #visitor: PipeEnd;
  readonly #app: PipeEnd;
  readonly #toApp: Socket;
  #isKeptAlive = false;
  #movedAt = performance.now();

  constructor(
    socket: Socket,
    visitor: PipeEnd,
    target: { host: string; port: number },
    events: { onAppError: (error: Error) => void; onClosed: () => void },
  ) {
    const app = new PipeEnd();
    const toApp = connect({
      ...target,
      noDelay: true,
      allowHalfOpen: true,
      ...app.socketOptions,
    });
    toApp.on('error', events.onAppError);
    // Either may outlast the other, with a last word that nobody takes.
    toApp.on('close', () => socket.destroyed && events.onClosed());
    socket.on('close', () => toApp.destroyed && events.onClosed());
    visitor.join(socket, toApp);
    app.join(toApp, socket);
    this.#visitor = visitor;
    this.#app = app;
    this.#toApp = toApp;
  }

  #keepAlive(): void {
    this.#isKeptAlive = true;
    this.#visitor.keepAlive();
    this.#app.keepAlive();
  }

  begin(first: Buffer): void {
    if (first.length > 0) this.#toApp.write(first);
  }

  cut(): void {
    this.#visitor.cut();
    this.#app.cut();
  }

  sweep(now: number, idleMs: number, halfClosedIdleMs: number): void {
    // Both, for each forgets its mark.
    const moved = [this.#visitor.takeMark(), this.#app.takeMark()].includes(true);
    if (moved) this.#movedAt = now;
    const isHalfClosed = this.#visitor.isOver || this.#app.isOver;
    if (now - this.#movedAt >= (isHalfClosed ? halfClosedIdleMs : idleMs)) this.cut();
    // Only here, where long connections come by: it takes four system calls, as many as a short visit has reads.
    else if (!this.#isKeptAlive) this.#keepAlive();
  }
}

/**
 * One socket as a source. Node hands its bytes over in a buffer of ours (`onread`), which saves an allocation and a
 * stream's book-keeping per read: see read-buffers.ts for what may be done with it.
 */
class PipeEnd implements VisitorPipeEnd {
  readonly socketOptions: VisitorPipeEnd['socketOptions'];
  hear: (chunk: Buffer) => void = () => {};
  /** Gets a copy of the first bytes after `join`; true: they are not the peer's. */
  inspect: ((first: Buffer) => boolean) | undefined;
  #socket: Socket | undefined;
  #peer: Socket | undefined;
  #own: Buffer | undefined;
  /** In the hands of a write that is not done. */
  #held: Buffer | undefined;
  #isPaused = false;
  #hasMoved = false;

  constructor() {
    this.socketOptions = {
      onread: { buffer: () => this.#own ?? SHARED, callback: length => this.#read(length) },
      // A write that passes a buffer of ours on is never smaller, and so always ends in 'drain'.
      writableHighWaterMark: BULK_BYTES,
    };
  }

  get isOver(): boolean {
    return this.#socket?.readableEnded === true;
  }

  /** From now on all that is read goes to `peer`. */
  join(socket: Socket, peer: Socket): void {
    this.#socket = socket;
    this.#peer = peer;
    socket.on('end', () => this.#end(peer));
    socket.on('close', () => this.#close());
    peer.on('drain', () => this.#goOn());
    peer.on('close', () => this.#takeBack());
  }

  cut(): void {
    if (this.#socket) resetSocket(this.#socket);
  }

  keepAlive(): void {
    this.#socket?.setKeepAlive(true, KEEP_ALIVE_MS);
  }

  /** Whether anything was read since the last call. */
  takeMark(): boolean {
    const moved = this.#hasMoved;
    this.#hasMoved = false;
    return moved;
  }

  #read(length: number): boolean {
    const buffer = this.#own ?? SHARED;
    const peer = this.#peer;
    if (peer === undefined) {
      this.hear(Buffer.from(buffer.subarray(0, length)));
      return true;
    }
    this.#hasMoved = true;
    if (this.inspect !== undefined && this.#isInspected(buffer.subarray(0, length))) return false;
    const goesOn = length < BULK_BYTES ? this.#copy(peer, buffer, length) : this.#pass(peer, buffer, length);
    this.#isPaused = !goesOn;
    return goesOn;
  }

  #isInspected(chunk: Buffer): boolean {
    const { inspect } = this;
    this.inspect = undefined;
    return inspect?.(Buffer.from(chunk)) ?? false;
  }

  /** The buffer is free when this returns; one of our own is given back, for the flow is a trickle now. */
  #copy(peer: Socket, buffer: Buffer, length: number): boolean {
    const goesOn = peer.write(Buffer.from(buffer.subarray(0, length)));
    this.#release();
    return goesOn;
  }

  #pass(peer: Socket, buffer: Buffer, length: number): boolean {
    if (this.#own === undefined) {
      const goesOn = peer.write(Buffer.from(buffer.subarray(0, length)));
      this.#own = borrow();
      return goesOn;
    }
    peer.write(buffer.subarray(0, length));
    if (peer.writableLength === 0) return true;
    // What the kernel did not take is still to be written out of this buffer: the next read needs another.
    this.#held = this.#own;
    this.#own = borrow();
    return false;
  }

  #goOn(): void {
    this.#takeBack();
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket?.resume();
  }

  #takeBack(): void {
    if (this.#held !== undefined) giveBack(this.#held);
    this.#held = undefined;
  }

  #release(): void {
    if (this.#own !== undefined) giveBack(this.#own);
    this.#own = undefined;
  }

  #end(peer: Socket): void {
    // The last of both ends needs no shutdown of its own: closing says the same.
    if (peer.readableEnded && peer.writableLength === 0) peer.destroy();
    else peer.end();
  }

  #close(): void {
    this.#release();
    const peer = this.#peer;
    if (peer === undefined) return;
    if (!this.isOver) resetSocket(peer);
    else if (this.#socket?.writableFinished === true) return;
    // Its last word was heard, though it listens no more: that much is still passed on.
    else if (peer.writableFinished) peer.destroy();
    else peer.once('finish', () => peer.destroy());
  }
}
