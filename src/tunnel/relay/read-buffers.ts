// The memory that raw visitors' bytes are read into. Used by pipe.ts alone, whose head describes a buffer's life. The
// rule that keeps bytes right: a buffer is never read into again while a write may still hold it.

/** For small reads: every socket of the thread reads into this one in turn, and writes a copy. */
const SHARED_BYTES = 64 * 1_024;
/** For one direction in full flow: fewer and larger system calls. */
const OWN_BYTES = 256 * 1_024;
/** Buffers lent at a time, 16 MB for each thread; other directions go on with copies, a little slower. */
const MAX_LENT = 64;

/** Free again when the read that filled it returns. */
export const SHARED_BUFFER = Buffer.allocUnsafeSlow(SHARED_BYTES);

const free: Buffer[] = [];
let lent = 0;

/** A buffer for one direction alone, or undefined if too many are lent. To be returned with `returnBuffer`. */
export function borrowBuffer(): Buffer | undefined {
  if (lent >= MAX_LENT) return undefined;
  lent += 1;
  return free.pop() ?? Buffer.allocUnsafeSlow(OWN_BYTES);
}

/** Only a buffer that no write holds any more. */
export function returnBuffer(buffer: Buffer): void {
  lent -= 1;
  free.push(buffer);
}
