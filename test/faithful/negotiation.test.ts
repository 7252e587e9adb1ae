// Answers that depend on what was asked: no body, a part of it, another place, nothing new. Compared as in
// answers.test.ts.

import type { RequestListener } from 'node:http';
import { expect, it } from 'vitest';
import { Noise } from '../support/noise.ts';
import { compareAnswer, describeFaithful } from './routes.ts';

describeFaithful('an answer', '127.0.0.98', world => {
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
    const answer = await compareAnswer(world, { method }, (_, response) =>
      response.writeHead(status, headers).end(),
    );
    expect([answer.status, answer.body.bytes, answer.end]).toEqual([status, 0, 'whole']);
  });

  it('keeps Location as it is', async () => {
    for (const location of ['/next', '../up?a=b', '//other.example/x', 'https://other.example/x', '', 'a b'])
      for (const status of [301, 302, 303, 307, 308]) {
        const { headers } = await compareAnswer(world, {}, (_, response) =>
          response.writeHead(status, { location }).end(),
        );
        expect(headers[0]).toEqual(['location', location]);
      }
  });

  it('follows the visitor’s conditions', async () => {
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
      statuses.push((await compareAnswer(world, { headers: [header] }, listener)).status);
    expect(statuses).toEqual([304, 200, 200, 412, 304, 200]);
  });

  it('is the part that was asked for: one, several, none', async () => {
    const whole = new Noise(8).take(100_000);
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
      const { status, body } = await compareAnswer(world, { headers: [['Range', range]] }, listener);
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
});
