// WebSocket frames as bytes, right and wrong ones, against an echo server: every byte that comes back through the
// tunnel and the gateway must be one that the server sends directly. The cases follow RFC 6455, chapter by chapter.

import { expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { Noise, openRandom } from '../support/noise.ts';
import { addressTo, type Door, describeFaithful } from './routes.ts';

/** What a visitor writes, one piece after the other. */
type Play = Buffer[];

const HEAD = [
  'GET /frames HTTP/1.1\r\nHost: HERE\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n',
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n',
].join('');
const MAX_BYTES = 1 << 20;
const [TEXT, BINARY, CLOSE, PING, PONG] = [1, 2, 8, 9, 10];

interface Frame {
  opcode: number;
  payload?: Buffer | string;
  fin?: boolean;
  /** The three reserved bits. */
  rsv?: number;
  isMasked?: boolean;
}

function encode({ opcode, payload = '', fin = true, rsv = 0, isMasked = true }: Frame): Buffer {
  const bytes = Buffer.from(payload);
  const mask = Buffer.from([1, 2, 3, 250]);
  const masked = isMasked ? bytes.map((byte, index) => byte ^ (mask[index % 4] ?? 0)) : bytes;
  const first = (fin ? 128 : 0) | (rsv << 4) | opcode;
  return Buffer.concat([
    encodeLength(first, bytes.length, isMasked ? 128 : 0),
    isMasked ? mask : Buffer.alloc(0),
    masked,
  ]);
}

function encodeLength(first: number, length: number, maskBit: number): Buffer {
  if (length < 126) return Buffer.from([first, maskBit | length]);
  const isShort = length < 65_536;
  const head = Buffer.alloc(isShort ? 4 : 10);
  head.set([first, maskBit | (isShort ? 126 : 127)]);
  head.writeUIntBE(length, isShort ? 2 : 4, isShort ? 2 : 6);
  return head;
}

function encodeClose(code: number, reason: Buffer | string = ''): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return encode({ opcode: CLOSE, payload: Buffer.concat([head, Buffer.from(reason)]) });
}

const text = (payload: Buffer | string, more: Partial<Frame> = {}) =>
  encode({ opcode: TEXT, payload, ...more });
const next = (payload: Buffer | string, more: Partial<Frame> = {}) => encode({ opcode: 0, payload, ...more });

const SIZES = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 300_000];
const RIGHT_UTF8 = [
  'ascii',
  'κόσμε',
  '\u0000\u007f\u0080\u07ff\u0800\uffff',
  '\u{10000}\u{10ffff}',
  '\ufffe\ufdd0',
];
const WRONG_UTF8 = [
  'cebae1bdb9cf83cebcceb5eda080656469746564',
  'ff',
  'c0af',
  'e080af',
  'f4908080',
  'eda080',
  '80',
  'ceba41ce',
];
const CLOSE_CODES = [
  0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015,
  1016, 1100, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 65_535,
];

function chop(bytes: Buffer, size: number): Play {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

const framing = (): Play[] => [
  ...SIZES.flatMap(size => [
    [text('x'.repeat(size))],
    [encode({ opcode: BINARY, payload: new Noise(size).take(size) })],
  ]),
  ...[1, 2, 3, 997].map(size => chop(text('ü'.repeat(1_000)), size)),
  [encode({ opcode: BINARY, payload: Buffer.alloc(MAX_BYTES + 1) })],
  [Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4])],
  [text('a', { isMasked: false })],
];

const control = (): Play[] => [
  ...[PING, PONG].flatMap(opcode =>
    [0, 1, 125, 126, 70_000].map(size => [encode({ opcode, payload: 'p'.repeat(size) })]),
  ),
  Array.from({ length: 10 }, (_, index) => encode({ opcode: PING, payload: `${index}` })),
  chop(encode({ opcode: PING, payload: 'chopped' }), 1),
  [encode({ opcode: PING, payload: 'in pieces', fin: false }), next('rest')],
];

const reserved = (): Play[] => [
  ...[1, 2, 3, 4, 5, 6, 7].flatMap(rsv => [
    [text('a', { rsv })],
    [text('first'), encode({ opcode: PING, rsv })],
  ]),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap(opcode => [
    [encode({ opcode })],
    [text('first'), encode({ opcode, payload: 'x' }), text('second')],
  ]),
];

const fragments = (): Play[] => [
  [text('one', { fin: false }), next('two', { fin: false }), next('three')],
  [text('', { fin: false }), next('', { fin: false }), next('')],
  [text('one', { fin: false }), encode({ opcode: PING, payload: 'between' }), next('two')],
  [
    text('one', { fin: false }),
    encode({ opcode: PING }),
    encode({ opcode: PONG }),
    next('', { fin: false }),
    encode({ opcode: PING }),
    next('z'),
  ],
  [next('nothing before')],
  [next('nothing before', { fin: false }), text('x')],
  [text('one', { fin: false }), text('another')],
  [text('one', { fin: false }), encode({ opcode: BINARY, payload: 'another' })],
  [text('never ended', { fin: false })],
  Array.from({ length: 500 }, (_, index) =>
    encode({ opcode: index === 0 ? BINARY : 0, payload: `${index} `, fin: index === 499 }),
  ),
];

const utf8 = (): Play[] => [
  ...RIGHT_UTF8.flatMap(good => {
    const bytes = Buffer.from(good);
    const split = [...bytes].map((byte, index) =>
      encode({
        opcode: index === 0 ? TEXT : 0,
        payload: Buffer.from([byte]),
        fin: index === bytes.length - 1,
      }),
    );
    return [[text(bytes)], split];
  }),
  ...WRONG_UTF8.flatMap(hex => {
    const bytes = Buffer.from(hex, 'hex');
    return [
      [text(bytes)],
      [encode({ opcode: BINARY, payload: bytes })],
      [text(bytes.subarray(0, 1), { fin: false }), next(bytes.subarray(1))],
    ];
  }),
];

const closing = (): Play[] => [
  ...CLOSE_CODES.map(code => [encodeClose(code)]),
  ...CLOSE_CODES.map(code => [encodeClose(code, 'with a reason')]),
  [encode({ opcode: CLOSE })],
  [encode({ opcode: CLOSE, payload: 'x' })],
  [encodeClose(1000, 'r'.repeat(123))],
  [encodeClose(1000, 'r'.repeat(124))],
  [encodeClose(1000, Buffer.from('ceba ed a080'.replaceAll(' ', ''), 'hex'))],
  [encodeClose(1000), encode({ opcode: PING }), text('too late')],
  [text('one', { fin: false }), encodeClose(1001), next('too late')],
];

/** Sequences that nobody thought of; the same in every run. */
function random(): Play[] {
  const random = openRandom(77);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  return Array.from({ length: 100 }, () =>
    Array.from({ length: 1 + random(8) }, () => {
      const frame = encode({
        opcode: pick([0, 0, TEXT, TEXT, BINARY, BINARY, PING, PONG, CLOSE, 3]),
        payload: new Noise(random(1 << 20)).take(pick([0, 1, 2, 125, 126, 5_000])),
        fin: random(3) > 0,
        rsv: random(20) === 0 ? 4 : 0,
      });
      // Now and then a bit is wrong, or the end is missing.
      if (random(10) === 0) frame[random(frame.length)] = random(256);
      return random(15) === 0 ? frame.subarray(0, random(frame.length)) : frame;
    }),
  );
}

/** The frames that came back until the end of the connection, as latin1. */
async function perform(door: Door, play: Play): Promise<string> {
  const socket = door
    .openBytes()
    .on('error', () => {})
    .setEncoding('latin1');
  // Where the other side ends first, writing on is an error, and no matter.
  const ended = new Promise(resolve => socket.once('close', resolve));
  let answer = '';
  socket.on('data', piece => {
    answer += piece;
  });
  for (const piece of [addressTo(door, HEAD), ...play, encodeClose(4321, 'the end of the play')])
    await new Promise(resolve => socket.write(piece, resolve));
  socket.end();
  await ended;
  const [head = '', ...frames] = answer.split('\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1.1 101 /);
  return frames.join('\r\n\r\n');
}

describeFaithful(
  'frames',
  '127.0.0.69',
  world => {
    it.each([
      ['of every length, in one piece and chopped', framing],
      ['of control', control],
      ['with reserved bits and opcodes', reserved],
      ['in fragments', fragments],
      ['of text that is UTF-8, and that is not', utf8],
      ['that close, with every code', closing],
      ['at random', random],
    ])('%s are answered as they are directly', async (_, list) => {
      const server = new WebSocketServer({ noServer: true, maxPayload: MAX_BYTES });
      const echo = (socket: WebSocket) => {
        socket.on('error', () => {}).on('message', (data, binary) => socket.send(data, { binary }));
      };
      world.app.handleUpgrade((request, socket, head) => server.handleUpgrade(request, socket, head, echo));
      const plays = list();
      const answers = await world.compare(async door => {
        const answers: string[] = [];
        for (const play of plays) answers.push(await perform(door, play));
        return answers;
      });
      // A frame that never ends has no answer.
      expect(answers.filter(answer => answer !== '').length).toBeGreaterThan(plays.length * 0.9);
    });
  },
  'http/1.1',
);
