// The exact bytes of requests as the app gets them: the first line, the fields in their order and case, one framing, the body.

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sendRaw } from '../../support/gateway-door.ts';
import { OK } from '../../support/raw-app.ts';
import { readRequests, type SentRequest } from '../../support/read-requests.ts';
import { cut, HOST, letRead, type Scripted, startScripted } from '../../support/scripted-app.ts';
import { waitUntil } from '../../support/wait-until.ts';

let scripted: Scripted;
beforeEach(async () => {
  scripted = await startScripted();
});
afterEach(() => scripted.stop());

/** What the app gets of a request that is sent in these pieces, each after the one before has been read. */
async function send(first: string, ...pieces: string[]): Promise<SentRequest> {
  const { app, door } = scripted;
  const before = app.seen.length;
  scripted.answer = async socket => {
    // After the whole body, so that nothing of it is lost.
    await waitUntil(() => readRequests(app.seen.slice(before))[0]?.isWhole === true, 'the whole request');
    socket.end(OK.replace('200 OK\r\n', '200 OK\r\nConnection: close\r\n'));
  };
  const visitor = connect(door.port, '127.0.0.1').setNoDelay(true);
  visitor.resume();
  for (const piece of [first, ...pieces]) {
    visitor.write(piece, 'latin1');
    await letRead();
  }
  visitor.end();
  await once(visitor, 'close');
  const requests = readRequests(app.seen.slice(before));
  expect(requests).toHaveLength(1);
  return requests[0] as SentRequest;
}

const isFraming = (line: string) => /^(?:content-length|transfer-encoding):/i.test(line);
const without = (lines: readonly string[], ...names: string[]) =>
  lines.filter(line => !names.includes(line.slice(0, line.indexOf(':')).toLowerCase()));

describe('the head that the app gets', () => {
  it('begins with the first line and the app’s own Host, and ends after the fields', async () => {
    scripted.answer = socket => socket.write(OK);
    await sendRaw(
      scripted.door.port,
      `GET /a?b=c HTTP/1.1\r\nX-A: 1\r\n${HOST}x-b:2\r\nConnection: close\r\n\r\n`,
    );
    const { port, seen } = { port: scripted.app.port, seen: scripted.app.seen };
    expect(seen).toMatch(new RegExp(`^GET /a\\?b=c HTTP/1\\.1\\r\\nhost: localhost:${port}\\r\\n`, 'i'));
    expect(seen).toMatch(/\r\nX-A: 1\r\nx-b: 2\r\n/);
    expect(seen.indexOf('\r\n\r\n')).toBe(seen.length - 4);
    expect(seen).not.toMatch(/\n(?:transfer-encoding|content-length|trailer|te|upgrade):/i);
  });

  it('keeps order, case, repetition, spaces within and every byte of its fields', async () => {
    const fields = [
      ...['Accept: */*', 'X-B: 1', 'x-B: 2', 'Cookie: a=1; b="2"', 'X-B: 3', 'X-Spaces: a  \t b'],
      ...[
        'X-Bytes: \xff\x80caf\xe9',
        'X-Utf8: \xe2\x98\x95',
        'X-Empty: ',
        'Range: bytes=0-1',
        'User-Agent: x',
      ],
      ...["!#$%&'*+.^`|~9: odd", 'X-Colon: :a:b', 'Accept-Encoding: gzip', 'X_Under: stays', '__proto__: p'],
    ];
    const { lines } = await send(`GET / HTTP/1.1\r\n${HOST}${fields.join('\r\n')}\r\n\r\n`);
    const sent = without(lines, 'host', 'connection');
    expect(sent.filter(line => !line.toLowerCase().startsWith('x-forwarded'))).toEqual(fields);
  });

  it.each([
    '/',
    '/?',
    '/%2e%2e/%00?%0d%0a',
    '/a;b=c/d,e?f=g&h[]=i|j{k}^`\\',
    `/${'long/'.repeat(2_400)}`,
    '/..//../a/./b',
    '/caf%C3%A9',
    '/*',
  ])('has the target as it came: %s', async target => {
    expect((await send(`GET ${target} HTTP/1.1\r\n${HOST}\r\n`)).target).toBe(target);
  });

  it('has a target with bytes above ASCII unchanged, or the request is refused', async () => {
    for (const target of ['/caf\xc3\xa9', '/caf\xe9?\xff\x80', '/\xe2\x98\x95/\xf0\x9f\x98\x80']) {
      scripted.answer = socket => socket.write(OK);
      const before = scripted.app.seen.length;
      const bytes = `GET ${target} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`;
      const answer = await sendRaw(scripted.door.port, bytes);
      const seen = scripted.app.seen.slice(before);
      if (seen === '') expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
      else expect(readRequests(seen)[0]?.target).toBe(target);
    }
  });

  it.each(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PROPFIND', 'PURGE', 'M-SEARCH', 'QUERY', 'SUBSCRIBE'])(
    'has the method as it came, without a body: %s',
    async method => {
      const { lines, body, method: sent } = await send(`${method} / HTTP/1.1\r\n${HOST}\r\n`);
      expect([sent, body]).toEqual([method, '']);
      for (const line of lines.filter(isFraming)) expect(line).toMatch(/^content-length: 0$/i);
    },
  );

  it.each(['POST', 'PUT', 'PATCH'])('says that there is no body where one is expected: %s', async method => {
    const { lines } = await send(`${method} / HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`);
    expect(lines.filter(isFraming).map(line => line.toLowerCase())).toEqual(['content-length: 0']);
  });

  it('is without what is about the visitor’s connection', async () => {
    const { lines } = await send(
      `GET / HTTP/1.1\r\n${HOST}Connection: keep-alive, X-Mine\r\nKeep-Alive: timeout=5\r\nX-Mine: 1\r\nTE: trailers\r\nProxy-Connection: x\r\n\r\n`,
    );
    const named = lines.filter(line => /^(?:keep-alive|x-mine|te|proxy-connection|upgrade):/i.test(line));
    expect(named).toEqual([]);
    for (const line of lines.filter(one => /^connection:/i.test(one))) expect(line).toMatch(/: keep-alive$/i);
  });
});

describe('the body that the app gets', () => {
  const BYTES = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('');

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY', 'GET'])(
    'is whole, with the length that was announced and only that: %s',
    async method => {
      const head = `${method} / HTTP/1.1\r\n${HOST}Content-Length: 256\r\nX-After: 1\r\n\r\n`;
      for (const pieces of [
        [head + BYTES],
        [head, BYTES],
        [head, ...cut(BYTES, 50)],
        cut(head + BYTES, 77),
      ]) {
        const [first = '', ...more] = pieces;
        const request = await send(first, ...more);
        expect(request).toMatchObject({ method, body: BYTES, trailers: [] });
        expect(request.lines.filter(isFraming).map(line => line.toLowerCase())).toEqual([
          'content-length: 256',
        ]);
        expect(request.lines).toContain('X-After: 1');
      }
    },
  );

  it('has a length that the visitor wrote with zeros in front', async () => {
    const request = await send(
      `POST / HTTP/1.1\r\n${HOST}Content-Length: 000000000000000000005\r\n\r\nhello`,
    );
    expect(request.lines.filter(isFraming)).toEqual(['content-length: 5']);
    expect(request.body).toBe('hello');
  });

  it('is whole in chunks, without extensions and trailers', async () => {
    const head = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n`;
    const chunks = cut(BYTES, 60).map(chunk => `${chunk.length.toString(16)};a="b"\r\n${chunk}\r\n`);
    const end = '000;z\r\nX-T: 1\r\nContent-Length: 9\r\n\r\n'.replace('Content-Length: 9\r\n', '');
    for (const pieces of [
      [head + chunks.join('') + end],
      [head, ...chunks, end],
      cut(head + chunks.join('') + end, 33),
    ]) {
      const [first = '', ...more] = pieces;
      const request = await send(first, ...more);
      expect(request).toMatchObject({ body: BYTES, trailers: [], isWhole: true });
      expect(request.lines.filter(isFraming).map(line => line.toLowerCase())).toEqual([
        'transfer-encoding: chunked',
      ]);
      expect(without(request.lines, 'trailer')).toEqual(request.lines);
    }
  });

  it('may be empty in chunks', async () => {
    const request = await send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`);
    expect(request).toMatchObject({ body: '', isWhole: true });
    expect(request.lines.filter(isFraming)).toHaveLength(1);
  });

  it('may hold what looks like another request', async () => {
    const body = `\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n${HOST}\r\n`;
    const sized = await send(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`);
    expect(sized.body).toBe(body);
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    expect((await send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${chunk}`)).body).toBe(
      body,
    );
  });

  it('follows Expect: 100-continue, which the gateway answers and the app does not get', async () => {
    scripted.answer = async socket => {
      await waitUntil(() => readRequests(scripted.app.seen)[0]?.isWhole === true, 'the whole request');
      socket.write(OK);
    };
    const visitor = connect(scripted.door.port, '127.0.0.1').setEncoding('latin1');
    let seen = '';
    visitor.on('data', chunk => {
      seen += chunk;
    });
    visitor.write(`POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`);
    await waitUntil(() => seen === 'HTTP/1.1 100 Continue\r\n\r\n', 'the gateway asks for the body');
    visitor.write('body');
    await waitUntil(() => seen.endsWith('ok'), 'the answer');
    visitor.destroy();
    const [request] = readRequests(scripted.app.seen);
    expect(request).toMatchObject({ body: 'body', isWhole: true });
    expect(request?.lines.filter(line => /^expect:/i.test(line))).toEqual([]);
  });

  it.each([
    ['with a length', 'Content-Length: 9\r\n\r\nhalf'],
    ['in chunks, within one', 'Transfer-Encoding: chunked\r\n\r\n9\r\nhalf'],
    ['in chunks, between two', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
    ['in chunks that are not valid', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nxyz\r\n'],
  ])('never looks whole if the visitor’s breaks off: %s', async (_, rest) => {
    scripted.answer = () => {};
    const visitor = connect(scripted.door.port, '127.0.0.1');
    visitor.on('error', () => {}).resume();
    visitor.write(`POST / HTTP/1.1\r\n${HOST}${rest}`);
    if (!rest.endsWith('xyz\r\n')) {
      await waitUntil(() => scripted.app.seen.includes('half'), 'the app has the first piece');
      visitor.destroy();
    }
    await waitUntil(() => visitor.destroyed, 'the visitor is gone');
    await waitUntil(() => scripted.app.open === 0, 'the connection to the app is closed');
    for (const request of readRequests(scripted.app.seen)) expect(request.isWhole).toBe(false);
  });
});

describe('requests one after the other on a connection to the app', () => {
  it('are whole, each with its own framing, whatever the one before was', async () => {
    scripted.answer = socket => socket.write(OK);
    const sent = [
      ['GET', '', ''],
      ['POST', 'Content-Length: 3\r\n', 'abc'],
      ['HEAD', '', ''],
      ['PUT', 'Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n0\r\n\r\n'],
      ['DELETE', '', ''],
      ['POST', 'Content-Length: 0\r\n', ''],
      ['GET', '', ''],
    ] as const;
    for (const [index, [method, framing, body]] of sent.entries()) {
      const head = `${method} /${index} HTTP/1.1\r\n${HOST}Connection: close\r\n${framing}\r\n`;
      await sendRaw(scripted.door.port, head + body);
    }
    const requests = scripted.app.streams.flatMap(readRequests);
    expect(requests.map(({ method, target }) => `${method} ${target}`)).toEqual(
      sent.map(([method], index) => `${method} /${index}`),
    );
    expect(requests.map(({ body }) => body)).toEqual(['', 'abc', '', 'abc', '', '', '']);
  });
});
