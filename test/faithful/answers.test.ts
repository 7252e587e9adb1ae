// Answers as a visitor sees them: directly at the app, and through the tunnel and the gateway.

import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { brotliCompressSync, deflateRawSync, gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { Noise } from '../support/noise.ts';
import { waitUntil } from '../support/wait-until.ts';
import { compareAnswer, describeFaithful } from './routes.ts';
import { readAnswer } from './visitor.ts';

const noise = new Noise(7);

describeFaithful('an answer', '127.0.0.27', world => {
  it.each([200, 201, 202, 203, 205, 206, 207, 299, 300, 400, 401, 404, 410, 418, 429, 451, 500, 503, 599])(
    'keeps its status and body: %s',
    async status => {
      const answer = await compareAnswer(world, {}, (_, response) =>
        response.writeHead(status, { 'x-status': status }).end(status === 205 ? '' : `body of ${status}`),
      );
      expect([answer.status, answer.headers[0]]).toEqual([status, ['x-status', String(status)]]);
    },
  );

  it('keeps its reason phrase, also an unusual one', async () => {
    const reasons = [];
    for (const reason of ['Short and stout', 'a  b', '!#~'])
      reasons.push(
        (await compareAnswer(world, {}, (_, response) => response.writeHead(200, reason).end('ok'))).reason,
      );
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
    const { headers } = await compareAnswer(world, {}, (_, response) =>
      response.writeHead(200, [...fields, ...more, 'Content-Length', '2']).end('ok'),
    );
    expect(headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)).toEqual([
      'b=2; Path=/',
      'a=1',
      'b=3; HttpOnly',
    ]);
    expect(headers).toHaveLength(11);
  });

  it('keeps the date that the app gives', async () => {
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
    const { headers } = await compareAnswer(world, {}, (_, response) =>
      response
        .writeHead(200, ['X-Latin', 'caf\xe9 \xa0\xff', 'X-Utf8', Buffer.from('☕ é').toString('latin1')])
        .end(),
    );
    expect(headers.slice(0, 2).map(([, value]) => value)).toEqual([
      'caf\xe9 \xa0\xff',
      Buffer.from('☕ é').toString('latin1'),
    ]);
  });

  it('keeps very many and very long fields, up to 64 KB in all', async () => {
    const many = Array.from({ length: 1_500 }, (_, index) => [`x-${index}`, `value ${index}`]).flat();
    const manySeen = await compareAnswer(world, {}, (_, response) =>
      response.writeHead(200, many).end('many'),
    );
    expect(manySeen.headers).toHaveLength(1_500);
    const long = await compareAnswer(world, {}, (_, response) =>
      response.writeHead(200, { 'x-long': 'y'.repeat(65_000) }).end('long'),
    );
    expect(long.headers[0]?.[1]).toHaveLength(65_000);
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
        const answer = await compareAnswer(world, {}, (_, response) =>
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
        const answer = await compareAnswer(world, {}, (_, response) => void way(response));
        expect([answer.body.bytes, answer.end]).toEqual([size, 'whole']);
      }
    },
  );

  it('carries its trailers, in order and repeated', async () => {
    const { trailers } = await compareAnswer(world, {}, (_, response) => {
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

  it('may be slow, without delaying other visitors', async () => {
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
