// Finds out whether the visitor of an HTTP/2 session is still there. Used by http2-session.ts.

import type { ServerHttp2Session, Settings } from 'node:http2';

/** The speed of the slowest connection that we expect; the acknowledgement waits behind the bytes sent before it. */
const SLOW_LINE_BYTES_PER_MS = 32;
/** The longest time that these bytes may delay the acknowledgement. */
const MAX_QUEUE_MS = 120_000;

export interface PresenceOptions {
  /** The session's settings; they are sent again, and the visitor must acknowledge them. */
  settings: Settings;
  intervalMs: number;
  /** How long the acknowledgement may take, apart from the time for the bytes sent before it. */
  timeoutMs: number;
  /** Whether to check now. */
  isNeeded: () => boolean;
  /** How many bytes of answers have been sent on the session so far. */
  countSent: () => number;
  /** Called if the visitor does not acknowledge. */
  leave: () => void;
}

/**
 * Sends our settings again and again: every visitor must acknowledge them (RFC 9113, 6.5.3), so one who does not is
 * gone. This is needed because Node may have stopped reading, and then does not notice that a visitor leaves. Node
 * stops without any event after a malformed frame on a session that is closing (after a GOAWAY by either side). Such a
 * session cannot simply be ended, because it must finish its answers: Node's own client, for example, sends GOAWAY and
 * waits for them. A ping would not do, because it does not work on a session that is closing.
 */
export function watchPresence(session: ServerHttp2Session, options: PresenceOptions): void {
  const { settings, intervalMs, timeoutMs, isNeeded, countSent, leave } = options;
  let askedAt: number | undefined;
  let sentBefore = 0;
  const check = () => {
    // A session is destroyed some time before its 'close' event, and cannot send settings in between.
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
