// HTTP/2 over streams that are handed in after their TLS handshake: turns every request of a session into the kind of
// visit that HTTP/1 makes, and bounds sessions in time, streams and heads. Used by tls-front.ts.

import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { awaitClose } from './closing.ts';
import type { ConnectionSlots, RequestShare } from './connection-slots.ts';
import { Http2Request } from './http2-request.ts';
import { Http2Response, type Http2ResponseEvents } from './http2-response.ts';
import { watchStalledReaders } from './stalled-readers.ts';
import type { Arrival, BareArrival, VisitorLimits, VisitorServer } from './visitor-server.ts';

/** Requests at a time in one session; what browsers ask for at most, and what RFC 9113, 6.5.2 calls reasonable. */
const MAX_STREAMS = 100;
const HTTP2_SHARE: RequestShare = { active: MAX_STREAMS, open: MAX_STREAMS };

/** As much of a head as Node's HTTP/1 parser takes. */
const MAX_HEAD_BYTES = 16 * 1024;

/** Browsers send each cookie as a field of its own. */
const MAX_HEAD_FIELDS = 256;

/** How often sessions that are over are looked for. */
const FINISHED_INTERVAL_MS = 500;

/** While a session is closing: how often a visitor is asked whether it is still there, and for how long it may keep silent. */
const CLOSING_PRESENCE = { intervalMs: 250, timeoutMs: 1_000 };
/** As slow as a line may be, and as long as its queue may take, without its visitor being taken for gone. */
const SLOW_LINE_BYTES_PER_MS = 32;
const MAX_QUEUE_MS = 120_000;

const SESSION_OPTIONS = {
  settings: {
    maxConcurrentStreams: MAX_STREAMS,
    maxHeaderListSize: MAX_HEAD_BYTES,
    // Without it browsers open a connection with HTTP/1.1 for their WebSockets (RFC 8441).
    enableConnectProtocol: false,
  },
  maxHeaderListPairs: MAX_HEAD_FIELDS,
  // What the app says twice is passed on as it says it.
  strictSingleValueFields: false,
  // Rapid reset: a page that is left cancels its requests, but not hundreds again and again.
  streamResetBurst: 2 * MAX_STREAMS,
  streamResetRate: 33,
  maxSessionInvalidFrames: 100,
  // In megabytes: what nghttp2 may hold for one session beside the streams' own buffers.
  maxSessionMemory: 4,
} as const;

export function startHttp2Server(
  limits: VisitorLimits,
  serve: (arrival: Arrival) => void,
  slots: ConnectionSlots,
): VisitorServer {
  const sessions = new Map<ServerHttp2Session, Duplex>();
  /** Open requests. */
  const streams = new Set<ServerHttp2Stream>();
  /** Bytes of answers that visitors have taken, by stream and by session. */
  const taken = new WeakMap<ServerHttp2Stream | ServerHttp2Session, number>();
  const countTaken = (one: ServerHttp2Stream | ServerHttp2Session) => taken.get(one) ?? 0;
  const stalledReaders = watchStalledReaders(
    streams,
    limits.stalledMs,
    stream => stream.destroy(),
    countTaken,
  );
  /** Ends when its requests are over, or its visitor is gone. */
  const closeSession = (session: ServerHttp2Session) => {
    if (session.destroyed) return;
    session.close();
    watchPresence(
      session,
      { ...CLOSING_PRESENCE, isNeeded: () => true },
      {
        countSent: () => countTaken(session),
        leave: () => sessions.get(session)?.destroy(),
      },
    );
  };
  const finished = watchFinished(sessions, limits.lingerMs);
  let stopped = false;

  const openStream = (session: ServerHttp2Session, stream: ServerHttp2Stream, raw: readonly string[]) => {
    stream.on('error', ignore);
    const socket = sessions.get(session);
    if (socket === undefined) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
    // A visitor who never acknowledges our settings is not held to them by Node.
    if (measureHead(raw) > MAX_HEAD_BYTES) return refuseHead(stream);
    if (stopped) return stream.close(constants.NGHTTP2_REFUSED_STREAM);
    streams.add(stream);
    let hasBegun = false;
    const begin = () => {
      if (stream.closed || stream.destroyed || session.destroyed) return;
      hasBegun = true;
      const arrival = openArrival(stream, raw, limits, {
        onLast: () => {
          if (!slots.isAuthenticated(socket)) endAfter(stream, socket, limits, () => closeSession(session));
        },
        onTaken: bytes => {
          for (const one of [stream, session]) taken.set(one, countTaken(one) + bytes);
        },
      });
      serve({ ...arrival, markAuthenticated: () => slots.markAuthenticated(socket) });
    };
    const close = slots.open(socket, HTTP2_SHARE, {
      // A stream that is reset in the packet it came in (rapid reset) has cost the app nothing.
      begin: () => void setImmediate(begin),
      evict: () => {
        stream.close(hasBegun ? constants.NGHTTP2_ENHANCE_YOUR_CALM : constants.NGHTTP2_REFUSED_STREAM);
        // A visitor who reads nothing would not let it end; the app's request must.
        setImmediate(() => stream.destroy());
      },
    });
    stream.once('close', () => {
      streams.delete(stream);
      close();
    });
  };

  return {
    admit: socket => {
      socket.on('error', ignore);
      if (stopped || socket.destroyed || !slots.take(socket)) {
        socket.destroy();
        return false;
      }
      const session = performServerHandshake(socket, SESSION_OPTIONS);
      sessions.set(session, socket);
      session.on('error', ignore);
      session.once('close', () => {
        sessions.delete(session);
        closeFlushed(socket, limits.lingerMs);
      });
      socket.once('close', () => session.destroy());
      // The tunnel's sockets stay half open, so that Node would wait for the answers of a visitor who has left.
      socket.once('end', () => session.destroy());
      session.once('goaway', () => closeSession(session));
      // Node also stops reading while a visitor takes nothing, and would never see that one leave either.
      const presence = { intervalMs: limits.stalledMs / 4, timeoutMs: limits.stalledMs };
      watchPresence(
        session,
        { ...presence, isNeeded: () => slots.isBusy(socket) },
        {
          countSent: () => countTaken(session),
          leave: () => socket.destroy(),
        },
      );
      const watch = watchIdleness(session, limits, () => endSession(session, socket, limits.lingerMs));
      session.on('stream', (stream: ServerHttp2Stream, _head: unknown, _flags: number, raw: string[]) => {
        watch(stream);
        openStream(session, stream, raw);
      });
      return true;
    },
    stop: async (drainMs = 0) => {
      stopped = true;
      const closed = [...sessions.values()].map(awaitClose);
      // GOAWAY: idle sessions end with it, the others with their last stream.
      for (const session of sessions.keys()) if (drainMs > 0) session.close();
      const cut = () => {
        for (const socket of sessions.values()) socket.destroy();
      };
      if (drainMs === 0) cut();
      const timer = setTimeout(cut, drainMs);
      await Promise.all(closed);
      clearTimeout(timer);
      stalledReaders.stop();
      finished.stop();
    },
  };
}

/**
 * Cuts connections whose session is over. Node ends such a connection in an orderly way, and says that the session is
 * closed when the visitor has ended it, too: one who does not, or has left, would keep it for ever.
 */
function watchFinished(
  sessions: ReadonlyMap<ServerHttp2Session, Duplex>,
  lingerMs: number,
): { stop(): void } {
  const since = new WeakMap<ServerHttp2Session, number>();
  const timer = setInterval(() => {
    const now = performance.now();
    for (const [session, socket] of sessions) {
      if (!session.destroyed) continue;
      const at = since.get(session);
      if (at === undefined) since.set(session, now);
      else if (now - at >= lingerMs) socket.destroy();
    }
  }, FINISHED_INTERVAL_MS).unref();
  return { stop: () => clearInterval(timer) };
}

/** Not where it is gone already: the visitor may have taken it back in the same packet. */
function refuseHead(stream: ServerHttp2Stream): void {
  if (stream.closed || stream.destroyed) return;
  try {
    stream.respond({ ':status': 431 }, { endStream: true });
  } catch {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

function openArrival(
  stream: ServerHttp2Stream,
  raw: readonly string[],
  limits: VisitorLimits,
  events: Http2ResponseEvents,
): BareArrival {
  const request = new Http2Request(stream, raw);
  const response = new Http2Response(stream, request.method, events);
  if (!request.complete) boundUpload(stream, request, response, limits);
  return {
    // Both have what the passes, and handlers in this process, use of Node's own; see the tests of tls-front.
    request: request as unknown as IncomingMessage,
    response: response as unknown as ServerResponse,
    awaitsContinue: !request.complete && request.headers.expect?.toLowerCase() === '100-continue',
    upgrade: undefined,
  };
}

/** As of HTTP/1 requests: so long for all of it, and so long for what is left after an early answer. */
function boundUpload(
  stream: ServerHttp2Stream,
  request: Http2Request,
  response: Http2Response,
  limits: VisitorLimits,
): void {
  let timer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), limits.requestTimeoutMs);
  response.once('finish', () => {
    clearTimeout(timer);
    if (request.complete) return;
    request.resume();
    // The answer is whole, and the rest is not wanted (RFC 9113, 8.1).
    timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), limits.lingerMs);
  });
  request.once('end', () => clearTimeout(timer));
  stream.once('close', () => clearTimeout(timer));
}

/** Ends a session without a request: soon after the handshake, later between two requests. Pings keep none alive. */
function watchIdleness(
  session: ServerHttp2Session,
  limits: VisitorLimits,
  end: () => void,
): (stream: ServerHttp2Stream) => void {
  let open = 0;
  let timer = setTimeout(end, limits.headersTimeoutMs);
  session.once('close', () => clearTimeout(timer));
  return stream => {
    clearTimeout(timer);
    open += 1;
    stream.once('close', () => {
      open -= 1;
      if (open > 0 || session.closed) return;
      clearTimeout(timer);
      timer = setTimeout(end, limits.keepAliveMs);
    });
  };
}

/** A session that was refused ends; its other requests may finish, but the refusal itself is taken soon or never. */
function endAfter(
  refused: ServerHttp2Stream,
  socket: Duplex,
  { lingerMs }: VisitorLimits,
  closeSession: () => void,
): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  refused.once('close', () => {
    clearTimeout(timer);
    closeSession();
  });
}

/** With a GOAWAY, if the visitor takes it: one who reads nothing is cut. */
function endSession(session: ServerHttp2Session, socket: Duplex, lingerMs: number): void {
  session.close();
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
}

/**
 * Asks a visitor again and again to acknowledge our settings (RFC 9113, 6.5.3), as long as `isNeeded`, and calls `leave`
 * where it does not: Node can have stopped reading, and would not see the visitor leave. It does so without a word
 * behind what is malformed on a session that is closing, be it by the visitor's GOAWAY or by ours. Such a session goes on
 * until its answers are out: Node's own client, for one, says GOAWAY and waits. (There are no pings on one that closes.)
 * Behind what was sent before, on a slow line, the answer takes longer.
 */
function watchPresence(
  session: ServerHttp2Session,
  { intervalMs, timeoutMs, isNeeded }: { intervalMs: number; timeoutMs: number; isNeeded: () => boolean },
  { countSent, leave }: { countSent: () => number; leave: () => void },
): void {
  let askedAt: number | undefined;
  let sentBefore = 0;
  const ask = () => {
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
    session.settings(SESSION_OPTIONS.settings, () => {
      askedAt = undefined;
      sentBefore = countSent();
    });
  };
  const timer = setInterval(ask, intervalMs);
  session.once('close', () => clearInterval(timer));
}

/** Of a head as RFC 9113, 6.5.2 counts it. */
function measureHead(raw: readonly string[]): number {
  return raw.reduce((sum, text) => sum + text.length + 16, 0);
}

/** Lets the last frames out; a visitor who does not take them, or does not hang up, is cut. */
function closeFlushed(socket: Duplex, lingerMs: number): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
  socket.end(() => socket.destroy());
}

function ignore(): void {}
