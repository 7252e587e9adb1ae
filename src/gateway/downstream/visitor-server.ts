// Node's HTTP server over streams that are handed in: counts them, bounds them in time, and turns everything a visitor
// can ask for (request, upgrade, CONNECT) into one kind of visit. Used by gateway.ts.

import { createServer, type IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { hasBody } from '../visit.ts';
import { awaitClose, cut } from './closing.ts';
import { ConnectionSlots, type RequestShare, type SlotLimits } from './connection-slots.ts';
import { Linger, type LingerLimits } from './linger.ts';
import { QueuedRequests } from './queued-requests.ts';
import { watchStalledReaders } from './stalled-readers.ts';

export interface VisitorLimits extends LingerLimits, SlotLimits {
  /** For a request's head: a browser sends it at once, and who takes longer is holding connections open (slowloris). */
  headersTimeoutMs: number;
  /** For a whole request, a big upload over a slow line included. */
  requestTimeoutMs: number;
  /** For a visitor to take some of the bytes that wait for it. */
  stalledMs: number;
  /** Between two requests; over a minute, as browsers and proxies like it. */
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

/**
 * Pipelined requests wait until the answer before them is out, as it has to go first anyway. Browsers send one at a
 * time; a connection that has more than this in the queue is closed.
 */
const HTTP1_SHARE: RequestShare = { active: 1, open: 64 };

/** How often Node looks for requests over their time. */
const CHECK_INTERVAL_MS = 1_000;

/** What a visitor asked for, before anything is known about it. */
export interface Arrival {
  request: IncomingMessage;
  response: ServerResponse;
  awaitsContinue: boolean;
  upgrade: { socket: Duplex; head: Buffer } | undefined;
  /** The visitor has shown the key, or needs none. */
  markAuthenticated: () => void;
}

/** Before it is known whose slot it has. */
export type BareArrival = Omit<Arrival, 'markAuthenticated'>;

export interface VisitorServer {
  /** Owns the stream from here on. False where it was closed at once: too many are here, or the server has stopped. */
  admit(socket: Duplex): boolean;
  /**
   * Admits nobody any more and closes what is idle at once; answers under way, and WebSockets, get `drainMs`. Resolves
   * when every stream is closed. May be called twice.
   */
  stop(drainMs?: number): Promise<void>;
}

/** `slots`: those it shares with other servers. */
export function startVisitorServer(
  limits: VisitorLimits,
  serve: (arrival: Arrival) => void,
  slots = new ConnectionSlots(limits),
): VisitorServer {
  /** All that are not closed yet. */
  const sockets = new Set<Duplex>();
  const queued = new QueuedRequests();
  let stopped = false;
  const stalledReaders = watchStalledReaders(sockets, limits.stalledMs, socket => {
    cut(slots.connectionOf(socket));
    socket.destroy();
  });
  const linger = new Linger(limits);
  // What came in the same packet is still handed over after the end.
  const isOver = (socket: Duplex) => socket.destroyed || linger.isLast(socket);
  const isBusy = (socket: Duplex) => slots.isBusy(socket) || linger.isLast(socket);
  const server = openServer(limits, { linger, isBusy }, arrival => {
    const { request } = arrival;
    const { socket } = request;
    if (isOver(socket)) return;
    if (slots.isBusy(socket)) queued.add(socket, request);
    const close = slots.open(socket, HTTP1_SHARE, {
      begin: () => {
        queued.delete(socket, request);
        if (!isOver(socket)) serve({ ...arrival, markAuthenticated: () => slots.markAuthenticated(socket) });
      },
      evict: () => socket.destroy(),
    });
    // A WebSocket is a request until its connection is closed.
    if (arrival.upgrade !== undefined) return;
    arrival.response.once('close', () => {
      close();
      if (stopped && !slots.isBusy(socket)) closeFlushed(socket);
    });
  });
  return {
    admit: socket => {
      socket.on('error', ignore);
      if (stopped || socket.destroyed || !slots.take(socket)) {
        socket.destroy();
        return false;
      }
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      // As Node does to the connections it accepts itself.
      if (socket instanceof Socket) socket.setNoDelay(true);
      return server.emit('connection', socket);
    },
    stop: async (drainMs = 0) => {
      stopped = true;
      for (const socket of sockets) if (drainMs === 0 || !slots.isBusy(socket)) socket.destroy();
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, drainMs);
      await Promise.all([...sockets].map(socket => awaitClose(socket)));
      clearTimeout(timer);
      stalledReaders.stop();
      server.close();
    },
  };
}

interface Connections {
  linger: Linger;
  /** Whether an answer is still owed there, or the last one is out. */
  isBusy: (socket: Duplex) => boolean;
}

function openServer(
  limits: VisitorLimits,
  { linger, isBusy }: Connections,
  serve: (arrival: BareArrival) => void,
) {
  const server = createServer({
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    // Not even where NODE_OPTIONS asks for it.
    insecureHTTPParser: false,
    // The guard refuses a missing Host too, and lets nothing pass that came behind it; Node would.
    requireHostHeader: false,
    // Any other upgrade (h2c) is ignored, as RFC 9110, 7.8 allows, and its request served as usual.
    shouldUpgradeCallback: isWebSocket,
  });
  // No limit on their number, for Node would drop the rest without a word; the guard refuses too many.
  server.maxHeadersCount = 0;
  const serveRequest = (request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean) => {
    if (hasBody(request)) linger.watch(request, response);
    // Behind an offer that was not taken Node reads no further request: better a new connection than one that stalls.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    serve({ request, response, awaitsContinue, upgrade: undefined });
  };
  server.on('request', (request, response) => serveRequest(request, response, false));
  server.on('checkContinue', (request, response) => serveRequest(request, response, true));
  // Node would answer by itself what else is expected; the guard does, and nothing is answered that is not counted.
  server.on('checkExpectation', (request, response) => serveRequest(request, response, false));
  // Nobody who means well asks to change protocols before the answers to earlier requests are there.
  server.on('upgrade', (request, socket, head) => {
    if (isBusy(socket)) return void socket.destroy();
    const response = openLastResponse(request, socket, linger);
    if (response) serve({ request, response, awaitsContinue: false, upgrade: { socket, head } });
  });
  server.on('connect', (request, socket) => {
    if (isBusy(socket)) return void socket.destroy();
    const response = openLastResponse(request, socket, linger);
    if (response) serve({ request, response, awaitsContinue: false, upgrade: undefined });
  });
  // On a server that never listens this is what arms headersTimeout and requestTimeout.
  server.emit('listening');
  return server;
}

/** Closes a stream whose last bytes may still be on their way out of this process. */
function closeFlushed(socket: Duplex): void {
  socket.end(() => socket.destroy());
}

function isWebSocket(request: IncomingMessage): boolean {
  return request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * An ordinary response on a stream that Node has let go of; the stream ends with it. Undefined, and the stream closed,
 * where Node still has an answer of its own there.
 */
function openLastResponse(
  request: IncomingMessage,
  socket: Duplex,
  linger: Linger,
): ServerResponse | undefined {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  try {
    response.assignSocket(request.socket);
  } catch {
    socket.destroy();
    return undefined;
  }
  // Node's own listeners left with its parser.
  socket.on('error', ignore).on('drain', () => response.emit('drain'));
  linger.watchLast(response, socket);
  return response;
}

function ignore(): void {}
