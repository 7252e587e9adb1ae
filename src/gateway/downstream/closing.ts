// The end of visitors' streams, the same for every server of this folder.

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { resetSocket } from '../../shared/reset.ts';

/** Resolves when the stream is closed, which it may be already. */
export function awaitClose(stream: Duplex): Promise<void> {
  return new Promise(resolve => {
    if (stream.closed) resolve();
    else stream.once('close', () => resolve());
  });
}

/**
 * Closes the stream at once, a TCP connection with a reset, so that the system forgets what it still holds for a
 * visitor who does not take it. Never throws, whatever kind of stream it is: Node.js resets only a bare TCP socket, and
 * throws ERR_INVALID_HANDLE_TYPE for a TLSSocket, which is a Socket too.
 */
export function cut(stream: Duplex): void {
  try {
    if (stream instanceof Socket && !(stream instanceof TLSSocket)) resetSocket(stream);
    else stream.destroy();
  } catch {
    stream.destroy();
  }
}
