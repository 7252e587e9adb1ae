// Reads frames off a socket: one at a time in a handshake, then each as it comes. Used by session/ on our client's
// side, and by server/server.ts on the other.

import type { Socket } from 'node:net';
import { FrameDecoder } from './protocol.ts';

/** No frame came: the other side hung up, or the time was over. `received`: bytes that are not a whole frame. */
export class NoFrame extends Error {
  readonly reason: 'ended' | 'timeout';
  readonly received: Buffer;

  constructor(reason: 'ended' | 'timeout', received: Buffer, options: ErrorOptions) {
    super(reason === 'ended' ? 'the connection was closed' : 'no frame came in time', options);
    this.name = 'NoFrame';
    this.reason = reason;
    this.received = received;
  }
}

/** Requires a socket that nothing else reads and that has an 'error' handler. */
export class FrameReader {
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Waits for one frame and consumes no byte after it. Rejects with NoFrame or FrameTooLong. */
  async next(timeoutMs: number): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const fail = (reason: 'ended' | 'timeout') =>
      reject(new NoFrame(reason, this.#decoder.takeRest(), { cause: this.#socket.errored ?? undefined }));
    const check = () => {
      try {
        const frame = this.#take();
        if (frame !== undefined) resolve(frame);
        else if (this.#socket.destroyed || this.#socket.readableEnded) fail('ended');
      } catch (error) {
        reject(error);
      }
    };
    let isOver = false;
    // After a stall of this process the timer fires first, while what arrived in time is still unread.
    const timer = setTimeout(() => setImmediate(() => isOver || fail('timeout')), timeoutMs);
    const events = ['readable', 'end', 'close'] as const;
    for (const event of events) this.#socket.on(event, check);
    check();
    try {
      return await promise;
    } finally {
      isOver = true;
      clearTimeout(timer);
      for (const event of events) this.#socket.off(event, check);
    }
  }

  /** Calls `onFrame` with every frame from now on, and `onBroken` once if the bytes cannot be a frame. */
  follow(onFrame: (frame: Buffer) => void, onBroken: (error: unknown) => void): void {
    const onData = (chunk: Buffer) => {
      try {
        this.#decoder.push(chunk);
        for (let frame = this.#decoder.next(); frame; frame = this.#decoder.next()) onFrame(frame);
      } catch (error) {
        this.#socket.off('data', onData).resume();
        onBroken(error);
      }
    };
    this.#socket.on('data', onData);
    onData(Buffer.alloc(0)); // frames that came together with the last one of the handshake
  }

  /** Stops reading: puts the bytes after the last frame back into the socket. */
  release(): void {
    const rest = this.#decoder.takeRest();
    if (rest.length > 0) this.#socket.unshift(rest);
  }

  #take(): Buffer | undefined {
    for (;;) {
      const frame = this.#decoder.next();
      if (frame !== undefined) return frame;
      const chunk: unknown = this.#socket.read();
      if (!Buffer.isBuffer(chunk)) return undefined;
      this.#decoder.push(chunk);
    }
  }
}
