// The buffers that bytes of sockets are read into. Used by tunnel/relay/pipe.ts, whose opening comment describes a
// buffer's life, and by gateway/upstream/client/reader.ts. To keep the bytes correct, no read goes into a buffer
// while a write may still use it.

/** For small reads: every socket of the thread reads into this one in turn, and what is kept is copied. */
const SHARED_BYTES = 64 * 1_024;
/** For one direction in full flow: fewer and larger system calls. */
const OWN_BYTES = 256 * 1_024;
/** Buffers lent at a time, 16 MB for each thread; other directions go on with copies, a little slower. */
const MAX_LENT = 64;

/** From this size of read on, a copy costs more than a buffer of its own. */
export const BULK_BYTES = 16 * 1_024;

/** Free again when the callback of the read that filled it returns. */
export const SHARED_BUFFER = Buffer.allocUnsafeSlow(SHARED_BYTES);

const free: Buffer[] = [];
let lent = 0;

/** A buffer for one direction only; undefined if too many are lent. Give it back with one of the next two. */
export function borrowBuffer(): Buffer | undefined {
  if (lent >= MAX_LENT) return undefined;
  lent += 1;
  return free.pop() ?? Buffer.allocUnsafeSlow(OWN_BYTES);
}

/** Call it only when no write uses the buffer any more. */
export function returnBuffer(buffer: Buffer): void {
  lent -= 1;
  free.push(buffer);
}

/** For a buffer that a write may use for ever: it is not lent again. */
export function dropBuffer(): void {
  lent -= 1;
}
