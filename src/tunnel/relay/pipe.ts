// One visitor of raw mode and the connection to the app made for it: a Pipe with two ends. Used by relay.ts; visitors/
// opens data connections with a PipeEnd.
//
// A buffer's life. Node.js reads each socket into a buffer we choose (`onread`), which saves an allocation and a
// stream's book-keeping per read. As long as reads are small, all sockets share one buffer, and what was read is copied
// for the write: the buffer is free again at once. A read of BULK_BYTES means the direction is in full flow: its end
// borrows a buffer of its own, which is written without a copy. If the kernel takes all of it, the next read goes into
// the same buffer. If not, the write holds the buffer until the peer's 'drain'; until then the end reads nothing, and
// then it reads into another one. A small read, or the close of the socket, returns an end's own buffer; 'drain', or
// the close of the peer, the one that a write held.

import { connect, type OnReadOpts, type Socket } from 'node:net';
import { BULK_BYTES, borrowBuffer, returnBuffer, SHARED_BUFFER } from '../../shared/read-buffers.ts';
import { resetSocket } from '../../shared/reset.ts';
import { KEEP_ALIVE_MS } from '../timings.ts';

/** Where the app listens. */
export interface Target {
  host: string;
  port: number;
}

/** Silence after which a connection is cut, in milliseconds. */
export interface IdleLimits {
  idleMs: number;
  /** The limit once one side has ended its direction. */
  halfClosedIdleMs: number;
}

export class Pipe {
  readonly #visitor: PipeEnd;
  readonly #app: PipeEnd;
  readonly #toApp: Socket;
  #isKeptAlive = false;
  #activeAt = performance.now();

  /** Connects to the app. `visitor` is the end that `socket` was opened with. */
  constructor(
    socket: Socket,
    visitor: PipeEnd,
    target: Target,
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
    // Either socket may close last, because it may still have bytes to write.
    toApp.on('close', () => socket.destroyed && events.onClosed());
    socket.on('close', () => toApp.destroyed && events.onClosed());
    visitor.join(socket, toApp);
    app.join(toApp, socket);
    this.#visitor = visitor;
    this.#app = app;
    this.#toApp = toApp;
  }

  /** Sends the app the visitor's bytes that came with the handshake. */
  begin(first: Buffer): void {
    if (first.length > 0) this.#toApp.write(first);
  }

  cut(): void {
    this.#visitor.cut();
    this.#app.cut();
  }

  /** Cuts the pipe if nothing was read for too long; called at intervals. */
  sweep(now: number, { idleMs, halfClosedIdleMs }: IdleLimits): void {
    const visitorWasActive = this.#visitor.takeActivity();
    const appWasActive = this.#app.takeActivity();
    if (visitorWasActive || appWasActive) this.#activeAt = now;
    const isHalfClosed = this.#visitor.hasEnded || this.#app.hasEnded;
    if (now - this.#activeAt >= (isHalfClosed ? halfClosedIdleMs : idleMs)) this.cut();
    // Not earlier: this takes four system calls, as many as a short visit has reads, and only long visits need it.
    else if (!this.#isKeptAlive) this.#keepAlive();
  }

  #keepAlive(): void {
    this.#isKeptAlive = true;
    this.#visitor.keepAlive();
    this.#app.keepAlive();
  }
}

/** One socket of a pipe: reads its bytes and writes them to the other socket, its peer. */
export class PipeEnd {
  /** Options to give to `net.connect`. */
  readonly socketOptions: { onread: OnReadOpts; writableHighWaterMark: number };
  /** Called before `join` with a copy of each chunk that is read. */
  onData: (chunk: Buffer) => void = () => {};
  /** Called with a copy of the first bytes after `join`. If it returns true, they are not passed on. */
  inspectFirst: ((first: Buffer) => boolean) | undefined;
  #socket: Socket | undefined;
  #peer: Socket | undefined;
  #ownBuffer: Buffer | undefined;
  /** A write that is not finished still uses this buffer. */
  #heldBuffer: Buffer | undefined;
  #isPaused = false;
  #wasActive = false;

  constructor() {
    this.socketOptions = {
      onread: { buffer: () => this.#ownBuffer ?? SHARED_BUFFER, callback: length => this.#read(length) },
      // A write from a borrowed buffer always has at least this size, so that 'drain' always follows it.
      writableHighWaterMark: BULK_BYTES,
    };
  }

  /** The other side has ended its direction. */
  get hasEnded(): boolean {
    return this.#socket?.readableEnded === true;
  }

  /** From now on everything read from `socket` is written to `peer`. */
  join(socket: Socket, peer: Socket): void {
    this.#socket = socket;
    this.#peer = peer;
    socket.on('end', () => this.#passEnd(peer));
    socket.on('close', () => this.#onClose());
    peer.on('drain', () => this.#onDrain());
    peer.on('close', () => this.#returnHeld());
  }

  cut(): void {
    if (this.#socket) resetSocket(this.#socket);
  }

  keepAlive(): void {
    this.#socket?.setKeepAlive(true, KEEP_ALIVE_MS);
  }

  /** Whether anything was read since the last call. */
  takeActivity(): boolean {
    const wasActive = this.#wasActive;
    this.#wasActive = false;
    return wasActive;
  }

  /** `length` bytes are in the buffer. Returning false pauses the socket (Node.js, `onread`). */
  #read(length: number): boolean {
    const buffer = this.#ownBuffer ?? SHARED_BUFFER;
    const peer = this.#peer;
    if (peer === undefined) {
      this.onData(Buffer.from(buffer.subarray(0, length)));
      return true;
    }
    this.#wasActive = true;
    if (this.inspectFirst !== undefined && this.#isInspected(buffer.subarray(0, length))) return false;
    const goesOn =
      length < BULK_BYTES ? this.#writeCopy(peer, buffer, length) : this.#writeBulk(peer, buffer, length);
    this.#isPaused = !goesOn;
    return goesOn;
  }

  #isInspected(chunk: Buffer): boolean {
    const { inspectFirst } = this;
    this.inspectFirst = undefined;
    return inspectFirst?.(Buffer.from(chunk)) ?? false;
  }

  #writeCopy(peer: Socket, buffer: Buffer, length: number): boolean {
    const goesOn = peer.write(Buffer.from(buffer.subarray(0, length)));
    this.#returnOwn();
    return goesOn;
  }

  #writeBulk(peer: Socket, buffer: Buffer, length: number): boolean {
    if (this.#ownBuffer === undefined) {
      const goesOn = peer.write(Buffer.from(buffer.subarray(0, length)));
      this.#ownBuffer = borrowBuffer();
      return goesOn;
    }
    peer.write(buffer.subarray(0, length));
    if (peer.writableLength === 0) return true;
    this.#heldBuffer = this.#ownBuffer;
    this.#ownBuffer = borrowBuffer();
    return false;
  }

  #onDrain(): void {
    this.#returnHeld();
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket?.resume();
  }

  #returnHeld(): void {
    if (this.#heldBuffer !== undefined) returnBuffer(this.#heldBuffer);
    this.#heldBuffer = undefined;
  }

  #returnOwn(): void {
    if (this.#ownBuffer !== undefined) returnBuffer(this.#ownBuffer);
    this.#ownBuffer = undefined;
  }

  #passEnd(peer: Socket): void {
    // When both directions have ended, closing the socket is enough: it sends the end, too.
    if (peer.readableEnded && peer.writableLength === 0) peer.destroy();
    else peer.end();
  }

  #onClose(): void {
    this.#returnOwn();
    const peer = this.#peer;
    if (peer === undefined) return;
    if (!this.hasEnded) resetSocket(peer);
    else if (this.#socket?.writableFinished === true) return;
    // This socket ended its direction and then broke: write what it sent to the peer, then close the peer.
    else if (peer.writableFinished) peer.destroy();
    else peer.once('finish', () => peer.destroy());
  }
}
