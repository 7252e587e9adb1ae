// A Go server behind tunnel and gateway: net/http frames, interrupts and ends its answers differently from Node.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Noise } from '../support/noise.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { type Exposed, expose } from './exposed.ts';
import { openHttp1Visitor } from './http1-visitor.ts';
import { type Ask, type Exchange, readAnswer, selectCompared } from './visitor.ts';

describeWithReal(['bore', 'go-app'], 'a Go server', () => {
  let child: ChildProcess;
  let exposed: Exposed;

  beforeAll(async () => {
    child = spawn(requirePart('go-app'), { stdio: ['pipe', 'pipe', 'inherit'] });
    const [port] = await once(child.stdout ?? child, 'data');
    exposed = await expose({ port: Number(port) }, '127.0.0.68');
  });
  afterAll(async () => {
    await exposed?.stop();
    child?.stdin?.end();
    if (child?.exitCode === null) await once(child, 'exit');
  });

  /** What `act` sees at the app's own port, which must be what it sees through the gateway. */
  async function compare<T>(question: Ask, act: (exchange: Exchange) => Promise<T>): Promise<T> {
    const [direct, through] = await Promise.all(
      [new URL(`http://localhost:${exposed.appPort}`), exposed.url].map(async url => {
        const visitor = openHttp1Visitor(url);
        try {
          return await act(visitor.request(question));
        } finally {
          visitor.close();
        }
      }),
    );
    expect(through).toEqual(direct);
    return direct as T;
  }

  const modified = 'Tue, 01 Jan 2019 00:00:00 GMT';
  it.each<[string, Ask, number]>([
    ['a page', { path: '/a%2Fb;c?d=%zz' }, 200],
    ['a page’s head', { path: '/', method: 'HEAD' }, 200],
    ['a path to be cleaned', { path: '/a/../b' }, 307],
    ['content', { path: '/content' }, 200],
    ['a part of it', { path: '/content', headers: [['Range', 'bytes=5-70000']] }, 206],
    ['a part that is not there', { path: '/content', headers: [['Range', 'bytes=200000-']] }, 416],
    ['content that was seen before', { path: '/content', headers: [['If-None-Match', '"v1"']] }, 304],
    ['content that has not changed', { path: '/content', headers: [['If-Modified-Since', modified]] }, 304],
    ['content that should be another', { path: '/content', headers: [['If-Match', '"v0"']] }, 412],
  ])('answers as it does at its own port: %s', async (_, question, status) => {
    expect((await compare(question, readAnswer)).status).toBe(status);
  });

  it.each([0, 1, 65_535, 3_000_000])(
    'gets an upload of %s bytes, with its length and in chunks',
    async size => {
      const body = new Noise(size).take(size);
      const withLength = await compare({ path: '/sum', method: 'POST', body }, readAnswer);
      expect(withLength.text).toMatch(new RegExp(`^POST ${size} ${size} `));
      const chunked = await compare({ path: '/sum', method: 'POST', open: true }, async exchange => {
        if (size > 0) await exchange.write(body);
        exchange.end();
        const { text } = await readAnswer(exchange);
        // Without a byte in it, a chunked body reaches the app as none.
        return text.replace('POST 0', 'POST -1');
      });
      expect(chunked).toMatch(new RegExp(`^POST -1 ${size} `));
    },
  );

  it('sends trailers, announced and not', async () => {
    expect((await compare({ path: '/trailers' }, readAnswer)).trailers).toEqual([
      ['x-announced', '1'],
      ['x-surprise', '2'],
    ]);
  });

  it('sends its interim answers before the last one', async () => {
    const { interim, text } = await compare({ path: '/interim?status=103,102,103' }, readAnswer);
    expect(interim.map(({ status, headers }) => [status, headers.at(-1)])).toEqual([
      [103, ['x-step', '103']],
      [102, ['x-step', '102']],
      [103, ['x-step', '103']],
    ]);
    expect(text).toBe('at last');
  });

  it('reads and writes at once', async () => {
    const seen = await compare({ path: '/duplex', method: 'POST', open: true }, async exchange => {
      await exchange.write('zero');
      const seen: unknown[] = [];
      const see = async () => {
        const one = await exchange.next();
        seen.push(
          one.kind === 'data'
            ? String(one.bytes)
            : one.kind === 'head'
              ? selectCompared(one.headers)
              : one.kind,
        );
      };
      await see();
      await see();
      for (const piece of ['one', 'two', 'three']) {
        await exchange.write(piece);
        await see();
      }
      exchange.end();
      await see();
      return seen;
    });
    expect(seen).toEqual([[], 'zero', 'one', 'two', 'three', 'end']);
  });

  it('may answer an upload early', async () => {
    const { status, text } = await compare({ path: '/early', method: 'POST', open: true }, async exchange => {
      // Go reads a quarter of a megabyte first, to keep the connection if that is all.
      await exchange.write(Buffer.alloc(300_000));
      const { headers: _, ...answer } = await readAnswer(exchange);
      exchange.leave();
      return answer;
    });
    expect([status, text]).toEqual([413, 'enough\n']);
  });

  it('may break off', async () => {
    expect(await compare({ path: '/abort' }, readAnswer)).toMatchObject({ text: 'half', end: 'broken' });
  });

  it.each([
    ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok', 'whole'],
    ['to the end of the connection', 'HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nuntil the end', 'whole'],
    [
      'in chunks with extensions',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0;c\r\nX-T: 1\r\n\r\n',
      'whole',
    ],
    ['in less than it said', 'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok', 'broken'],
    [
      'in chunks without an end',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n',
      'broken',
    ],
  ])('may take a connection over and answer byte by byte, %s', async (_, bytes, end) => {
    const path = `/hijack?say=${encodeURIComponent(bytes)}`;
    expect(await compare({ path }, readAnswer)).toMatchObject({ status: 200, reason: 'OK', end });
  });
});
