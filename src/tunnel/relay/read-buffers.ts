// The memory that raw visitors' bytes are read into. Used by relay.ts alone; its rule is what keeps bytes right:
// a buffer that a write may still hold is never read into again before that write is done.

/** Enough for what a small read brings: everybody reads into the same one, and writes a copy. */
const SHARED_BYTES = 64 * 1_024;
/** For one direction in full flow: fewer and larger system calls. */
const OWN_BYTES = 256 * 1_024;
/** Directions with a buffer of their own at a time, 16 MB for each thread; the others go on with copies, a little slower. */
const MAX_OWN = 64;

/** Read by every socket in its turn, and free again when its reader returns. */
export const SHARED = Buffer.allocUnsafeSlow(SHARED_BYTES);

const spare: Buffer[] = [];
let lent = 0;

/** A buffer nobody else reads into, or undefined where too many are lent. To be given back with `giveBack`. */
export function borrow(): Buffer | undefined {
  if (lent >= MAX_OWN) return undefined;
  lent += 1;
  return spare.pop() ?? Buffer.allocUnsafeSlow(OWN_BYTES);
}

/** Only what no write holds any more. */
export function giveBack(buffer: Buffer): void {
  lent -= 1;
  spare.push(buffer);
}
