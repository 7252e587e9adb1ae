// Answers of an app at random: valid ones, and ones that differ from a valid one in a place or two, cut into packets
// anywhere. Used by test/gateway/upstream/answers-fuzz.test.ts.

import type { Seeded } from './seeded.ts';

export interface RandomAnswer {
  method: string;
  /** In latin1, as the packets in which it is sent. */
  packets: string[];
  /** Whether the app ends the connection behind it. */
  ends: boolean;
}

/** What is inserted, or written over other bytes. */
const CRUMBS = [
  ...[
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    '\n\n',
    ' ',
    '\t',
    '\0',
    ':',
    ';',
    ',',
    '+',
    '-',
    '\x7f',
    '\xff',
    '0',
    '1',
    'a',
    'F',
  ],
  ...[
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.0',
    'Content-Length: 3\r\n',
    'Content-Length: x\r\n',
  ],
  ...[
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding: x\r\n',
    'Connection: close\r\n',
    'Connection: upgrade\r\n',
  ],
  ...[
    '0\r\n\r\n',
    '3;a=b\r\nabc\r\n',
    'ffffffffffffffff\r\n',
    '00000000',
    ' folded\r\n',
    ': x\r\n',
    'X-A: b\r\n',
  ],
];

const FIELDS = [
  ...[
    'X-A: 1',
    'X-A: 2',
    'x-b:  two  words',
    'Set-Cookie: a=b; Path=/',
    'Content-Type: text/plain',
    'ETag: "x"',
  ],
  ...[
    'X-Empty:',
    'X-Latin: caf\xe9\xff',
    'Cache-Control: no-store',
    'Server: x',
    'Date: Tue, 01 Jan 2019 00:00:00 GMT',
  ],
];

/** Ends in most cases where its framing says; then the next request may come on the same connection. */
export function makeAnswer(seeded: Seeded): RandomAnswer {
  const method = seeded.pickWeighted([
    [8, 'GET'],
    [2, 'HEAD'],
    [2, 'POST'],
  ]);
  const valid = renderValid(seeded, method);
  const damaged = seeded.chance(45) ? damage(seeded, valid.bytes) : valid.bytes;
  const isDamaged = damaged !== valid.bytes;
  const ends = valid.needsEnd || isDamaged || seeded.chance(10);
  return { method, packets: cutAnywhere(seeded, damaged), ends };
}

function renderValid(seeded: Seeded, method: string): { bytes: string; needsEnd: boolean } {
  const status = seeded.pickWeighted([
    [12, '200 OK'],
    [1, '404 Not Found'],
    [1, '204 No Content'],
    [1, '304 Not Modified'],
    [1, '500 Oh no'],
    [1, '299'],
  ]);
  const version = seeded.chance(10) ? 'HTTP/1.0' : 'HTTP/1.1';
  const lines = seeded.list(0, 4, () => seeded.pick(FIELDS));
  if (seeded.chance(10))
    lines.push(seeded.pick(['Connection: close', 'Connection: keep-alive', 'connection: X-A']));
  const text = renderText(seeded);
  const kind = seeded.pickWeighted([
    [5, 'length'],
    [version === 'HTTP/1.0' ? 0 : 5, 'chunked'],
    [1, 'close'],
  ] as const);
  if (kind === 'length') lines.push(`Content-Length: ${text.length}`);
  if (kind === 'chunked') lines.push('Transfer-Encoding: chunked');
  const hasBody = method !== 'HEAD' && !/^(?:204|304)/.test(status);
  const body = kind === 'chunked' ? renderChunks(seeded, text) : text;
  const head = [`${version} ${status}`, ...shuffle(seeded, lines), '', ''].join('\r\n');
  const interim = seeded.chance(8)
    ? 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(1 + seeded.below(3))
    : '';
  return { bytes: interim + head + (hasBody ? body : ''), needsEnd: kind === 'close' && hasBody };
}

function renderText(seeded: Seeded): string {
  const length = seeded.pickWeighted([
    [1, 0],
    [6, seeded.below(40)],
    [2, seeded.below(3_000)],
    [1, seeded.below(90_000)],
  ]);
  // With what looks like framing in it.
  const unit = seeded.pick(['x', '0\r\n\r\n', 'HTTP/1.1 200 OK\r\n', '\xff\0\r', 'abc\n']);
  return unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
}

function renderChunks(seeded: Seeded, text: string): string {
  let chunks = '';
  for (let left = text; left !== ''; ) {
    const size = 1 + seeded.below(Math.min(left.length, 20_000));
    const digits = size.toString(16);
    const shown = seeded.pick([digits, digits, digits.toUpperCase(), `00${digits}`]);
    chunks += `${shown}${seeded.pick(['', '', '', ';a', ';a=b;c="d"'])}\r\n${left.slice(0, size)}\r\n`;
    left = left.slice(size);
  }
  const trailers = seeded.chance(20)
    ? seeded.pick(['X-T: 1\r\n', 'X-T: 1\r\nX-U: \xe9\r\n', 'X-T:\r\n'])
    : '';
  return `${chunks}${seeded.pick(['0', '0', '000', '0;z'])}\r\n${trailers}\r\n`;
}

/** In one or two places: bytes inserted, written over, taken away, doubled, or everything behind cut off. */
function damage(seeded: Seeded, bytes: string): string {
  let damaged = bytes;
  for (let times = 1 + seeded.below(2); times > 0; times -= 1) {
    // Mostly in the head, where most of the meaning is.
    const at = seeded.below(1 + Math.min(damaged.length, seeded.chance(60) ? 120 : damaged.length));
    const length = seeded.below(6);
    const [before, behind] = [damaged.slice(0, at), damaged.slice(at)];
    damaged = seeded.pickWeighted([
      [4, before + seeded.pick(CRUMBS) + behind],
      [3, before + seeded.pick(CRUMBS) + behind.slice(length)],
      [2, before + behind.slice(length)],
      [1, before + behind.slice(0, length) + behind],
      [2, before],
    ]);
  }
  return damaged;
}

function cutAnywhere(seeded: Seeded, bytes: string): string[] {
  if (seeded.chance(40)) return [bytes];
  const cuts = seeded.list(1, 5, () => seeded.below(bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...cuts].map((from, index) => bytes.slice(from, cuts[index])).filter(packet => packet !== '');
}

function shuffle<T>(seeded: Seeded, items: readonly T[]): T[] {
  return items
    .map((item): [number, T] => [seeded.below(1_000), item])
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item);
}
