// Reads frames off a socket: one by one in a handshake, then as they come, or not at all. Used by session.ts, and
// by server.ts on the other side.

import type { Socket } from 'node:net';
import { FrameDecoder } from './protocol.ts';

/** No frame came: the other side hung up, or time was over. `said` are the bytes that were no frame yet. */
export class NoFrame extends Error {
  readonly why: 'ended' | 'timeout';
  readonly said: Buffer;

  constructor(why: 'ended' | 'timeout', said: Buffer, options: ErrorOptions) {
    super(why === 'ended' ? 'the connection was closed' : 'nothing came in time', options);
    this.name = 'NoFrame';
    this.why = why;
    this.said = said;
  }
}

/** Expects that nobody else reads the socket, and that it has an 'error' handler. */
export class FrameReader {
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Waits for one frame and consumes nothing behind it. Rejects with NoFrame or FrameTooLong. */
  async next(timeoutMs: number): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const fail = (why: 'ended' | 'timeout') =>
      reject(new NoFrame(why, this.#decoder.takeRest(), { cause: this.#socket.errored ?? undefined }));
    const look = () => {
      try {
        const frame = this.#take();
        if (frame !== undefined) resolve(frame);
        else if (this.#socket.destroyed || this.#socket.readableEnded) fail('ended');
      } catch (error) {
        reject(error);
      }
    };
    let isOver = false;
    // After a stall of this process the timer comes first, and what arrived in time is still to be read.
    const timer = setTimeout(() => setImmediate(() => isOver || fail('timeout')), timeoutMs);
    const events = ['readable', 'end', 'close'] as const;
    for (const event of events) this.#socket.on(event, look);
    look();
    try {
      return await promise;
    } finally {
      isOver = true;
      clearTimeout(timer);
      for (const event of events) this.#socket.off(event, look);
    }
  }

  /** From now on every frame is handed over as it comes; `onBroken` gets what is no frame at all, once. */
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
    onData(Buffer.alloc(0)); // what came behind the last frame that was waited for
  }

  /** Gives the socket back: what was read too far is put back in front. */
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
