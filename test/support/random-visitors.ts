// Visitors who send and do random things: mostly a few good requests, then something no browser would do. Plans are
// data, so that a visit can be printed and repeated. Used by test/gateway/downstream/random-visitors.test.ts.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import { PROBE_PATH } from '../../src/gateway/probe.ts';
import { resetSocket } from '../../src/shared/reset.ts';
import {
  END_HEADERS,
  END_STREAM,
  encodeFields,
  type Field,
  FRAME,
  listRequestFields,
  renderFrame,
  renderHeaders,
  renderReset,
} from './http2-frames.ts';
import { type Protocol, usesHttp2, usesTls } from './protocols.ts';
import { Seeded } from './seeded.ts';

/** The key for a gateway that requires one; most good requests have it. */
export const KEY = 'k'.repeat(32);
/** Paths that need no key. */
export const PUBLIC_PATHS = '/pub/**';

/** `on TCP`: below TLS, if there is TLS. */
export type Step =
  | { do: 'send' | 'send on TCP'; bytes: Buffer }
  | { do: 'wait'; ms: number }
  | { do: 'stop reading' | 'read again' | 'renegotiate' | 'end' | 'end on TCP' | 'reset' };

export interface Visit {
  /** Absent: the visitor sends its bytes on bare TCP. */
  tls?: { protocols: string[]; version: keyof typeof TLS_CONTEXTS };
  /** The visitor leaves after this time, even before the TLS handshake is done. */
  cutOffMs?: number;
  /** The visitor continues to send after the gateway has ended the connection. */
  staysHalfOpen: boolean;
  steps: Step[];
}

/** How long a visitor of a gateway with short limits may wait for TLS. */
const HANDSHAKE_MS = 3_000;
/** Longer than the gateway waits for a visitor who reads nothing. */
const STALL_MS = 1_500;
/** With a pause after every request of a long pipeline a visit would take too long. */
const SLOW_PIECES = 10;

/** The visit of this seed; `authority` is its `Host`. */
export async function planVisit(seed: number, protocol: Protocol, authority: string): Promise<Visit> {
  const seeded = new Seeded(seed);
  const staysHalfOpen = seeded.chance(50);
  if (seeded.chance(2)) return { staysHalfOpen, ...planStall(seeded, protocol, authority) };
  if (usesTls(protocol) && seeded.chance(6))
    return { staysHalfOpen, steps: finish(seeded, [send(await renderBadHandshake(seeded, authority))]) };
  const packets = usesHttp2(protocol) ? listFrames(seeded, authority) : listRequests(seeded, authority);
  return {
    staysHalfOpen,
    ...(usesTls(protocol) && { tls: pickTls(seeded, protocol) }),
    ...(seeded.chance(4) && { cutOffMs: seeded.below(12) }),
    steps: finish(seeded, sendInPieces(seeded, packets)),
  };
}

const send = (bytes: Buffer): Step => ({ do: 'send', bytes });
const wait = (ms: number): Step => ({ do: 'wait', ms });

/** Sends the packets in one write, one by one, or cut anywhere. */
function sendInPieces(seeded: Seeded, packets: readonly Buffer[]): Step[] {
  const bytes = Buffer.concat(packets);
  if (seeded.chance(40)) return [send(bytes)];
  const pause = (index: number) => wait(index < SLOW_PIECES ? seeded.below(10) : 0);
  if (seeded.chance(50)) return packets.flatMap((packet, index) => [send(packet), pause(index)]);
  const cuts = seeded.list(1, 4, () => seeded.below(bytes.length)).sort((a, b) => a - b);
  return [0, ...cuts].flatMap((from, index) => [send(bytes.subarray(from, cuts[index])), pause(index)]);
}

/** Adds actions between the bytes, and how the visitor leaves. */
function finish(seeded: Seeded, steps: readonly Step[]): Step[] {
  const stay = wait(seeded.chance(3) ? 300 + seeded.below(1_000) : seeded.below(60));
  const all = [...steps, stay];
  const putIn = (percent: number, ...some: Step[]) => {
    if (seeded.chance(percent)) all.splice(seeded.below(all.length), 0, ...some);
  };
  if (seeded.chance(15)) all.unshift({ do: 'stop reading' });
  putIn(10, { do: 'stop reading' }, wait(seeded.below(40)), { do: 'read again' });
  putIn(8, { do: 'end' }, wait(seeded.below(40)));
  putIn(5, { do: 'end on TCP' }, wait(seeded.below(40)));
  putIn(5, { do: 'reset' });
  putIn(3, { do: 'renegotiate' });
  putIn(3, { do: 'send on TCP', bytes: seeded.bytes(80) });
  return [...all, ...seeded.pick(LEAVING)];
}

/** In any case it destroys the connection at the end. */
const LEAVING: readonly Step[][] = [
  [],
  [{ do: 'reset' }],
  [{ do: 'end' }, wait(20)],
  [{ do: 'end on TCP' }, wait(20)],
  [{ do: 'send on TCP', bytes: Buffer.from('17030300ff0102', 'hex') }, { do: 'end on TCP' }],
];

/** Requests more than the buffers on the way can hold, and reads nothing. */
function planStall(seeded: Seeded, protocol: Protocol, authority: string): Omit<Visit, 'staysHalfOpen'> {
  const request = usesHttp2(protocol)
    ? [
        PREFACE,
        renderSettings([[4, 2 ** 31 - 1]]),
        renderWindowUpdate(0, seeded.chance(50) ? 2 ** 30 : 1),
        renderHeaders(1, listRequestFields({ ':authority': authority, ':path': '/flood' }, AUTHORIZATION)),
      ]
    : [Buffer.from(renderGood(seeded, authority, '/flood'))];
  return {
    ...(usesTls(protocol) && { tls: { protocols: [nameProtocol(protocol)], version: 'newest' } }),
    steps: [{ do: 'stop reading' }, send(Buffer.concat(request)), wait(STALL_MS)],
  };
}

// TLS

/** One for all visits: making it takes longer than a handshake. */
const TLS_CONTEXTS = { newest: createSecureContext(), '1.2': createSecureContext({ maxVersion: 'TLSv1.2' }) };

/** The ALPN name. */
const nameProtocol = (protocol: Protocol) => (usesHttp2(protocol) ? 'h2' : 'http/1.1');

function pickTls(seeded: Seeded, protocol: Protocol): Visit['tls'] & {} {
  const others = [['http/1.1'], ['h2', 'http/1.1'], ['odd']];
  return {
    protocols: seeded.chance(94) ? [nameProtocol(protocol)] : seeded.pick(others),
    version: seeded.chance(15) ? '1.2' : 'newest',
  };
}

/** The first bytes on a TLS port: something else, or a broken ClientHello. */
async function renderBadHandshake(seeded: Seeded, authority: string): Promise<Buffer> {
  const hello = await renderClientHello();
  return seeded.pick([
    () => hello.subarray(0, seeded.below(hello.length)),
    () => seeded.damage(hello),
    () => Buffer.concat([hello, hello]),
    () => Buffer.concat([hello, seeded.bytes(300)]),
    () => Buffer.concat([Buffer.of(0x16), seeded.bytes(300)]),
    () => seeded.bytes(300),
    () => Buffer.from(renderGood(seeded, authority, '/')),
  ])();
}

/** A ClientHello; its random numbers are new each time. */
async function renderClientHello(): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const socket = new Duplex({ read() {}, write: (chunk: Buffer) => resolve(chunk) });
  const client = connectTls({
    socket,
    secureContext: TLS_CONTEXTS.newest,
    ALPNProtocols: ['h2', 'http/1.1'],
  });
  client.on('error', () => {});
  const hello = await promise;
  client.destroy();
  return hello;
}

// HTTP/1.1

const AUTHORIZATION: Field = ['authorization', `Bearer ${KEY}`];
const APP_PATHS = ['/', '/a?b=c', '/pub/x', '/pub/y/z', '/%ff', '/a/b/c'];
/** The gateway answers them itself, the first if a key is needed. */
const OWN_PATHS = [`/?expose-key=${KEY}`, '/__expose/sign-in', '/__expose/x', `${PROBE_PATH}?challenge=1`];
const PATHS = [...APP_PATHS, ...APP_PATHS, ...OWN_PATHS];
const BAD_TARGETS = [
  '//evil',
  '/\\evil',
  '*',
  'http://a/',
  'a:443',
  '/#',
  '/\xe9',
  '',
  `/${'a'.repeat(20_000)}`,
];
const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE', 'CONNECT', 'TRACE', 'PRI', 'get'];
const WEBSOCKET =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n';
const ODD_FIELDS = [
  ...[
    'Content-Length: 5',
    'Content-Length: 50000',
    'Content-Length: 0',
    'Content-Length: -1',
    'Content_Length: 5',
  ],
  ...['Transfer-Encoding: chunked', 'Transfer-Encoding: gzip, chunked', 'Expect: 100-continue', 'Expect: x'],
  ...[
    'Connection: close',
    'Connection: keep-alive',
    'Connection: Upgrade',
    'Connection: content-length, host',
  ],
  ...[
    'Upgrade: websocket',
    'Upgrade: h2c',
    'Trailer: x',
    'TE: trailers',
    'Origin: http://evil',
    'Host: other',
  ],
  ...[
    'Authorization: Basic dTpw',
    'Cookie: a=b; expose-session-1=x',
    'Accept: text/html',
    'Bad Name: x',
    ' folded: x',
  ],
  ...['Content-Type: application/x-www-form-urlencoded', `X: ${'y'.repeat(9_000)}`, 'X: \xff\x01'],
];
const BAD_CHUNKS = [
  'ffffff\r\n',
  '-5\r\nhello\r\n',
  'zz\r\n',
  '5\r\nhello0\r\n\r\n',
  '5;a="\r\nhello\r\n',
  '5\r\nhel',
];

function listRequests(seeded: Seeded, authority: string): Buffer[] {
  // Pipelines, sometimes longer than the gateway allows.
  const count = seeded.pickWeighted([
    [6, 1],
    [3, 1 + seeded.below(5)],
    [1, 80],
  ]);
  const requests = Array.from({ length: count }, () => renderRequest(seeded, authority));
  return requests.map(text => Buffer.from(text, 'latin1'));
}

function renderRequest(seeded: Seeded, authority: string): string {
  const path = seeded.pick(PATHS);
  const good = renderGood(seeded, authority, path);
  return seeded.pickWeighted<() => string>([
    [12, () => good],
    [2, () => good.slice(0, seeded.below(good.length))],
    [2, () => seeded.damage(Buffer.from(good, 'latin1')).toString('latin1')],
    [5, () => renderOdd(seeded, authority)],
    [
      1,
      () =>
        `${renderHead(authority, 'POST', path, 'Transfer-Encoding: chunked\r\n')}${seeded.pick(BAD_CHUNKS)}`,
    ],
    [1, () => `CONNECT ${seeded.pick([authority, 'evil:443'])} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`],
    [1, () => renderHead(authority, 'GET', path, `X: ${'x'.repeat(20_000)}\r\n`)],
    [1, () => renderHead(authority, 'GET', path, 'A:\r\n'.repeat(300))],
    [1, () => seeded.bytes(400).toString('latin1')],
  ])();
}

function renderHead(authority: string, method: string, path: string, fields = ''): string {
  return `${method} ${path} HTTP/1.1\r\nHost: ${authority}\r\n${fields}\r\n`;
}

/** With correct framing; the gateway may still refuse it. */
function renderGood(seeded: Seeded, authority: string, path: string): string {
  const key = seeded.chance(90) || path === '/flood' ? `${AUTHORIZATION.join(': ')}\r\n` : '';
  const text = 'd'.repeat(seeded.below(seeded.chance(20) ? 60_000 : 500));
  const upload = (fields: string, body: string) => renderHead(authority, 'POST', path, key + fields) + body;
  if (path === '/flood') return renderHead(authority, 'GET', path, key);
  return seeded.pickWeighted<() => string>([
    [6, () => renderHead(authority, seeded.pick(['GET', 'HEAD', 'OPTIONS']), path, key)],
    [2, () => upload(`Content-Length: ${text.length}\r\n`, text)],
    [1, () => upload(`Content-Length: ${text.length}\r\nExpect: 100-continue\r\n`, text)],
    [
      1,
      () =>
        upload(
          'Transfer-Encoding: chunked\r\n',
          `${text.length.toString(16)}\r\n${text}\r\n0\r\nX-T: 1\r\n\r\n`,
        ),
    ],
    [2, () => renderHead(authority, 'GET', path, key + WEBSOCKET) + text],
  ])();
}

/** Valid words, put together at random. */
function renderOdd(seeded: Seeded, authority: string): string {
  const version = seeded.pick(['1.1', '1.1', '1.1', '1.0', '0.9', '2.0']);
  const start = `${seeded.pick(METHODS)} ${seeded.pick([...PATHS, ...BAD_TARGETS])} HTTP/${version}`;
  const host = seeded.chance(95) ? [`Host: ${authority}`] : [];
  const fields = seeded.list(0, 5, () => seeded.pick(ODD_FIELDS));
  const body = seeded.pick(['', 'hello', '5\r\nhello\r\n0\r\n\r\n', `key=${KEY}`, 'x'.repeat(30_000)]);
  return `${[start, ...host, ...fields].join('\r\n')}\r\n\r\n${body}`;
}

// HTTP/2

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** Types of frames that http2-frames.ts has no name for. */
const PRIORITY = 2;
const PUSH_PROMISE = 5;
const ODD_NUMBERS = [0, 1, 100, 16_384, 65_535, 2 ** 31 - 1, 2 ** 32 - 1];
const ODD_HEADS: readonly Field[] = [
  ...([
    ['cookie', 'a=b'],
    ['content-length', '5'],
    ['content-length', '0'],
    ['te', 'trailers'],
  ] as const),
  ...([
    ['transfer-encoding', 'chunked'],
    ['connection', 'close'],
    ['upgrade', 'websocket'],
    ['host', 'x'],
  ] as const),
  ...([
    ['expect', '100-continue'],
    ['expect', 'x'],
    ['X-Upper', 'a'],
    ['a\r\nb', 'c'],
    ['a', 'b\r\nc'],
  ] as const),
  ...([
    ['', 'x'],
    [':path', '/two'],
    [':protocol', 'websocket'],
    [':odd', 'x'],
    ['x', 'y'.repeat(9_000)],
  ] as const),
];

const numbered = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const connectionFrame = (type: number, payload: Buffer, flags = 0) =>
  renderFrame({ type, flags, stream: 0, payload });

function renderSettings(pairs: readonly (readonly [id: number, value: number])[], flags = 0): Buffer {
  const entries = pairs.map(([id, value]) => Buffer.concat([Buffer.of(0, id), numbered(value)]));
  return connectionFrame(FRAME.settings, Buffer.concat(entries), flags);
}

function renderWindowUpdate(stream: number, bytes: number): Buffer {
  return renderFrame({ type: FRAME.windowUpdate, flags: 0, stream, payload: numbered(bytes) });
}

function listFrames(seeded: Seeded, authority: string): Buffer[] {
  const maker = new FrameMaker(seeded, authority);
  const first = seeded.chance(96) ? PREFACE : Buffer.from(renderHead(authority, 'GET', '/'));
  const settings = seeded.chance(95) ? [renderSettings([])] : [];
  const window = seeded.chance(50) ? [renderSettings([[4, 2 ** 24]]), renderWindowUpdate(0, 2 ** 24)] : [];
  // An error ends the connection, with all requests of the same packet: so good ones mostly come first.
  const good = seeded.list(0, 4, () => maker.makeGood());
  const frames = seeded.chance(75) ? seeded.list(1, 12, () => maker.make()) : [];
  return [first, ...settings, ...window, ...good, ...frames, ...maker.leave()];
}

/** Frames for one connection, whose streams it numbers. */
class FrameMaker {
  readonly #seeded: Seeded;
  readonly #authority: string;
  #last = -1;

  constructor(seeded: Seeded, authority: string) {
    this.#seeded = seeded;
    this.#authority = authority;
  }

  makeGood(): Buffer {
    return this.#seeded.chance(70) ? renderHeaders(this.#open(), this.#request()) : this.#upload();
  }

  make(): Buffer {
    const seeded = this.#seeded;
    return seeded.pickWeighted<() => Buffer>([
      [14, () => this.makeGood()],
      [3, () => this.#continued()],
      [3, () => this.#odd()],
      [2, () => renderReset(this.#stream(), seeded.below(14))],
      [1, () => this.#data(seeded.below(17_000), seeded.below(2))],
      [1, () => this.#trailers()],
      [2, () => renderWindowUpdate(seeded.pick([0, this.#stream()]), seeded.pick([1, 1_000, 2 ** 20]))],
      [1, () => renderWindowUpdate(seeded.pick([0, this.#stream()]), seeded.pick([0, 2 ** 31 - 1]))],
      [2, () => this.#settings()],
      [2, () => connectionFrame(FRAME.ping, Buffer.alloc(seeded.chance(90) ? 8 : 7), seeded.below(2))],
      [
        1,
        () => this.#framed(PRIORITY, Buffer.concat([numbered(this.#stream()), Buffer.of(seeded.below(256))])),
      ],
      [1, () => this.#framed(PUSH_PROMISE, Buffer.alloc(8), END_HEADERS)],
      [1, () => this.#framed(FRAME.continuation, encodeFields([['a', 'b']]), END_HEADERS)],
      [1, () => this.#framed(seeded.below(256), seeded.bytes(50), seeded.below(256))],
      [1, () => this.#goaway()],
    ])();
  }

  /** Frames that end a connection; mostly none. */
  leave(): Buffer[] {
    const seeded = this.#seeded;
    const some = this.make();
    return seeded.pickWeighted<() => Buffer[]>([
      [10, () => []],
      [2, () => [some.subarray(0, seeded.below(some.length))]],
      [2, () => [this.#goaway()]],
      [2, () => [this.#goaway(), Buffer.alloc(40, 0xfe)]],
      [1, () => [this.#goaway(), some, seeded.bytes(60)]],
      [1, () => [Buffer.alloc(40, 0xfe)]],
      [1, () => [seeded.damage(some)]],
    ])();
  }

  /** The number of a new stream. */
  #open(): number {
    this.#last += 2;
    return this.#last;
  }

  /** Mostly the one opened last; otherwise any, including invalid numbers. */
  #stream(): number {
    const odd = [0, 1, 2, 4, this.#last + 2, 99, 2 ** 31 - 1];
    return this.#seeded.chance(75) ? Math.max(this.#last, 1) : this.#seeded.pick(odd);
  }

  #request(pseudo: Record<string, string> = {}, ...more: Field[]): Field[] {
    const base = { ':authority': this.#authority, ':path': this.#seeded.pick(PATHS), ...pseudo };
    return listRequestFields(base, ...(this.#seeded.chance(90) ? [AUTHORIZATION] : []), ...more);
  }

  #framed(type: number, payload: Buffer, flags = 0): Buffer {
    return renderFrame({ type, flags, stream: this.#stream(), payload });
  }

  #data(length: number, flags: number): Buffer {
    return this.#framed(FRAME.data, Buffer.alloc(length, 'd'), flags);
  }

  /** With its body, or the beginning of it. */
  #upload(): Buffer {
    const seeded = this.#seeded;
    const length = seeded.below(seeded.chance(20) ? 16_000 : 500);
    const more: Field[] = [];
    if (seeded.chance(50)) more.push(['content-length', `${seeded.chance(80) ? length : length + 1}`]);
    if (seeded.chance(20)) more.push(['expect', '100-continue']);
    const stream = this.#open();
    const head = renderHeaders(stream, this.#request({ ':method': 'POST' }, ...more), END_HEADERS);
    const payload = Buffer.alloc(length, 'd');
    const flags = seeded.pick([END_STREAM, END_STREAM, 0]);
    const data = renderFrame({ type: FRAME.data, flags, stream, payload });
    return Buffer.concat([head, data, ...(flags === 0 && seeded.chance(50) ? [this.#trailers()] : [])]);
  }

  #trailers(): Buffer {
    const fields: Field[] = [
      this.#seeded.pick<Field>([
        ['x-t', '1'],
        ['X-T', '1'],
        [':path', '/x'],
        ['connection', 'close'],
        ['a b', '1'],
      ]),
    ];
    const flags = this.#seeded.chance(80) ? END_HEADERS | END_STREAM : END_HEADERS;
    return this.#framed(FRAME.headers, encodeFields(fields), flags);
  }

  /** A head in several frames; sometimes with another frame between them, or without its end. */
  #continued(): Buffer {
    const seeded = this.#seeded;
    const stream = this.#open();
    const head = encodeFields(this.#request());
    const cut = seeded.below(head.length);
    const between = seeded.chance(20) ? [connectionFrame(FRAME.ping, Buffer.alloc(8))] : [];
    const flags = seeded.chance(80) ? END_HEADERS : 0;
    return Buffer.concat([
      renderFrame({ type: FRAME.headers, flags: END_STREAM, stream, payload: head.subarray(0, cut) }),
      ...between,
      renderFrame({ type: FRAME.continuation, flags, stream, payload: head.subarray(cut) }),
    ]);
  }

  #odd(): Buffer {
    const seeded = this.#seeded;
    const path = seeded.pick([...PATHS, ...BAD_TARGETS]);
    const more = seeded.list(0, 4, () => seeded.pick(ODD_HEADS));
    const fields = this.#request({ ':method': seeded.pick(METHODS), ':path': path }, ...more);
    const stream = seeded.chance(70) ? this.#open() : this.#stream();
    // With a long path and long fields it exceeds the length of a frame, which is another error.
    return renderHeaders(stream, fields, seeded.pick([5, 5, 4, 4, 1, 0]));
  }

  #settings(): Buffer {
    const seeded = this.#seeded;
    const pairs = seeded.list(0, 4, () => [1 + seeded.below(9), seeded.pick(ODD_NUMBERS)] as const);
    const good = [[1 + seeded.below(4), seeded.pick([0, 1, 100])]] as const;
    return renderSettings(seeded.chance(50) ? good : pairs, seeded.chance(20) ? 1 : 0);
  }

  #goaway(): Buffer {
    const code = numbered(this.#seeded.below(14));
    const text = this.#seeded.chance(30) ? this.#seeded.bytes(20) : Buffer.alloc(0);
    return connectionFrame(FRAME.goaway, Buffer.concat([numbered(0), code, text]));
  }
}

// Visiting

/** Resolves when the visitor is gone; `onConnect` gets the visitor's own port. */
export async function makeVisit(
  port: number,
  visit: Visit,
  onConnect: (ownPort: number) => void,
): Promise<void> {
  const raw = connect({ port, host: '127.0.0.1', allowHalfOpen: visit.staysHalfOpen });
  raw.once('connect', () => onConnect(raw.localPort ?? 0));
  const closing = new AbortController();
  const closed = new Promise<void>(resolve => {
    raw
      .on('error', () => {})
      .once('close', () => {
        closing.abort();
        resolve();
      });
  });
  const { cutOffMs } = visit;
  const timer = cutOffMs === undefined ? undefined : setTimeout(() => raw.destroy(), cutOffMs);
  const stream = await openStream(raw, visit, closing.signal);
  for (const step of stream === undefined ? [] : visit.steps) {
    if (raw.destroyed || stream === undefined) break;
    await take(step, raw, stream, closing.signal);
  }
  raw.destroy();
  await closed;
  clearTimeout(timer);
}

/** Undefined if it failed. */
async function openStream(raw: Socket, { tls }: Visit, closed: AbortSignal): Promise<Duplex | undefined> {
  const signal = AbortSignal.any([closed, AbortSignal.timeout(HANDSHAKE_MS)]);
  const stream = tls === undefined ? raw : connectTls({ ...renderTls(tls), socket: raw });
  stream.on('error', () => {}).resume();
  const isReady = once(stream, tls === undefined ? 'connect' : 'secureConnect', { signal });
  return isReady.then(
    () => stream,
    () => undefined,
  );
}

function renderTls({ protocols, version }: Visit['tls'] & {}) {
  return { ALPNProtocols: protocols, secureContext: TLS_CONTEXTS[version], rejectUnauthorized: false };
}

async function take(step: Step, raw: Socket, stream: Duplex, closed: AbortSignal): Promise<void> {
  switch (step.do) {
    case 'send':
      return void (stream.writable && stream.write(step.bytes));
    case 'send on TCP':
      return void (raw.writable && raw.write(step.bytes));
    case 'wait':
      return await delay(step.ms, undefined, { signal: closed }).catch(() => {});
    case 'stop reading':
      return void stream.pause();
    case 'read again':
      return void stream.resume();
    case 'renegotiate':
      return void (stream instanceof TLSSocket && stream.renegotiate({}, () => {}));
    case 'end':
      return void stream.end();
    case 'end on TCP':
      return void raw.end();
    case 'reset':
      // While the end of TLS is still being written, which the TCP socket does not know, a reset is not possible.
      return void (isEnding(stream) ? raw.destroy() : resetSocket(raw));
  }
}

function isEnding({ writableEnded, writableFinished }: Duplex): boolean {
  return writableEnded && !writableFinished;
}
