// Ways to close a visitor's connection. Used by every server of this folder.

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { resetSocket } from '../../shared/reset.ts';

/** A visitor's broken connection is no event for the gateway; without a listener it would end the process. */
export function ignoreErrors(stream: Duplex): void {
  stream.on('error', () => {});
}

/** Sends what is still buffered, then closes. A visitor who does not take it within `lingerMs` is cut off. */
export function closeFlushed(stream: Duplex, lingerMs: number): void {
  if (stream.destroyed) return;
  const timer = setTimeout(() => stream.destroy(), lingerMs);
  stream.once('close', () => clearTimeout(timer));
  stream.end(() => stream.destroy());
}

/**
 * Closes the stream at once, a TCP connection with a reset, so that the system drops what it still holds for a visitor
 * who does not take it. Never throws, for any kind of stream: Node.js resets only a bare TCP socket, and throws
 * ERR_INVALID_HANDLE_TYPE for a TLSSocket, which is a Socket too.
 */
export function cut(stream: Duplex): void {
  try {
    if (stream instanceof Socket && !(stream instanceof TLSSocket)) resetSocket(stream);
    else stream.destroy();
  } catch {
    stream.destroy();
  }
}
