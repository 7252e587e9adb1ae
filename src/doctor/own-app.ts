// The app behind the doctor's own tunnel: a few tiny answers, which prove that a visit reached this process, and a record
// of what arrived. Only paths that begin with a random word are answered. Made by own-tunnel.ts.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** Longest head of a request: above what any check sends. */
const MAX_HEAD_BYTES = 65_536;
/** How long an event stream waits for its visitor: longer than that one waits for the event. */
const PATIENCE_MS = 10_000;
/** First byte of a TLS connection: a handshake record (RFC 8446, 5.1). */
const TLS_HANDSHAKE = 0x16;
/** RFC 6455, 1.3. */
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** The answers, by the last part of the path. */
export type Page = 'proof' | 'half-close' | 'events' | 'upload' | 'websocket';

/** The head of a request as it arrived. */
export type Arrival = Pick<IncomingMessage, 'headers' | 'httpVersion'>;

export class OwnApp {
  /** Body of every answer: only this process knows it. */
  readonly proof = randomBytes(16).toString('hex');
  /** Whether a visitor's TLS has arrived here, which nothing in between has ended. */
  sawTls = false;
  readonly #word = randomBytes(16).toString('hex');
  #paths = 0;
  readonly #arrivals = new Map<string, Arrival>();
  readonly #uploads = new Map<string, PromiseWithResolvers<void>>();
  readonly #received = new Map<string, PromiseWithResolvers<void>>();
  readonly #server = createServer({ maxHeaderSize: MAX_HEAD_BYTES, requestTimeout: 0 });

  constructor() {
    this.#server.on('request', (request, response) => void this.#answer(request, response));
    this.#server.on('upgrade', (request, socket) => this.#upgrade(request, socket));
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** A path for one visit, never the same twice. */
  pathOf(page: Page): string {
    this.#paths += 1;
    return `/${this.#word}/${this.#paths}/${page}`;
  }

  /** What arrived at a path of `pathOf`; undefined if nothing did. */
  arrivalAt(path: string): Arrival | undefined {
    return this.#arrivals.get(path);
  }

  /** Resolves when the first bytes of the upload to this path have arrived. */
  uploadBegins(path: string): Promise<void> {
    return find(this.#uploads, path).promise;
  }

  /** The visitor has the first event: the stream at this path may end. */
  confirmEvent(path: string): void {
    find(this.#received, path).resolve();
  }

  /** Takes a connection of the tunnel. */
  readonly receive = (visitor: Duplex): void => {
    visitor.on('error', () => {});
    visitor.once('readable', () => {
      const first: unknown = visitor.read();
      if (!Buffer.isBuffer(first)) return void visitor.destroy();
      if (first[0] === TLS_HANDSHAKE) {
        this.sawTls = true;
        return void visitor.destroy();
      }
      visitor.unshift(first);
      const isHalfClosing =
        /^GET \/(\w+)\/\w+\/half-close /.exec(first.toString('latin1'))?.[1] === this.#word;
      if (isHalfClosing) this.#answerAfterEnd(visitor);
      else this.#server.emit('connection', visitor);
    });
  };

  /** The answer is sent only once the visitor's sending direction has ended, which Node's HTTP server does not wait for. */
  #answerAfterEnd(visitor: Duplex): void {
    visitor.resume().once('end', () => {
      visitor.end(
        `HTTP/1.1 200 OK\r\nContent-Length: ${this.proof.length}\r\nConnection: close\r\n\r\n${this.proof}`,
      );
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url = '' } = request;
    // Only a server in between says what time it is.
    response.sendDate = false;
    if (!url.startsWith(`/${this.#word}/`)) return void response.writeHead(404).end();
    this.#arrivals.set(url, request);
    if (url.endsWith('/events')) return this.#stream(url, response);
    if (url.endsWith('/upload')) await this.#readUpload(url, request);
    // An upgrade that a proxy has made a plain request of.
    if (url.endsWith('/websocket')) response.statusCode = 426;
    response.setHeader('Content-Type', 'text/plain').end(this.proof);
  }

  /** One event, and the end only when the visitor has it. */
  async #stream(path: string, response: ServerResponse): Promise<void> {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
    response.write(`data: ${this.proof}\n\n`);
    const patience = AbortSignal.timeout(PATIENCE_MS);
    const over = once(patience, 'abort');
    await Promise.race([find(this.#received, path).promise, over]);
    response.end();
  }

  async #readUpload(path: string, request: IncomingMessage): Promise<void> {
    request.once('data', () => find(this.#uploads, path).resolve());
    await once(
      request.on('error', () => {}),
      'close',
    );
  }

  /** Accepts a WebSocket (RFC 6455, 4.2.2), and gives every byte back. */
  #upgrade(request: IncomingMessage, socket: Duplex): void {
    socket.on('error', () => {});
    const { url = '', headers } = request;
    if (!url.startsWith(`/${this.#word}/`)) return void socket.destroy();
    this.#arrivals.set(url, request);
    const accept = createHash('sha1')
      .update(`${headers['sec-websocket-key'] ?? ''}${WEBSOCKET_GUID}`)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.pipe(socket);
  }
}

function find(map: Map<string, PromiseWithResolvers<void>>, key: string): PromiseWithResolvers<void> {
  const found = map.get(key) ?? Promise.withResolvers<void>();
  map.set(key, found);
  return found;
}
