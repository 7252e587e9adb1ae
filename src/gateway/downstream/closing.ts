// The end of visitors' streams, the same for every server of this folder.

import type { Duplex } from 'node:stream';

/** Resolves when the stream is closed, which it may be already. */
export function awaitClose(stream: Duplex): Promise<void> {
  return new Promise(resolve => {
    if (stream.closed) resolve();
    else stream.once('close', () => resolve());
  });
}
