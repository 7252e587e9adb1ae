// Chooses the buffers that one connection's bytes are read into (see tunnel/relay/pipe.ts). Used by connection.ts.
//
// Small reads go into the buffer that all connections share, and whoever gets them copies what is kept. A read of
// BULK_BYTES means the answer is in full flow: then the connection borrows a buffer of its own, whose pieces are lent to
// whoever writes them on. The next read goes into another buffer, unless all of them have come back.

import type { OnReadOpts } from 'node:net';
import {
  BULK_BYTES,
  borrowBuffer,
  dropBuffer,
  returnBuffer,
  SHARED_BUFFER,
} from '../../../shared/read-buffers.ts';
import type { GiveBack } from './message.ts';

export class Reader {
  /** To be given to `net.connect`. */
  readonly onread: OnReadOpts;
  readonly #lent = new Set<LentBuffer>();
  #own: LentBuffer | undefined;
  /** Whether what was read is worth a buffer: a small piece must not hold a large one. */
  #isBulk = false;

  /** `onRead` gets what was read, valid until it returns; false pauses the socket. */
  constructor(onRead: (bytes: Buffer) => boolean) {
    this.onread = {
      buffer: () => this.#own?.bytes ?? SHARED_BUFFER,
      callback: length => {
        this.#isBulk = length >= BULK_BYTES;
        const goesOn = onRead((this.#own?.bytes ?? SHARED_BUFFER).subarray(0, length));
        this.#chooseNext();
        return goesOn;
      },
    };
  }

  /** During `onRead`: lends a piece of what was read; undefined if it must be copied. */
  lend(): GiveBack | undefined {
    return this.#isBulk ? this.#own?.lend() : undefined;
  }

  /** Nothing is read any more. */
  close(): void {
    this.#release();
    // Whoever has not given a piece back may never do so: these buffers are left to the garbage collector.
    for (const buffer of this.#lent) buffer.drop();
    this.#lent.clear();
  }

  #chooseNext(): void {
    if (this.#own !== undefined && (!this.#isBulk || this.#own.isLent)) this.#release();
    if (this.#isBulk) this.#own ??= this.#borrow();
  }

  #borrow(): LentBuffer | undefined {
    const bytes = borrowBuffer();
    if (bytes === undefined) return undefined;
    const buffer = new LentBuffer(bytes, () => this.#lent.delete(buffer));
    this.#lent.add(buffer);
    return buffer;
  }

  #release(): void {
    this.#own?.release();
    this.#own = undefined;
  }
}

/** A borrowed buffer. It goes back when its reader and everybody who has a piece of it have released it. */
class LentBuffer {
  readonly bytes: Buffer;
  readonly giveBack: GiveBack;
  readonly #onGone: () => void;
  #pieces = 0;
  #isRead = true;
  #isGone = false;

  constructor(bytes: Buffer, onGone: () => void) {
    this.bytes = bytes;
    this.#onGone = onGone;
    this.giveBack = error => {
      this.#pieces -= 1;
      if (error) this.drop();
      else this.#returnIfFree();
    };
  }

  get isLent(): boolean {
    return this.#pieces > 0;
  }

  lend(): GiveBack {
    this.#pieces += 1;
    return this.giveBack;
  }

  release(): void {
    this.#isRead = false;
    this.#returnIfFree();
  }

  /** Never to be used again: nobody knows whether something is still written from it. */
  drop(): void {
    if (!this.#end()) return;
    dropBuffer();
  }

  #returnIfFree(): void {
    if (this.#isRead || this.#pieces > 0 || !this.#end()) return;
    returnBuffer(this.bytes);
  }

  #end(): boolean {
    if (this.#isGone) return false;
    this.#isGone = true;
    this.#onGone();
    return true;
  }
}
