// Node's HTTP/1.1 server, over connections from the tunnel. Turns everything that a visitor can send (request, upgrade,
// CONNECT) into one kind of visit, one at a time on each connection. Used by gateway.ts and tls-front.ts.

import { type IncomingMessage, Server, ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';
import { hasCode } from '../../shared/errors.ts';
import { hasBody, type Upgrade, type Visit, type VisitHandler } from '../visit.ts';
import { TOO_SLOW } from '../webhooks/record/refusals.ts';
import { closeFlushed, cut, ignoreErrors } from './closing.ts';
import { ConnectionSet } from './connection-set.ts';
import type { ConnectionSlots } from './connection-slots.ts';
import { Linger } from './linger.ts';
import { QueuedRequests } from './queued-requests.ts';
import type { RequestShare } from './slot-groups.ts';
import { CountedRequest, SlowUploads } from './slow-uploads.ts';
import { watchStalledReaders } from './stalled-readers.ts';
import type { VisitorLimits, VisitorServer } from './visitor-server.ts';

/**
 * Pipelined requests wait until the answer before them is sent, because answers must keep the order of the requests.
 * Browsers send one request at a time; a connection with more than `open` requests is closed.
 */
const HTTP1_SHARE: RequestShare = { active: 1, open: 64 };

const HTTP2_REFUSAL = [
  'HTTP/1.1 400 Bad Request',
  'content-type: text/plain; charset=utf-8',
  'connection: close',
  '',
  'HTTP/2 works over https only. To expose a gRPC service, use `protocol: tcp`: see docs/tcp.md of expose-action.\n',
].join('\r\n');
/** How long such a client may take to read that. */
const HTTP2_LINGER_MS = 1_000;

/** How often Node looks for requests that have exceeded a time limit. */
const CHECK_INTERVAL_MS = 1_000;

const TIMED_OUT =
  'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nthe upload stood still, or came too slowly\n';

/**
 * Node's server, which answers with 400 what it cannot parse. It says more to a client that begins with HTTP/2 without
 * TLS ("prior knowledge", RFC 9113, 3.3), as gRPC clients do. Not a listener for `clientError`: that would have to
 * answer every other error, too.
 */
class ParsingServer extends Server<typeof CountedRequest> {
  /** Whether an answer is being sent: nothing may be written into it. */
  isBusy: (connection: Duplex) => boolean = () => false;

  override emit(event: string, ...args: unknown[]): boolean {
    const [error, socket] = args;
    const isHttp2 = event === 'clientError' && hasCode(error, 'HPE_PAUSED_H2_UPGRADE');
    if (!isHttp2 || !(socket instanceof Duplex) || this.isBusy(socket)) return super.emit(event, ...args);
    socket.write(HTTP2_REFUSAL);
    closeFlushed(socket, HTTP2_LINGER_MS);
    return true;
  }
}

export class Http1Server implements VisitorServer {
  readonly #limits: VisitorLimits;
  readonly #handler: VisitHandler;
  readonly #slots: ConnectionSlots;
  readonly #connections: ConnectionSet;
  readonly #queued = new QueuedRequests();
  readonly #linger: Linger;
  readonly #stalledReaders: { stop(): void };
  readonly #slowUploads: SlowUploads;
  readonly #server: Server;

  /** Ready at once. `slots` are shared with other servers. */
  constructor(limits: VisitorLimits, handler: VisitHandler, slots: ConnectionSlots) {
    this.#limits = limits;
    this.#handler = handler;
    this.#slots = slots;
    this.#connections = new ConnectionSet(slots);
    this.#linger = new Linger(limits);
    this.#slowUploads = new SlowUploads(limits);
    const { open } = this.#connections;
    this.#stalledReaders = watchStalledReaders(
      () => open,
      limits.stalledMs,
      socket => {
        cut(slots.connectionOf(socket));
        socket.destroy();
      },
    );
    this.#server = this.#openServer();
  }

  admit(connection: Duplex): boolean {
    return this.#connections.admit(connection) && this.#server.emit('connection', connection);
  }

  async stop(drainMs = 0): Promise<void> {
    await this.#connections.stop(drainMs, connection => {
      if (!this.#slots.isBusy(connection)) connection.destroy();
    });
    this.#stalledReaders.stop();
    this.#slowUploads.stop();
    this.#server.close();
  }

  #openServer(): Server {
    const server = new ParsingServer({
      IncomingMessage: CountedRequest,
      headersTimeout: this.#limits.headersTimeoutMs,
      // Node's limit is for the whole request; slow-uploads.ts has a better one.
      requestTimeout: 0,
      keepAliveTimeout: this.#limits.keepAliveMs,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      // Always the strict parser, even if NODE_OPTIONS selects the lenient one.
      insecureHTTPParser: false,
      // The guard refuses a missing Host instead: unlike Node, it also drops the requests behind it.
      requireHostHeader: false,
      // Any other upgrade (h2c) is ignored, as RFC 9110, 7.8 allows, and its request served as usual.
      shouldUpgradeCallback: isWebSocket,
    });
    server.isBusy = connection => this.#slots.isBusy(connection);
    // 0: no limit, because Node would silently drop the fields above it. The guard refuses too many fields.
    server.maxHeadersCount = 0;
    server.on('request', (request, response) => this.#receive(request, response, false));
    server.on('checkContinue', (request, response) => this.#receive(request, response, true));
    // Node would answer an unknown expectation itself. The guard answers it, so that `slots` knows every request.
    server.on('checkExpectation', (request, response) => this.#receive(request, response, false));
    server.on('upgrade', (request, socket, head) => this.#receiveLast(request, socket, head));
    server.on('connect', (request, socket) => this.#receiveLast(request, socket));
    // This server never listens on a port: without this event, headersTimeout would not work.
    server.emit('listening');
    return server;
  }

  #receive(request: IncomingMessage, response: ServerResponse, awaitsContinue: boolean): void {
    if (hasBody(request)) this.#linger.watch(request, response);
    // After an upgrade that was not accepted, Node reads no further request: close the connection instead of stalling
    // it.
    if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    this.#enqueue(request, response, awaitsContinue, undefined);
  }

  /** Handles a request after which Node has detached its parser. `head` is set if it may become a WebSocket. */
  #receiveLast(request: IncomingMessage, socket: Duplex, head?: Buffer): void {
    // No honest client requests another protocol before the answers to earlier requests are sent.
    if (this.#slots.isBusy(socket) || this.#linger.isLast(socket)) return void socket.destroy();
    const response = openLastResponse(request, socket, this.#linger);
    if (response === undefined) return;
    const detachResponse = () => response.detachSocket(request.socket);
    this.#enqueue(request, response, false, head && { socket, head, detachResponse });
  }

  /** Handles the request once the answers before it are sent. */
  #enqueue(
    request: IncomingMessage,
    response: ServerResponse,
    awaitsContinue: boolean,
    upgrade: Upgrade | undefined,
  ): void {
    const { socket } = request;
    if (this.#isOver(socket)) return;
    if (this.#slots.isBusy(socket)) this.#queued.add(socket, request);
    const close = this.#slots.open(socket, HTTP1_SHARE, {
      begin: () => {
        this.#queued.delete(socket, request);
        if (!this.#isOver(socket)) this.#handle(request, response, awaitsContinue, upgrade);
      },
      evict: () => socket.destroy(),
    });
    // A WebSocket counts as an open request until its connection is closed.
    if (upgrade !== undefined) return;
    response.once('close', () => {
      close();
      if (this.#connections.isStopping && !this.#slots.isBusy(socket))
        closeFlushed(socket, this.#limits.lingerMs);
    });
  }

  #handle(
    request: IncomingMessage,
    response: ServerResponse,
    awaitsContinue: boolean,
    upgrade: Upgrade | undefined,
  ): void {
    const visit: Visit = {
      request,
      response,
      app: this.#handler.readApp(),
      address: this.#handler.readAddress(),
      ownHeaders: [],
      markAuthenticated: () => this.#slots.markAuthenticated(request.socket),
      nameVisitor: visitor => this.#slots.nameVisitor(request.socket, visitor),
      markUnauthenticated: () => this.#slots.markUnauthenticated(request.socket),
      awaitsContinue,
      upgrade,
    };
    if (request instanceof CountedRequest && hasBody(request)) this.#watchUpload(request, visit);
    this.#handler.handle(visit);
  }

  /** After the answer, `linger` limits the rest. */
  #watchUpload(request: CountedRequest, visit: Visit): void {
    const { socket } = request;
    const { response } = visit;
    const leave = this.#slowUploads.watch(request, () => {
      visit.recording?.refuse(TOO_SLOW);
      // As Node does for its own limits.
      if (!response.headersSent && socket.writable) socket.write(TIMED_OUT);
      socket.destroy();
    });
    response.once('prefinish', leave).once('close', leave);
  }

  /** True if the request must be ignored: Node still emits requests that came in the same packet as the last one. */
  #isOver(socket: Duplex): boolean {
    return socket.destroyed || this.#linger.isLast(socket);
  }
}

function isWebSocket(request: IncomingMessage): boolean {
  return request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * Opens an ordinary response on a connection from which Node has detached its parser; the connection ends with it. If
 * Node is still writing an answer there, closes the connection and returns undefined.
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
  // Node has removed its own listeners together with its parser.
  ignoreErrors(socket);
  socket.on('drain', () => response.emit('drain'));
  linger.watchLast(response, socket);
  return response;
}
