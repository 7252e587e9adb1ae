// Finds out whether the visitor of an HTTP/2 session is still there. Used by http2-session.ts.

import type { ServerHttp2Session, Settings } from 'node:http2';

/** An acknowledgement may take as long as the bytes sent before it take on a line this slow, … */
const SLOW_LINE_BYTES_PER_MS = 32;
/** … but no longer than this. */
const MAX_QUEUE_MS = 120_000;

export interface PresenceOptions {
  /** Sent again for the visitor to acknowledge. */
  settings: Settings;
  intervalMs: number;
  /** For the acknowledgement, beside the time for what was sent before it. */
  timeoutMs: number;
  /** Whether to check now. */
  isNeeded: () => boolean;
  /** Bytes sent so far. */
  countSent: () => number;
  /** Called if the visitor does not acknowledge. */
  leave: () => void;
}

/**
 * Sends our settings again and again, because every visitor has to acknowledge them (RFC 9113, 6.5.3): Node may have
 * stopped reading, and then does not see a visitor leave. It stops without any event after a malformed frame on a session
 * that is closing, by the visitor's GOAWAY or by ours. Such a session must go on until its answers are out: Node's own
 * client, for one, sends GOAWAY and waits. (A ping does not work on a session that is closing.)
 */
export function watchPresence(session: ServerHttp2Session, options: PresenceOptions): void {
  const { settings, intervalMs, timeoutMs, isNeeded, countSent, leave } = options;
  let askedAt: number | undefined;
  let sentBefore = 0;
  const check = () => {
    // A session is destroyed some time before it is closed, and takes no settings any more.
    if (session.destroyed) return;
    const now = performance.now();
    if (askedAt !== undefined) {
      const queueMs = Math.min((countSent() - sentBefore) / SLOW_LINE_BYTES_PER_MS, MAX_QUEUE_MS);
      if (now - askedAt > timeoutMs + queueMs) leave();
      return;
    }
    if (!isNeeded()) return;
    askedAt = now;
    session.settings(settings, () => {
      askedAt = undefined;
      sentBefore = countSent();
    });
  };
  const timer = setInterval(check, intervalMs);
  session.once('close', () => clearInterval(timer));
}
