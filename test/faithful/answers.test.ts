// Answers as a visitor sees them: directly at the app, and through the tunnel and the gateway.

import type { RequestListener, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { brotliCompressSync, deflateRawSync, gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { Noise } from '../support/noise.ts';
import { waitUntil } from '../support/wait-until.ts';
import { type Ask, readAnswer } from './visitor.ts';
import { describeFaithful, type World } from './ways-in.ts';

const noise = new Noise(7);

/** Answers a visitor's question the same way in both worlds. */
async function ask(world: World, question: Ask, listener: RequestListener) {
  world.app.handle(listener);
  return await world.compare(async door => {
    const visitor = door.openVisitor();
    try {
      return await readAnswer(visitor.request(question));
    } finally {
      visitor.close();
    }
  });
}

describeFaithful('an answer', '127.0.0.27', world => {
  it.each([200, 201, 202, 203, 205, 206, 207, 299, 300, 400, 401, 404, 410, 418, 429, 451, 500, 503, 599])(
    'keeps its status and body: %s',
    async status => {
      const answer = await ask(world, {}, (_, response) =>
        response.writeHead(status, { 'x-status': status }).end(status === 205 ? '' : `body of ${status}`),
      );
      expect([answer.status, answer.headers[0]]).toEqual([status, ['x-status', String(status)]]);
    },
  );

  it('keeps its reason, also one that is nobody else’s', async () => {
    const reasons = [];
    for (const reason of ['Short and stout', 'a  b', '!#~'])
      reasons.push((await ask(world, {}, (_, response) => response.writeHead(200, reason).end('ok'))).reason);
    expect(reasons).toEqual(['Short and stout', 'a  b', '!#~']);
  });

  it('keeps order and repetition of its fields', async () => {
    const fields = ['Set-Cookie', 'b=2; Path=/', 'X-A', '1', 'Set-Cookie', 'a=1', 'X-B', '', 'X-A', '2'];
    const more = [
      'Set-Cookie',
      'b=3; HttpOnly',
      'Link',
      '</a>',
      'Link',
      '</b>',
      'Vary',
      'Accept',
      'Via',
      '1.1 x',
    ];
    const { headers } = await ask(world, {}, (_, response) =>
      response.writeHead(200, [...fields, ...more, 'Content-Length', '2']).end('ok'),
    );
    expect(headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)).toEqual([
      'b=2; Path=/',
      'a=1',
      'b=3; HttpOnly',
    ]);
    expect(headers).toHaveLength(11);
  });

  it('keeps a date of the app’s own', async () => {
    const date = 'Tue, 01 Jan 2019 00:00:00 GMT';
    world.app.handle((_, response) => void response.writeHead(200, { date, age: '5' }).end('old'));
    for (const door of [world.direct, world.through]) {
      const visitor = door.openVisitor();
      const head = await visitor.request({}).next();
      expect(head).toMatchObject({ headers: expect.arrayContaining([['date', date]]) });
      visitor.close();
    }
  });

  it('keeps values that are not ASCII', async () => {
    const { headers } = await ask(world, {}, (_, response) =>
      response
        .writeHead(200, ['X-Latin', 'caf\xe9 \xa0\xff', 'X-Utf8', Buffer.from('☕ é').toString('latin1')])
        .end(),
    );
    expect(headers.slice(0, 2).map(([, value]) => value)).toEqual([
      'caf\xe9 \xa0\xff',
      Buffer.from('☕ é').toString('latin1'),
    ]);
  });

  it('keeps very many and very long fields, up to 15 KB in all', async () => {
    const many = Array.from({ length: 600 }, (_, index) => [`x-${index}`, `value ${index}`]).flat();
    const manySeen = await ask(world, {}, (_, response) => response.writeHead(200, many).end('many'));
    expect(manySeen.headers).toHaveLength(600);
    const long = await ask(world, {}, (_, response) =>
      response.writeHead(200, { 'x-long': 'y'.repeat(15_000) }).end('long'),
    );
    expect(long.headers[0]?.[1]).toHaveLength(15_000);
  });

  it.each([
    ['gzip', gzipSync('hello '.repeat(5_000))],
    ['br', brotliCompressSync('hello '.repeat(5_000))],
    ['deflate', deflateRawSync('hello '.repeat(5_000))],
    ['nonsense', noise.take(20_000)],
  ])(
    'keeps its body as it is, whatever the encoding says: %s, with a length and without',
    async (coding, body) => {
      for (const length of [{ 'content-length': body.length }, {}]) {
        const answer = await ask(world, {}, (_, response) =>
          response.writeHead(200, { 'content-encoding': coding, ...length }).end(body),
        );
        expect(answer.body.bytes).toBe(body.length);
      }
    },
  );

  it.each([0, 1, 4_095, 4_096, 4_097, 65_535, 65_536, 1_000_003, 20_000_000])(
    'has every byte of its body: %s of them, with a length and in chunks',
    async size => {
      const body = noise.take(size);
      const ways: ((response: ServerResponse) => unknown)[] = [
        response => response.writeHead(200, { 'content-length': size }).end(body),
        response => Readable.from([body.subarray(0, size >> 1), body.subarray(size >> 1)]).pipe(response),
      ];
      for (const way of ways) {
        const answer = await ask(world, {}, (_, response) => void way(response));
        expect([answer.body.bytes, answer.end]).toEqual([size, 'whole']);
      }
    },
  );

  it('carries its trailers, in order and repeated', async () => {
    const { trailers } = await ask(world, {}, (_, response) => {
      response.writeHead(200, { trailer: 'X-Sum, X-Two' }).write('body');
      response.addTrailers([
        ['X-Two', 'a'],
        ['X-Sum', '42'],
        ['X-Two', 'b'],
      ]);
      response.end();
    });
    expect(trailers).toEqual([
      ['x-two', 'a'],
      ['x-sum', '42'],
      ['x-two', 'b'],
    ]);
  });

  it.each([
    ['HEAD with a length', 'HEAD', 200, { 'content-length': '12345' }],
    ['HEAD without', 'HEAD', 200, { etag: '"a"' }],
    ['HEAD of what is not there', 'HEAD', 404, { 'content-type': 'text/plain' }],
    ['204', 'GET', 204, { etag: '"a"' }],
    ['204 to OPTIONS', 'OPTIONS', 204, { allow: 'GET, POST', 'access-control-allow-origin': '*' }],
    ['204 to DELETE', 'DELETE', 204, {}],
    ['304', 'GET', 304, { etag: '"a"', 'cache-control': 'max-age=5', vary: 'accept' }],
    ['304 with the length of what was not sent', 'GET', 304, { 'content-length': '77' }],
    ['304 to HEAD', 'HEAD', 304, { 'last-modified': 'Tue, 01 Jan 2019 00:00:00 GMT' }],
  ] as const)('has no body where there is none: %s', async (_, method, status, headers) => {
    const answer = await ask(world, { method }, (_, response) => response.writeHead(status, headers).end());
    expect([answer.status, answer.body.bytes, answer.end]).toEqual([status, 0, 'whole']);
  });

  it('keeps Location as it is', async () => {
    for (const location of ['/next', '../up?a=b', '//other.example/x', 'https://other.example/x', '', 'a b'])
      for (const status of [301, 302, 303, 307, 308]) {
        const { headers } = await ask(world, {}, (_, response) =>
          response.writeHead(status, { location }).end(),
        );
        expect(headers[0]).toEqual(['location', location]);
      }
  });

  it('is the one to the visitor’s conditions', async () => {
    const modified = 'Tue, 01 Jan 2019 00:00:00 GMT';
    const listener: RequestListener = (request, response) => {
      const { 'if-none-match': none, 'if-match': match, 'if-modified-since': since } = request.headers;
      if (none === '"v1", W/"v0"' || since === modified) response.writeHead(304, { etag: '"v1"' }).end();
      else if (match !== undefined && match !== '"v1"') response.writeHead(412).end('no');
      else response.writeHead(200, { etag: '"v1"', 'last-modified': modified }).end('yes');
    };
    const statuses = [];
    for (const header of [
      ['If-None-Match', '"v1", W/"v0"'],
      ['If-None-Match', '"v2"'],
      ['If-Match', '"v1"'],
      ['If-Match', '"v2"'],
      ['If-Modified-Since', modified],
      ['If-Unmodified-Since', modified],
    ] as const)
      statuses.push((await ask(world, { headers: [header] }, listener)).status);
    expect(statuses).toEqual([304, 200, 200, 412, 304, 200]);
  });

  it('is the part that was asked for: one, several, none', async () => {
    const whole = noise.take(100_000);
    const listener: RequestListener = (request, response) => {
      const ranges = [...(request.headers.range ?? '').matchAll(/(\d+)-(\d+)/g)].map(([, a, b]) => [
        Number(a),
        Number(b),
      ]);
      const parts = ranges.map(([from = 0, to = 0]) => whole.subarray(from, to + 1));
      const [[from = 0, to = 0] = []] = ranges;
      if (from >= whole.length) response.writeHead(416, { 'content-range': `bytes */${whole.length}` }).end();
      else if (parts.length === 1)
        response
          .writeHead(206, {
            'content-range': `bytes ${from}-${to}/${whole.length}`,
            'content-length': parts[0]?.length,
          })
          .end(parts[0]);
      else {
        response.writeHead(206, { 'content-type': 'multipart/byteranges; boundary=b' });
        for (const part of parts)
          response.write(Buffer.concat([Buffer.from('--b\r\n\r\n'), part, Buffer.from('\r\n')]));
        response.end('--b--\r\n');
      }
    };
    const ranges = [
      'bytes=0-0',
      'bytes=99999-99999',
      'bytes=10-70000',
      'bytes=0-9, 500-599, 7-7',
      'bytes=100000-100001',
    ];
    const seen = [];
    for (const range of ranges) {
      const { status, body } = await ask(world, { headers: [['Range', range]] }, listener);
      seen.push([status, body.bytes]);
    }
    expect(seen).toEqual([
      [206, 1],
      [206, 1],
      [206, 69_991],
      [206, 145],
      [416, 0],
    ]);
  });

  it('may be slow in coming, and holds up nobody else', async () => {
    const waiting: ServerResponse[] = [];
    world.app.handle((request, response) => {
      if (request.url === '/slow') waiting.push(response);
      else response.end('quick');
    });
    await world.compare(async door => {
      const visitor = door.openVisitor();
      const slow = [1, 2, 3].map(() => readAnswer(visitor.request({ path: '/slow' })));
      await waitUntil(() => waiting.length === slow.length, 'the app has the slow ones');
      const quick = await readAnswer(visitor.request({ path: '/quick' }));
      for (const response of waiting.splice(0)) response.end('late');
      const answers = [quick, ...(await Promise.all(slow))];
      visitor.close();
      return answers;
    });
  });
});
