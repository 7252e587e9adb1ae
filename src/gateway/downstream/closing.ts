// Ways to close a visitor's connection. Used by every server of this folder.

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { resetSocket } from '../../shared/reset.ts';

/**
 * The gateway need not react to a visitor's broken connection, but an 'error' without a listener would end the process.
 */
export function ignoreErrors(stream: Duplex): void {
  stream.on('error', () => {});
}

/** Sends what is still buffered, then closes. If that takes longer than `lingerMs`, cuts the connection. */
export function closeFlushed(stream: Duplex, lingerMs: number): void {
  if (stream.destroyed) return;
  const timer = setTimeout(() => stream.destroy(), lingerMs);
  stream.once('close', () => clearTimeout(timer));
  stream.end(() => stream.destroy());
}

/**
 * Closes the stream at once. A TCP connection is reset, so that the system drops the bytes that a visitor does not
 * read. Never throws, for any kind of stream: Node.js can reset only a bare TCP socket, and throws
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
