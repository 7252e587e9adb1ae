// Reads the bytes of HTTP/1.1 answers as a strict visitor does, whole or broken off. Used by the tests that look at exactly
// what the gateway sends.

export interface SeenAnswer {
  /** The statuses before it. */
  interim: number[];
  status: number;
  reason: string;
  /** Names in lower case. */
  fields: [name: string, value: string][];
  /** In latin1, without its chunks. */
  body: string;
  trailers: [name: string, value: string][];
  /** Whether its framing says that nothing is missing. */
  isWhole: boolean;
}

export interface SeenBytes {
  answers: SeenAnswer[];
  /** What follows the last whole answer, and is not the beginning of another one. */
  rest: string;
}

const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) ([^\r\n]*)$/;
const FIELD = /^([\w!#$%&'*+.^`|~-]+): ?([^\r\n]*)$/;

/** `bytes` (latin1) is all that came until the connection ended; `methods` are those of the requests, in order. */
export function readAnswers(bytes: string, methods: readonly string[]): SeenBytes {
  const answers: SeenAnswer[] = [];
  let rest = bytes;
  for (const method of methods) {
    const read = readAnswer(rest, method);
    if (read === undefined) break;
    answers.push(read.answer);
    rest = read.rest;
    if (!read.answer.isWhole) break;
  }
  return { answers, rest };
}

/** Throws on bytes that no gateway may send; undefined if the final head is not complete. */
function readAnswer(bytes: string, method: string): { answer: SeenAnswer; rest: string } | undefined {
  const interim: number[] = [];
  for (let left = bytes; ; ) {
    const end = left.indexOf('\r\n\r\n');
    if (end < 0) return undefined;
    const head = readHead(left.slice(0, end));
    left = left.slice(end + 4);
    if (head.status >= 200) {
      const body = readBody(left, head, method);
      return { answer: { interim, ...head, ...body }, rest: body.rest };
    }
    interim.push(head.status);
  }
}

function readHead(head: string): Pick<SeenAnswer, 'status' | 'reason' | 'fields'> {
  const [line = '', ...lines] = head.split('\r\n');
  const [, status, reason = ''] = STATUS_LINE.exec(line) ?? [];
  if (status === undefined) throw new Error(`not a status line: ${JSON.stringify(line)}`);
  return { status: Number(status), reason, fields: lines.map(readField) };
}

function readField(line: string): [name: string, value: string] {
  const [, name, value = ''] = FIELD.exec(line) ?? [];
  if (name === undefined) throw new Error(`not a field: ${JSON.stringify(line)}`);
  return [name.toLowerCase(), value];
}

type Body = Pick<SeenAnswer, 'body' | 'trailers' | 'isWhole'> & { rest: string };

/** RFC 9112, 6.3. */
function readBody(
  bytes: string,
  { status, fields }: Pick<SeenAnswer, 'status' | 'fields'>,
  method: string,
): Body {
  const values = (name: string) => fields.filter(([one]) => one === name).map(([, value]) => value);
  const [length, coding] = [values('content-length'), values('transfer-encoding')];
  if (length.length + coding.length > 1) throw new Error(`two framings: ${JSON.stringify([length, coding])}`);
  if (method === 'HEAD' || status === 204 || status === 304)
    return { body: '', trailers: [], isWhole: true, rest: bytes };
  if (coding[0] !== undefined) return readChunks(bytes);
  // Until the connection ends, which looks complete.
  if (length[0] === undefined) return { body: bytes, trailers: [], isWhole: true, rest: '' };
  if (!/^\d+$/.test(length[0])) throw new Error(`not a length: ${length[0]}`);
  const size = Number(length[0]);
  return { body: bytes.slice(0, size), trailers: [], isWhole: bytes.length >= size, rest: bytes.slice(size) };
}

function readChunks(bytes: string): Body {
  let body = '';
  for (let left = bytes; ; ) {
    const [line, digits = ''] = /^([\da-f]+)\r\n/i.exec(left) ?? [];
    const broken = { body, trailers: [], isWhole: false, rest: left };
    if (line === undefined) return broken;
    const size = Number.parseInt(digits, 16);
    left = left.slice(line.length);
    if (size === 0) return readTrailers(left, broken);
    body += left.slice(0, size);
    if (left.length < size + 2) return { ...broken, body };
    if (left.slice(size, size + 2) !== '\r\n')
      throw new Error(`not the end of a chunk: ${left.slice(size, 9)}`);
    left = left.slice(size + 2);
  }
}

function readTrailers(bytes: string, broken: Body): Body {
  if (bytes.startsWith('\r\n')) return { ...broken, isWhole: true, rest: bytes.slice(2) };
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return broken;
  const trailers = bytes.slice(0, end).split('\r\n').map(readField);
  return { ...broken, trailers, isWhole: true, rest: bytes.slice(end + 4) };
}
