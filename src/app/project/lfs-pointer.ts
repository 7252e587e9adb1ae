// Recognises a pointer of Git LFS, which is in the place of a file if the checkout did not fetch it (git-lfs,
// docs/spec.md). Used for .wasm files, and by `mode: web` for all others.

/** Enough of a file's beginning for `isLfsPointer`. */
export const LFS_START_BYTES = 40;

/** `start`: the beginning of the file, as latin1 or UTF-8. The second host is that of versions before 1.0. */
export function isLfsPointer(start: string): boolean {
  return /^version https:\/\/(git-lfs|hawser)\.github\.com\//.test(start);
}
