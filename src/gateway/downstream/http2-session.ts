// One visitor's HTTP/2 session: turns each request into a visit, as http1-server.ts does, and limits the session's
// time, its number of streams and the size of heads. Used by http2-server.ts.

import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { RawHeaders } from '../raw-headers.ts';
import type { Visit, VisitHandler } from '../visit.ts';
import { TOO_SLOW } from '../webhooks/record/refusals.ts';
import { closeFlushed, ignoreErrors } from './closing.ts';
import type { ConnectionSlots } from './connection-slots.ts';
import { watchPresence } from './http2-presence.ts';
import { Http2Request } from './http2-request.ts';
import { Http2Response } from './http2-response.ts';
import type { RequestShare } from './slot-groups.ts';
import type { SlowUploads } from './slow-uploads.ts';
import type { VisitorLimits } from './visitor-server.ts';

/** Requests at a time in one session: the most that browsers use, and the minimum that RFC 9113, 6.5.2 recommends. */
const MAX_STREAMS = 100;
const HTTP2_SHARE: RequestShare = { active: MAX_STREAMS, open: MAX_STREAMS };

/** The limit of a head in Node's HTTP/1 parser. */
const MAX_HEAD_BYTES = 16 * 1024;

/** High, because browsers send each cookie as a field of its own. */
const MAX_HEAD_FIELDS = 256;

/**
 * While a session is closing: how often the visitor's presence is checked, and how long the acknowledgement may take.
 */
const CLOSING_PRESENCE = { intervalMs: 250, timeoutMs: 1_000 };

export const SESSION_OPTIONS = {
  settings: {
    maxConcurrentStreams: MAX_STREAMS,
    maxHeaderListSize: MAX_HEAD_BYTES,
    // Browsers then open an HTTP/1.1 connection for their WebSockets (RFC 8441).
    enableConnectProtocol: false,
  },
  maxHeaderListPairs: MAX_HEAD_FIELDS,
  // A field that the app sends twice is passed on twice.
  strictSingleValueFields: false,
  // Against rapid reset: a browser that leaves a page cancels its requests, but does not cancel hundreds again and
  // again.
  streamResetBurst: 2 * MAX_STREAMS,
  streamResetRate: 33,
  maxSessionInvalidFrames: 100,
  // In megabytes: how much memory nghttp2 may use for one session, apart from the buffers of its streams.
  maxSessionMemory: 4,
} as const;

/** What the sessions of one server share. */
export interface SessionContext {
  readonly limits: VisitorLimits;
  readonly handler: VisitHandler;
  readonly slots: ConnectionSlots;
  readonly slowUploads: SlowUploads;
  /** Open requests of all sessions → how many bytes of the answer have been sent. */
  readonly streams: Map<ServerHttp2Stream, number>;
  /** True once the server is stopping: then new requests are refused. */
  readonly isStopping: () => boolean;
  readonly onClose: () => void;
}

export class VisitorSession {
  readonly #session: ServerHttp2Session;
  readonly #connection: Duplex;
  readonly #context: SessionContext;
  /** How many bytes of all answers together have been sent. */
  #takenBytes = 0;
  #isClosed = false;
  /** A time of performance.now(): when `cutIfEnded` first found the session ended. */
  #endedAt: number | undefined;

  constructor(session: ServerHttp2Session, connection: Duplex, context: SessionContext) {
    this.#session = session;
    this.#connection = connection;
    this.#context = context;
    session.on('error', () => {});
    session.once('close', () => this.#onClose());
    connection.once('close', () => session.destroy());
    // The tunnel's sockets can be half open, and Node would keep the session of a visitor who has left.
    connection.once('end', () => session.destroy());
    session.once('goaway', () => this.#closeWatched());
    this.#watchBusy();
    const watchStream = watchIdleness(session, context.limits, () => this.#closeIdle());
    session.on('stream', (stream: ServerHttp2Stream, _head: unknown, _flags: number, raw: string[]) => {
      watchStream(stream);
      this.#receive(stream, raw);
    });
  }

  /** Sends a GOAWAY. An idle session ends at once, any other after its last stream. */
  close(): void {
    this.#session.close();
  }

  /**
   * Cuts the connection some time after the session has ended. Node closes such a connection only when the visitor
   * closes it too; if the visitor never does, it would stay open forever.
   */
  cutIfEnded(now: number): void {
    if (!this.#session.destroyed) return;
    this.#endedAt ??= now;
    if (now - this.#endedAt >= this.#context.limits.lingerMs) this.#connection.destroy();
  }

  #onClose(): void {
    this.#isClosed = true;
    this.#context.onClose();
    closeFlushed(this.#connection, this.#context.limits.lingerMs);
  }

  /**
   * Watches busy sessions: Node also stops reading while a visitor does not read, and would not notice that it leaves.
   */
  #watchBusy(): void {
    const { limits, slots } = this.#context;
    watchPresence(this.#session, {
      settings: SESSION_OPTIONS.settings,
      intervalMs: limits.stalledMs / 4,
      timeoutMs: limits.stalledMs,
      isNeeded: () => slots.isBusy(this.#connection),
      countSent: () => this.#takenBytes,
      leave: () => this.#connection.destroy(),
    });
  }

  /** Closes the session when its requests have ended, or its visitor is gone. */
  #closeWatched(): void {
    if (this.#session.destroyed) return;
    this.#session.close();
    watchPresence(this.#session, {
      ...CLOSING_PRESENCE,
      settings: SESSION_OPTIONS.settings,
      isNeeded: () => true,
      countSent: () => this.#takenBytes,
      leave: () => {
        if (!this.#isClosed) this.#connection.destroy();
      },
    });
  }

  /** Sends a GOAWAY, and cuts the connection if that has not closed it in time: the visitor may read nothing. */
  #closeIdle(): void {
    this.#session.close();
    const timer = this.#cutAfterLinger();
    this.#connection.once('close', () => clearTimeout(timer));
  }

  #cutAfterLinger(): NodeJS.Timeout {
    return setTimeout(() => this.#connection.destroy(), this.#context.limits.lingerMs);
  }

  #receive(stream: ServerHttp2Stream, raw: RawHeaders): void {
    ignoreErrors(stream);
    if (this.#isClosed) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    // Node does not enforce this limit until the visitor has acknowledged our settings.
    else if (measureHead(raw) > MAX_HEAD_BYTES) refuseHead(stream);
    else if (this.#context.isStopping()) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else this.#open(stream, raw);
  }

  /** Handles the request when the connection's share allows. */
  #open(stream: ServerHttp2Stream, raw: RawHeaders): void {
    const { slots, streams } = this.#context;
    streams.set(stream, 0);
    let hasBegun = false;
    const begin = () => {
      if (stream.closed || stream.destroyed || this.#session.destroyed) return;
      hasBegun = true;
      this.#handle(stream, raw);
    };
    const close = slots.open(this.#connection, HTTP2_SHARE, {
      // Later, so that a stream that is reset in the same packet (rapid reset) never reaches the app.
      begin: () => void setImmediate(begin),
      evict: () => {
        stream.close(hasBegun ? constants.NGHTTP2_ENHANCE_YOUR_CALM : constants.NGHTTP2_REFUSED_STREAM);
        // If the visitor reads nothing, the stream would stay open, but the app's request must end.
        setImmediate(() => stream.destroy());
      },
    });
    stream.once('close', () => {
      streams.delete(stream);
      close();
    });
  }

  #handle(stream: ServerHttp2Stream, raw: RawHeaders): void {
    const { handler, slots } = this.#context;
    const request = new Http2Request(stream, raw);
    const response = new Http2Response(stream, request.method, {
      onLast: () => {
        if (!slots.isAuthenticated(this.#connection)) this.#closeAfter(stream);
      },
      onTaken: bytes => this.#countTaken(stream, bytes),
    });
    const visit: Visit = {
      request,
      response,
      app: handler.readApp(),
      address: handler.readAddress(),
      ownHeaders: [],
      markAuthenticated: () => slots.markAuthenticated(this.#connection),
      nameVisitor: visitor => slots.nameVisitor(this.#connection, visitor),
      // Its other requests would lose their room.
      markUnauthenticated: () => {},
      awaitsContinue: !request.complete && request.headers.expect?.toLowerCase() === '100-continue',
      upgrade: undefined,
    };
    if (!request.complete) boundUpload(stream, request, visit, this.#context);
    handler.handle(visit);
  }

  /**
   * Closes the session after an answer with `Connection: close`. Its other requests may finish. Cuts the connection if
   * this answer cannot be sent in time.
   */
  #closeAfter(refused: ServerHttp2Stream): void {
    const timer = this.#cutAfterLinger();
    refused.once('close', () => {
      clearTimeout(timer);
      this.#closeWatched();
    });
  }

  #countTaken(stream: ServerHttp2Stream, bytes: number): void {
    this.#takenBytes += bytes;
    const { streams } = this.#context;
    const before = streams.get(stream);
    if (before !== undefined) streams.set(stream, before + bytes);
  }
}

/** Does nothing if the stream has ended: the visitor may have cancelled it in the same packet. */
function refuseHead(stream: ServerHttp2Stream): void {
  if (stream.closed || stream.destroyed) return;
  try {
    stream.respond({ ':status': 431 }, { endStream: true });
  } catch {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

/** Applies the limits of HTTP/1 uploads: for their pace, and for the rest after an early answer. */
function boundUpload(
  stream: ServerHttp2Stream,
  request: Http2Request,
  visit: Visit,
  { slowUploads, limits }: SessionContext,
): void {
  const { response } = visit;
  let timer: NodeJS.Timeout | undefined;
  const leave = slowUploads.watch(request, () => {
    visit.recording?.refuse(TOO_SLOW);
    stream.close(constants.NGHTTP2_CANCEL);
  });
  response.once('finish', () => {
    leave();
    if (request.complete) return;
    request.resume();
    // The answer is complete, so the visitor may stop its upload without an error (RFC 9113, 8.1).
    timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), limits.lingerMs);
  });
  request.once('end', () => clearTimeout(timer));
  stream.once('close', () => {
    leave();
    clearTimeout(timer);
  });
}

/**
 * Calls `end` for a session without a request: soon after the handshake, later between two requests. Pings do not
 * count.
 */
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

/** The size of a head as RFC 9113, 6.5.2 counts it. */
function measureHead(raw: RawHeaders): number {
  return raw.reduce((sum, text) => sum + text.length + 16, 0);
}
