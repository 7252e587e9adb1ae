// An app that answers at random, mostly badly: not at all, incompletely, with broken framing, or without a request.
// Used by test/gateway/downstream/random-visitors.test.ts.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { resetSocket } from '../../src/shared/reset.ts';
import { Seeded } from './seeded.ts';

export interface RandomApp {
  readonly port: number;
  /** Requests so far. */
  readonly requests: number;
  /** Open connections whose last request got no complete answer: the gateway may not keep them alive. */
  readonly busy: number;
  stop(): Promise<void>;
}

/** Deterministic: the same seed gives the same answers to the same connections in the same order. */
export async function startRandomApp(seed: number): Promise<RandomApp> {
  const connections = new Set<Connection>();
  let [opened, requests] = [0, 0];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    opened += 1;
    const connection = new Connection(socket, new Seeded(seed + opened), () => {
      requests += 1;
    });
    connections.add(connection);
    socket.on('error', () => {}).once('close', () => connections.delete(connection));
  });
  await once(server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get requests() {
      return requests;
    },
    get busy() {
      return [...connections].filter(({ isBusy }) => isBusy).length;
    },
    stop: async () => {
      const closed = new Promise(resolve => server.close(resolve));
      for (const { socket } of connections) socket.destroy();
      await closed;
    },
  };
}

interface Answer {
  bytes: string | Buffer;
  /** Whether the connection may be kept alive after it. */
  isWhole: boolean;
}

type MakeAnswer = (seeded: Seeded) => Answer;

const REQUEST_LINE_END = ' HTTP/1.1\r\n';

class Connection {
  readonly socket: Socket;
  readonly #seeded: Seeded;
  readonly #onRequest: () => void;
  readonly #staysHalfOpen: boolean;
  #unanswered = 0;
  /** The last bytes received: a request line may come in two pieces. */
  #rest = '';

  constructor(socket: Socket, seeded: Seeded, onRequest: () => void) {
    this.socket = socket;
    this.#seeded = seeded;
    this.#onRequest = onRequest;
    this.#staysHalfOpen = seeded.chance(30);
    if (seeded.chance(3)) resetSocket(socket);
    // Some of the other connections are never read.
    else if (seeded.chance(97)) this.#listen();
  }

  get isBusy(): boolean {
    return this.#unanswered > 0 && !this.socket.readableEnded && !this.socket.destroyed;
  }

  #listen(): void {
    this.socket.on('data', chunk => this.#read(chunk.toString('latin1')));
    this.socket.once('end', () => this.#staysHalfOpen || this.socket.end());
  }

  #read(chunk: string): void {
    const text = this.#rest + chunk;
    const count = text.split(REQUEST_LINE_END).length - 1;
    this.#rest = text.slice(-REQUEST_LINE_END.length + 1);
    for (let request = 0; request < count; request += 1) void this.#answer(text);
  }

  async #answer(text: string): Promise<void> {
    this.#onRequest();
    this.#unanswered += 1;
    if (this.#seeded.chance(50)) await delay(this.#seeded.below(40));
    if (this.#seeded.chance(4)) return void resetSocket(this.socket);
    if (text.includes('/flood')) return this.#flood();
    const asksForWebSocket = /\r\nupgrade: websocket\r\n/i.test(text);
    const make =
      asksForWebSocket && this.#seeded.chance(70) ? switchProtocols : this.#seeded.pickWeighted(ANSWERS);
    const { bytes, isWhole } = make(this.#seeded);
    await this.#write(Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes, 'latin1'));
    if (isWhole) this.#unanswered -= 1;
    if (this.#seeded.chance(8)) this.socket.end();
    else if (this.#seeded.chance(4)) resetSocket(this.socket);
  }

  /** Sometimes in two pieces. */
  async #write(bytes: Buffer): Promise<void> {
    const cut = this.#seeded.chance(25) ? this.#seeded.below(bytes.length + 1) : bytes.length;
    for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
      if (piece.length === 0) continue;
      if (this.socket.writable) this.socket.write(piece);
      if (cut < bytes.length) await delay(this.#seeded.below(30));
    }
  }

  /** Sends more than all buffers of the route can hold, as fast as it is read. */
  #flood(): void {
    if (!this.socket.writable) return;
    const pieces = Array.from({ length: FLOOD_PIECES }, () => PIECE);
    this.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${pieces.length * PIECE.length}\r\n\r\n`);
    Readable.from(pieces)
      .once('end', () => {
        this.#unanswered -= 1;
      })
      .pipe(this.socket, { end: false });
  }
}

const PIECE = Buffer.alloc(64 * 1024, 'f');
const FLOOD_PIECES = 256;

const whole = (bytes: string | Buffer): Answer => ({ bytes, isWhole: true });
const broken = (bytes: string | Buffer): Answer => ({ bytes, isWhole: false });

const body = (seeded: Seeded, max: number) => 'b'.repeat(seeded.below(max));
const sized = (text: string, fields = '') =>
  `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${text.length}\r\n\r\n${text}`;
const chunk = (text: string, extension = '') => `${text.length.toString(16)}${extension}\r\n${text}\r\n`;
const chunked = (rest: string, fields = '') =>
  `HTTP/1.1 200 OK\r\n${fields}Transfer-Encoding: chunked\r\n\r\n${rest}`;

const switchProtocols: MakeAnswer = seeded => {
  const protocol = seeded.pick(['websocket', 'websocket', 'WebSocket', 'h2c']);
  const head = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${protocol}\r\nConnection: Upgrade\r\n\r\n`;
  return broken(head + body(seeded, 50_000));
};

const ANSWERS: readonly (readonly [weight: number, make: MakeAnswer])[] = [
  [12, seeded => whole(sized(body(seeded, 300)))],
  [4, seeded => whole(sized(body(seeded, 200_000)))],
  [
    2,
    seeded => whole(sized(body(seeded, 300), 'Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nConnection: close\r\n')),
  ],
  [4, seeded => whole(chunked(`${chunk(body(seeded, 3_000), ';a=b')}${chunk('end')}0\r\n\r\n`))],
  [
    3,
    seeded => whole(chunked(`${chunk(body(seeded, 90_000))}0\r\n${trailer(seeded)}\r\n`, 'Trailer: X-T\r\n')),
  ],
  // Statuses without a body, with one.
  [
    2,
    seeded => whole(`HTTP/1.1 ${seeded.pick(['204', '205', '304'])} Odd\r\nContent-Length: 5\r\n\r\nhello`),
  ],
  [
    1,
    seeded =>
      whole(
        `HTTP/1.1 ${seeded.pick(['999 \xe9', '200', `404 ${'r'.repeat(300)}`])}\r\nContent-Length: 0\r\n\r\n`,
      ),
  ],
  // No answer, or half of one.
  [2, () => broken('')],
  [2, seeded => broken('HTTP/1.1 200 OK\r\nContent-Length: 70'.slice(0, 1 + seeded.below(35)))],
  [2, seeded => broken(`HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${body(seeded, 90_000)}`)],
  [2, seeded => broken(chunked(chunk(body(seeded, 9_000))))],
  // Interim answers, with a final one after them or without.
  [2, seeded => whole(interim(seeded) + sized('after it'))],
  [2, seeded => broken(interim(seeded))],
  [2, switchProtocols],
  // Answers that can be read in two ways, or in none.
  [1, () => broken('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!')],
  [1, () => broken(chunked(`${chunk('abc')}0\r\n\r\n`, 'Content-Length: 3\r\n'))],
  [
    1,
    seeded =>
      broken(chunked(`${chunk('good')}${seeded.pick(['-5\r\nhello', 'zz\r\n', 'fffffffffffffffff\r\n'])}`)),
  ],
  [1, () => broken('HTTP/1.1 200 OK\r\nBad\x01Name: x\r\nContent-Length: 0\r\n\r\n')],
  [1, () => broken(sized('', 'X: a\x00b\r\nY: \xff\xfe\r\n'))],
  [1, seeded => broken(seeded.bytes(300))],
  [1, seeded => broken(Buffer.concat([Buffer.from(sized('')), seeded.bytes(100)]))],
  [1, () => broken('HTTP/1.0 200 OK\r\n\r\nuntil the end')],
  [1, seeded => broken(sized('', `X: ${'x'.repeat(seeded.below(90_000))}\r\n`))],
  [1, seeded => broken(sized('', 'A: b\r\n'.repeat(seeded.below(3_000))))],
];

function interim(seeded: Seeded): string {
  const status = seeded.pick(['100', '102', '103', '103', '199', '101']);
  return `HTTP/1.1 ${status} Soon\r\nLink: </a>; rel=preload\r\n\r\n`;
}

function trailer(seeded: Seeded): string {
  const names = ['X-T', 'Content-Length', 'Set-Cookie', ':status', 'x y', 'Connection', 'Transfer-Encoding'];
  return `${seeded.pick(names)}: 1\r\n`;
}
