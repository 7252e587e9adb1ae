// What the servers of this folder have in common: they admit visitors' connections, and limit their number and their
// times. Used by all of them, and by gateway.ts.

import type { Duplex } from 'node:stream';
import type { SlotLimits } from './connection-slots.ts';
import type { LingerLimits } from './linger.ts';

export interface VisitorServer {
  /** Takes over the connection. False if it was closed at once: there is no slot for it, or the server has stopped. */
  admit(connection: Duplex): boolean;
  /**
   * Admits no more connections, and closes idle ones at once. Unfinished answers, and WebSockets, get `drainMs`
   * (default 0). Resolves when every connection is closed. May be called twice.
   */
  stop(drainMs?: number): Promise<void>;
}

export interface VisitorLimits extends LingerLimits, SlotLimits {
  /** For a request's head. Browsers send it at once; a slower visitor may be an attacker (slowloris). */
  headersTimeoutMs: number;
  /** For each 16 KB of an upload (see slow-uploads.ts). The whole upload may take any time. */
  requestTimeoutMs: number;
  /** How long bytes may wait for a visitor that reads none of them, and the gateway for one that sends no more. */
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
