// What the servers of this folder have in common: a visitor's connection is handed in, and its time and number of
// connections are limited. Used by all of them, and by gateway.ts.

import type { Duplex } from 'node:stream';
import type { SlotLimits } from './connection-slots.ts';
import type { LingerLimits } from './linger.ts';

export interface VisitorServer {
  /** Owns the connection from here on. False if it was closed at once: there is no slot for it, or the server has stopped. */
  admit(connection: Duplex): boolean;
  /**
   * Admits no connection any more and closes idle ones at once; answers under way, and WebSockets, get `drainMs` (0).
   * Resolves when every connection is closed. May be called twice.
   */
  stop(drainMs?: number): Promise<void>;
}

export interface VisitorLimits extends LingerLimits, SlotLimits {
  /** For a request's head: browsers send it at once; a slower visitor only keeps a connection open (slowloris). */
  headersTimeoutMs: number;
  /** For a whole request, including a large upload over a slow line. */
  requestTimeoutMs: number;
  /** For a visitor to take some of the bytes that wait for it. */
  stalledMs: number;
  /** Between two requests; over a minute, as browsers and proxies expect. */
  keepAliveMs: number;
  /** With TLS: for the first byte, and then for the handshake. */
  handshakeTimeoutMs: number;
}

export const VISITOR_LIMITS: VisitorLimits = {
  sockets: 1_024,
  strangers: 256,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 300_000,
  stalledMs: 60_000,
  keepAliveMs: 75_000,
  handshakeTimeoutMs: 10_000,
  lingerMs: 5_000,
  lingerBytes: 1_024 ** 2,
};
