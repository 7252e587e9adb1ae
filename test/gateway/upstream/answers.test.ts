// What a visitor gets for every kind of answer that an app may send, or must not send: how its head and its body are
// read. The app writes exact bytes. How connections are used again is in answers-reuse.test.ts.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cut, type Script, type Scripted, type Seen, startScripted } from '../../support/scripted-app.ts';

let scripted: Scripted;
beforeAll(async () => {
  scripted = await startScripted();
});
afterAll(() => scripted.stop());

const answerWith = (fields: string, body = '', line = 'HTTP/1.1 200 OK') => `${line}\r\n${fields}\r\n${body}`;
const SIZED = 'Content-Length: 5\r\n';
const sized = (fields: string, line?: string) => answerWith(`${fields}${SIZED}`, 'hello', line);
const chunked = (body: string) => answerWith('Transfer-Encoding: chunked\r\n', body);

/** Fields of the app alone, without those about the connection to the visitor; without spaces around the values. */
function listFields({ answer }: Seen): [name: string, value: string][] {
  const own = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding']);
  return (answer?.fields ?? [])
    .filter(([name]) => !own.has(name))
    .map(([name, value]): [string, string] => [name, value.trim()]);
}

function expectWhole({ answer, rest }: Seen, body: string): void {
  expect({ ...answer, fields: [], rest }).toMatchObject({ status: 200, body, isWhole: true, rest: '' });
}

/** A 502 of the gateway, or something that no visitor takes for a whole answer. */
function expectRefused({ answer, rest }: Seen): void {
  if (answer?.status === 502) expect(answer.body).toContain('The app');
  else expect(answer?.isWhole ?? false).toBe(false);
  expect(answer?.status === 502 ? rest : '').toBe('');
}

/** What comes in one packet, and byte by byte. */
async function askBothWays(bytes: string, method?: string, end?: Script['end']): Promise<Seen[]> {
  const ways = [[bytes], cut(bytes, 1)];
  const seen = [];
  for (const pieces of ways)
    seen.push(await scripted.ask({ pieces, ...(end !== undefined && { end }) }, method));
  return seen;
}

describe('the body of an answer', () => {
  it.each([
    ['with a length', sized('')],
    ['with a length that has zeros in front', answerWith('Content-Length: 0005\r\n', 'hello')],
    ['with a length after many spaces', answerWith('Content-Length:      5\r\n', 'hello')],
    ['with a length in another case', answerWith('cOnTeNt-LeNgTh: 5\r\n', 'hello')],
    ['in chunks', chunked('5\r\nhello\r\n0\r\n\r\n')],
    [
      'in chunks, named in another case',
      answerWith('TRANSFER-encoding: CHUNKED\r\n', '5\r\nhello\r\n0\r\n\r\n'),
    ],
    ['in chunks of one byte', chunked(`${[...'hello'].map(byte => `1\r\n${byte}\r\n`).join('')}0\r\n\r\n`)],
    ['in chunks with zeros in front', chunked('0005\r\nhello\r\n0000\r\n\r\n')],
    ['in chunks with extensions', chunked('3;a\r\nhel\r\n2;a=b;c="d\\";e"\r\nlo\r\n0;z=y\r\n\r\n')],
    ['with HTTP/1.0 and a length', sized('', 'HTTP/1.0 200 OK')],
    ['with HTTP/1.0, a length and keep-alive', sized('Connection: keep-alive\r\n', 'HTTP/1.0 200 OK')],
    ['after empty lines', `\r\n\r\n${sized('')}`],
    ['and a connection that ends', sized('Connection: close\r\n')],
    ['and two options of the connection', sized('Connection: keep-alive, Close\r\n')],
  ])('ends where its framing says, while the app keeps the connection: %s', async (_, bytes) => {
    for (const seen of await askBothWays(bytes)) expectWhole(seen, 'hello');
  });

  it.each([
    ['HTTP/1.1', answerWith('', 'hello')],
    ['HTTP/1.1 that says keep-alive', answerWith('Connection: keep-alive\r\n', 'hello')],
    ['HTTP/1.0', answerWith('', 'hello', 'HTTP/1.0 200 OK')],
    ['no field at all', 'HTTP/1.1 200 OK\r\n\r\nhello'],
  ])('without length and chunks ends with the connection: %s', async (_, bytes) => {
    for (const seen of await askBothWays(bytes, 'GET', 'close')) expectWhole(seen, 'hello');
  });

  it('may be empty: with a length, in chunks, until the end', async () => {
    expectWhole(await scripted.ask(answerWith('Content-Length: 0\r\n')), '');
    expectWhole(await scripted.ask(chunked('0\r\n\r\n')), '');
    expectWhole(await scripted.ask({ pieces: [answerWith('')], end: 'close' }), '');
  });

  it('has every byte of a chunk whose size has upper-case digits', async () => {
    const [small, large] = ['x'.repeat(0xab), 'y'.repeat(0xcdef)];
    expectWhole(
      await scripted.ask(chunked(`AB\r\n${small}\r\nCdEf\r\n${large}\r\n0\r\n\r\n`)),
      small + large,
    );
  });

  it('may hold what looks like the end of a body, or like an answer', async () => {
    const body = `\r\n0\r\n\r\n${sized('')}\r\n\0\xff`;
    expectWhole(await scripted.ask(answerWith(`Content-Length: ${body.length}\r\n`, body)), body);
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n`;
    for (const seen of await askBothWays(chunked(`${chunk}0\r\n\r\n`))) expectWhole(seen, body);
    expectWhole(await scripted.ask({ pieces: [answerWith('', body)], end: 'close' }), body);
  });

  it.each([1, 2, 3, 7, 64, 1_000])('is the same in pieces of %s bytes', async size => {
    const body = Array.from({ length: 700 }, (_, index) => String.fromCharCode(index % 256)).join('');
    const chunks = cut(body, 97).map(chunk => `${chunk.length.toString(16)};n=1\r\n${chunk}\r\n`);
    const bytes = chunked(`${chunks.join('')}0\r\nX-Sum: 1\r\n\r\n`);
    const seen = await scripted.ask({ pieces: cut(bytes, size) });
    expectWhole(seen, body);
    expect(seen.answer?.trailers).toEqual([['X-Sum'.toLowerCase(), '1']]);
  });

  it.each([
    ['a plus', '+5'],
    ['a minus', '-5'],
    ['a fraction', '5.0'],
    ['a hexadecimal number', '0x5'],
    ['nothing', ''],
    ['spaces', '   '],
    ['a word', 'five'],
    ['two in one', '5,5'],
    ['two in one, with a space', '5, 5'],
    ['two numbers', '5 5'],
    ['a semicolon', '5;'],
    ['an exponent', '5e0'],
    ['more than 64 bits', '18446744073709551621'],
    ['many digits', '9'.repeat(400)],
    ['a vertical tab', '5\x0b'],
    ['a NUL', '5\0'],
  ])('is not read with a length that is not one: %s', async (_, length) => {
    for (const seen of await askBothWays(
      answerWith(`Content-Length: ${length}\r\n`, 'hello'),
      'GET',
      'close',
    ))
      expectRefused(seen);
  });

  it.each([
    ['two equal lengths', `${SIZED}${SIZED}`],
    ['two lengths', `${SIZED}Content-Length: 3\r\n`],
    ['two lengths apart, in another case', `${SIZED}A: b\r\ncontent-length: 5\r\n`],
    ['a length before chunks', `${SIZED}Transfer-Encoding: chunked\r\n`],
    ['chunks before a length', `Transfer-Encoding: chunked\r\n${SIZED}`],
    ['a coding without a name', 'Transfer-Encoding:\r\n'],
    ['a coding of white space', 'Transfer-Encoding: \t \r\n'],
  ])('is not read with %s', async (_, fields) => {
    for (const body of ['hello', '5\r\nhello\r\n0\r\n\r\n'])
      expectRefused(await scripted.ask({ pieces: [answerWith(fields, body)], end: 'close' }));
  });

  it.each([
    ['no digit', 'g\r\nhello'],
    ['a minus', '-5\r\nhello'],
    ['a plus', '+5\r\nhello'],
    ['a hexadecimal prefix', '0x5\r\nhello'],
    ['nothing', '\r\nhello'],
    ['a space in front', ' 5\r\nhello'],
    ['a space behind', '5 \r\nhello'],
    ['a tab behind', '5\t\r\nhello'],
    ['a comma', '5,5\r\nhello'],
    ['more than 64 bits', '10000000000000005\r\nhello'],
    ['all of 64 bits', 'ffffffffffffffff\r\nhello'],
    ['a bare line feed', '5\nhello'],
    ['a bare carriage return', '5\rhello'],
    ['a line feed in an extension', '5;a\nb\r\nhello'],
    ['a NUL in an extension', '5;a\0\r\nhello'],
  ])('ends at a chunk whose size is not one, and is not whole: %s', async (_, chunk) => {
    for (const before of ['', '3\r\nabc\r\n'])
      for (const seen of await askBothWays(chunked(`${before}${chunk}\r\n0\r\n\r\n`), 'GET', 'close'))
        expectRefused(seen);
  });

  it.each([
    ['missing', '5\r\nhello0\r\n\r\n'],
    ['a bare line feed', '5\r\nhello\n0\r\n\r\n'],
    ['a bare carriage return', '5\r\nhello\r0\r\n\r\n'],
    ['other bytes', '5\r\nhelloXX0\r\n\r\n'],
    ['more data', '5\r\nhello world\r\n0\r\n\r\n'],
  ])('ends at a chunk without its CR LF, and is not whole: %s', async (_, body) => {
    for (const seen of await askBothWays(chunked(body), 'GET', 'close')) expectRefused(seen);
  });

  it.each([
    ['within the length', answerWith('Content-Length: 6\r\n', 'hello')],
    ['before a byte of it', answerWith(SIZED)],
    ['before the first chunk', chunked('')],
    ['within the size of a chunk', chunked('5')],
    ['within a chunk', chunked('5\r\nhel')],
    ['within the CR LF of a chunk', chunked('5\r\nhello\r')],
    ['between two chunks', chunked('5\r\nhello\r\n')],
    ['within the last chunk', chunked('5\r\nhello\r\n0')],
    ['before the last line', chunked('5\r\nhello\r\n0\r\n')],
    ['within the last line', chunked('5\r\nhello\r\n0\r\n\r')],
    ['within the trailers', chunked('5\r\nhello\r\n0\r\nA: b\r\n')],
    ['within the head', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n'],
    ['at the end of a head that is not over', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r'],
  ])('that is cut off does not look whole: %s', async (_, bytes) => {
    for (const end of ['close', 'reset'] as const)
      expectRefused(await scripted.ask({ pieces: [bytes], end }));
  });
});

describe('the trailers of an answer', () => {
  const withTrailers = (lines: string) => chunked(`5\r\nhello\r\n0\r\n${lines}\r\n`);

  it('keep their order and bytes, without those that would change the message', async () => {
    const lines =
      'X-B: 1\r\nX-A:\t2 \r\nSet-Cookie: a=b\r\nX-B: caf\xe9\r\nHost: c\r\nConnection: X-A\r\nX-Empty:\r\n';
    for (const seen of await askBothWays(withTrailers(lines))) {
      expectWhole(seen, 'hello');
      expect(seen.answer?.trailers.map(([name, value]) => `${name}: ${value.trim()}`)).toEqual([
        'x-b: 1',
        'x-a: 2',
        'x-b: caf\xe9',
        'x-empty: ',
      ]);
    }
  });

  it.each([
    ['a length', 'Content-Length: 3\r\n'],
    ['a space in a name', 'X A: b\r\n'],
    ['no colon', 'nonsense\r\n'],
    ['no name', ': b\r\n'],
    ['a folded line', 'X-A: b\r\n c\r\n'],
    ['a bare line feed', 'X-A: b\n'],
    ['a NUL', 'X-A: \0\r\n'],
  ])('with %s are not passed on', async (_, lines) => {
    for (const seen of await askBothWays(withTrailers(lines), 'GET', 'close')) {
      expect(seen.rest).toBe('');
      expect(seen.answer?.trailers ?? []).toEqual([]);
    }
  });

  it('of more than 64 KB are refused', async () => {
    expectRefused(await scripted.ask(withTrailers(`X-A: ${'y'.repeat(70_000)}\r\n`)));
    expectRefused(await scripted.ask(withTrailers('X-A: y\r\n'.repeat(20_000))));
  });
});

describe('the head of an answer', () => {
  it.each([
    ['keeps its order and repetition', 'B: 1\r\nA: 2\r\nB: 3\r\n', ['b: 1', 'a: 2', 'b: 3']],
    ['keeps empty values', 'A:\r\nB: \r\nC:\t\r\n', ['a: ', 'b: ', 'c: ']],
    ['needs no space after the colon', 'A:b\r\nC::d\r\n', ['a: b', 'c: :d']],
    ['keeps spaces within a value', 'A: b  \t c\r\n', ['a: b  \t c']],
    ['keeps every byte of a value', 'A: \xff\xc3\xa9"\\\r\n', ['a: \xff\xc3\xa9"\\']],
    ['may use every character of a name', "!#$%&'*+-.^_`|~9: b\r\n", ["!#$%&'*+-.^_`|~9: b"]],
    [
      'may name what every object has',
      '__proto__: a\r\nconstructor: b\r\n',
      ['__proto__: a', 'constructor: b'],
    ],
    [
      'loses what is about the connection',
      'Keep-Alive: timeout=5\r\nConnection: X-A\r\nX-A: 1\r\nB: 2\r\n',
      ['b: 2'],
    ],
  ])('%s', async (_, lines, expected) => {
    for (const fields of [`${lines}${SIZED}`, `${SIZED}${lines}`]) {
      for (const seen of await askBothWays(answerWith(fields, 'hello'))) {
        expectWhole(seen, 'hello');
        const others = listFields(seen).filter(([name]) => name !== 'content-length');
        expect(others.map(field => field.join(': '))).toEqual(expected);
      }
    }
  });

  it.each([
    ['a space before the colon', 'A : b\r\n'],
    ['a tab before the colon', 'A\t: b\r\n'],
    ['a space in a name', 'A b: c\r\n'],
    ['no name', ': b\r\n'],
    ['a colon alone', ':\r\n'],
    ['no colon', 'A\r\n'],
    ['a space in front', ' A: b\r\n'],
    ['a folded line', 'A: b\r\n c\r\n'],
    ['a line folded with a tab', 'A: b\r\n\tc\r\n'],
    ['a folded length', 'Content-Length:\r\n 5\r\n'],
    ['a bare line feed', 'A: b\n'],
    ['a bare line feed in a value', 'A: b\nC: d\r\n'],
    ['a bare carriage return', 'A: b\rC: d\r\n'],
    ['a NUL in a value', 'A: b\0c\r\n'],
    ['a NUL in a name', 'A\0: b\r\n'],
    ['a control character in a value', 'A: b\x01\r\n'],
    ['a delete character in a value', 'A: b\x7f\r\n'],
    ['a byte above ASCII in a name', '\xe9: b\r\n'],
    ['brackets in a name', '(a): b\r\n'],
    ['a pseudo-field', ':status: 204\r\n'],
  ])('is refused with %s', async (_, lines) => {
    for (const fields of [`${lines}${SIZED}`, `${SIZED}${lines}`])
      for (const seen of await askBothWays(answerWith(fields, 'hello'), 'GET', 'close')) {
        expectRefused(seen);
        expect(seen.answer?.status).toBe(502);
      }
  });

  it('is refused with a status below 100 at once, also if the app keeps the connection open', async () => {
    const seen = await scripted.ask({ pieces: [sized('', 'HTTP/1.1 099 OK')] });
    expectRefused(seen);
    expect(seen.answer?.status).toBe(502);
  });

  it.each([
    'HTTP/1.1 99 OK',
    'HTTP/1.1 099 OK',
    'HTTP/1.1 000 OK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 1000 OK',
    'HTTP/1.1 0200 OK',
    'HTTP/1.1 abc OK',
    'HTTP/1.1 2x0 OK',
    'HTTP/1.1 -200 OK',
    'HTTP/1.1 +200 OK',
    'HTTP/1.1 200OK',
    'HTTP/1.1 200\tOK',
    'HTTP/1.1  200 OK',
    'HTTP/1.1\t200 OK',
    'HTTP/1.1 ',
    'HTTP/1.1',
    'HTTP/1. 200 OK',
    'HTTP/11.1 200 OK',
    'HTTP/1.1.1 200 OK',
    'HTTP/1,1 200 OK',
    'HTTP/1.10 200 OK',
    'HTTP/1.2 200 OK',
    'HTTP /1.1 200 OK',
    'http/1.1 200 OK',
    'XHTTP/1.1 200 OK',
    ' HTTP/1.1 200 OK',
    'HTTP/1.1 200 OK\r',
    'HTTP/1.1 200 O\rK',
    'HTTP/1.1 200 OK\nA: b',
    'ICY 200 OK',
  ])('is refused with the first line %j', async line => {
    for (const seen of await askBothWays(sized('', line), 'GET', 'close')) {
      expectRefused(seen);
      expect(seen.answer?.status).toBe(502);
    }
  });

  it.each([200, 204, 299, 304, 404, 599, 600, 999])('keeps the status %s', async status => {
    const bytes = answerWith('Content-Length: 0\r\n', '', `HTTP/1.1 ${status} Fine`);
    const [atOnce, byBytes] = await askBothWays(bytes);
    expect(atOnce?.answer).toMatchObject({ status, reason: 'Fine', isWhole: true });
    expect(byBytes?.answer).toMatchObject({ status, isWhole: true });
  });

  it.each([
    ['usual', 'HTTP/1.1 404 Not Found', 'Not Found'],
    ['in another case', 'HTTP/1.1 404 NOT found', 'NOT found'],
    ['long', `HTTP/1.1 200 ${'long '.repeat(4_000)}end`, `${'long '.repeat(4_000)}end`],
    ['absent', 'HTTP/1.1 404 ', 'Not Found'],
    ['absent with its space', 'HTTP/1.1 404', 'Not Found'],
    ['in UTF-8, which visitors would read as something else', 'HTTP/1.1 404 \xc3\xa9t\xc3\xa9', 'Not Found'],
  ])('has a reason that visitors can read: %s', async (_, line, reason) => {
    const seen = await scripted.ask(sized('', line));
    expect(seen.answer).toMatchObject({ reason, body: 'hello', isWhole: true });
  });

  it('without line ends of its own is refused: only LF, only CR', async () => {
    for (const lineEnd of ['\n', '\r'])
      expectRefused(
        await scripted.ask({
          pieces: [`HTTP/1.1 200 OK${lineEnd}Content-Length: 5${lineEnd}${lineEnd}hello`],
          end: 'close',
        }),
      );
  });

  it('may have nearly 64 KB, and not more: in one field, in many, in a name', async () => {
    const many = (count: number) => 'abcd: efgh\r\n'.repeat(count);
    expectWhole(await scripted.ask(sized(`A: ${'x'.repeat(64_000)}\r\n`)), 'hello');
    expectWhole(await scripted.ask({ pieces: cut(sized(many(4_000)), 1_000) }), 'hello');
    for (const large of [
      sized(`A: ${'x'.repeat(66_000)}\r\n`),
      sized(many(9_000)),
      sized(`${'x'.repeat(66_000)}: a\r\n`),
    ])
      expectRefused(await scripted.ask(large));
  });

  it('that never ends is refused once it is too long', async () => {
    const lines = 'A: b\r\n'.repeat(10_000);
    scripted.answer = socket => {
      const goOn = () => void (socket.destroyed || socket.write(lines, goOn));
      socket.write('HTTP/1.1 200 OK\r\n', goOn);
    };
    const response = await fetch(scripted.door.url);
    expect(response.status).toBe(502);
    expect(await response.text()).toContain('longer than 64 KB');
  });
});

describe('an answer that has no body by its nature', () => {
  it.each([
    ['HEAD', 'HTTP/1.1 200 OK', SIZED],
    ['HEAD', 'HTTP/1.1 200 OK', 'Transfer-Encoding: chunked\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK', ''],
    ['HEAD', 'HTTP/1.1 404 Not Found', 'Content-Length: 99999999999\r\n'],
    ['HEAD', 'HTTP/1.0 200 OK', SIZED],
    ['GET', 'HTTP/1.1 204 No Content', ''],
    ['GET', 'HTTP/1.1 204 No Content', 'Content-Length: 0\r\n'],
    ['GET', 'HTTP/1.1 204 No Content', SIZED],
    ['GET', 'HTTP/1.1 204 No Content', 'Transfer-Encoding: chunked\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified', ''],
    ['GET', 'HTTP/1.1 304 Not Modified', SIZED],
    ['GET', 'HTTP/1.1 304 Not Modified', 'Transfer-Encoding: chunked\r\n'],
    ['OPTIONS', 'HTTP/1.1 204 No Content', ''],
  ])('ends with its head, while the app keeps the connection: %s, %s, %j', async (method, line, fields) => {
    for (const { answer, rest } of await askBothWays(answerWith(fields, '', line), method))
      expect({ ...answer, rest }).toMatchObject({ body: '', trailers: [], isWhole: true, rest: '' });
  });

  it.each([
    ['HEAD', answerWith(SIZED, 'hello')],
    ['HEAD', chunked('5\r\nhello\r\n0\r\n\r\n')],
    ['GET', answerWith(SIZED, 'hello', 'HTTP/1.1 204 No Content')],
    ['GET', answerWith('', 'hello', 'HTTP/1.1 204 No Content')],
    ['GET', answerWith(SIZED, 'hello', 'HTTP/1.1 304 Not Modified')],
    [
      'GET',
      answerWith('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n', 'HTTP/1.1 304 Not Modified'),
    ],
  ])('is passed on without the one that it has: %s, %j', async (method, bytes) => {
    for (const { answer, rest } of await askBothWays(bytes, method))
      expect({ ...answer, rest }).toMatchObject({ body: '', isWhole: true, rest: '' });
  });

  it('keeps the length that a GET would have: HEAD and 304', async () => {
    const head = await scripted.ask(answerWith('Content-Length: 1234\r\n'), 'HEAD');
    expect(listFields(head)).toEqual([['content-length', '1234']]);
    const notModified = answerWith('Content-Length: 1234\r\n', '', 'HTTP/1.1 304 Not Modified');
    expect(listFields(await scripted.ask(notModified))).toEqual([['content-length', '1234']]);
  });

  it('is not a 205 with a body: that keeps its framing', async () => {
    const line = 'HTTP/1.1 205 Reset Content';
    const seen = await scripted.ask(answerWith(SIZED, 'hello', line));
    expect(seen).toMatchObject({ answer: { status: 205, body: 'hello', isWhole: true }, rest: '' });
    expectRefused(await scripted.ask({ pieces: [answerWith(SIZED, 'hel', line)], end: 'close' }));
  });
});

describe('an interim answer', () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';

  it('is passed on before the final one, in any number and in any pieces', async () => {
    const before = `HTTP/1.1 102 Processing\r\n\r\n${hints}${hints}HTTP/1.1 102 Processing\r\n\r\n`;
    for (const seen of await askBothWays(before + sized(''))) {
      expectWhole(seen, 'hello');
      expect(seen.answer?.interim).toEqual([102, 103, 103, 102]);
    }
  });

  it('has no body, whatever it says', async () => {
    for (const fields of [SIZED, 'Transfer-Encoding: chunked\r\n']) {
      const seen = await scripted.ask(`HTTP/1.1 103 Early Hints\r\n${fields}\r\n${sized('')}`);
      expectWhole(seen, 'hello');
      expect(seen.answer?.interim).toEqual([103]);
    }
  });

  it('may come two hundred times', async () => {
    const seen = await scripted.ask(hints.repeat(200) + sized(''));
    expectWhole(seen, 'hello');
  });

  it('does not make a final one: the app that sends no other is answered for', async () => {
    const seen = await scripted.ask({ pieces: [hints], end: 'close' });
    expectRefused(seen);
    expect(seen.answer).toMatchObject({ interim: [103], status: 502 });
  });

  it('to HEAD comes before a final one without a body', async () => {
    const seen = await scripted.ask(hints + answerWith(SIZED), 'HEAD');
    expect(seen.answer).toMatchObject({ interim: [103], status: 200, body: '', isWhole: true });
  });

  it.each([
    ['alone', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    [
      'with its fields',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
    ],
  ])('that switches protocols unasked becomes a 502: %s', async (_, bytes) => {
    for (const behind of ['', sized('')]) {
      const seen = await scripted.ask(bytes + behind);
      expectRefused(seen);
      expect(seen.answer).toMatchObject({ interim: [], status: 502 });
    }
  });

  it('whose head is not valid is refused', async () => {
    for (const lines of ['A : b\r\n', 'A: b\n', 'A: \0\r\n']) {
      const seen = await scripted.ask({
        pieces: [`HTTP/1.1 103 Early Hints\r\n${lines}\r\n${sized('')}`],
        end: 'close',
      });
      expectRefused(seen);
      expect(seen.answer?.interim).toEqual([]);
    }
  });
});
