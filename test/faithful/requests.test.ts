// Requests as the app sees them: sent straight to it, and through the tunnel and the gateway.

import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { Noise } from '../support/noise.ts';
import { scale } from '../support/scale.ts';
import { readRequest, type SeenRequest } from './programmable-app.ts';
import { type Door, describeFaithful, type World } from './routes.ts';
import { type Ask, type Field, readAnswer } from './visitor.ts';

const noise = new Noise(11);
const GAINS_LENGTH: ReadonlySet<string> = new Set(['PROPFIND', 'PUT', 'QUERY']);

/**
 * What the gateway changes in a head on purpose: the app's own name in Host. The length of a body moves behind the other fields, which says the same (RFC 9110, 5.3), and an empty body has a length
 * where it had none: the gateway sends one with methods it expects a body of, and instead of an empty chunked body.
 */
function differInHead(direct: SeenRequest, { app }: World): SeenRequest {
  const isLength = ([name]: Field) => name === 'content-length';
  const headers = direct.headers.map(
    ([name, value]): Field => [name, name === 'host' ? `localhost:${app.port}` : value],
  );
  const others = headers.filter(field => !isLength(field));
  const gainsLength = direct.body.bytes === 0 && GAINS_LENGTH.has(direct.method ?? '');
  const length: Field[] = gainsLength ? [['content-length', '0']] : headers.filter(isLength);
  return { ...direct, headers: [...others, ...length] };
}

/** The app's view of a question. */
async function tell(
  world: World,
  question: Ask,
  fill?: (exchange: ReturnType<ReturnType<Door['openVisitor']>['request']>) => Promise<void>,
) {
  return await world.compare(async door => {
    const visitor = door.openVisitor();
    const arrived = new Promise<SeenRequest>(resolve =>
      world.app.handle((request, response) => {
        void readRequest(request).then(seen => {
          response.end('thanks');
          resolve(seen);
        });
      }),
    );
    const exchange = visitor.request(question);
    await fill?.(exchange);
    const answer = await readAnswer(exchange);
    visitor.close();
    expect(answer).toMatchObject({ status: 200, end: 'whole' });
    return await arrived;
  }, differInHead);
}

describeFaithful('a request', '127.0.0.28', world => {
  it.each([
    'GET',
    'HEAD',
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'OPTIONS',
    'TRACE',
    'PROPFIND',
    'REPORT',
    'QUERY',
    'M-SEARCH',
    'PURGE',
  ])('keeps its method, with a body and without: %s', async method => {
    const withBody = method === 'TRACE' || method === 'HEAD' ? {} : { body: Buffer.from('body') };
    expect((await tell(world, { method })).method).toBe(method);
    expect((await tell(world, { method, ...withBody })).body.bytes).toBe('body' in withBody ? 4 : 0);
  });

  it('keeps the case, order and repetition of its fields', async () => {
    const headers: Field[] = [
      ['Accept', 'text/html, */*;q=0.1'],
      ['X-One', '1'],
      ['Cookie', 'a=1; b="2"'],
      ['X-Two', 'a  \t b'],
      ['X-One', '2'],
      ['Accept-Language', 'de'],
      ['Accept-Language', 'en'],
      ['Authorization', 'Basic YTpi'],
      ['X-Latin', 'caf\xe9 \xff'],
      ['Range', 'bytes=0-1'],
      ['X_Under_Score', 'stays'],
      ['Origin', 'https://other.example'],
      ['Referer', 'https://other.example/?q=ü'.replace('ü', '\xfc')],
      ['X-Empty', ''],
    ];
    expect((await tell(world, { headers })).headers.slice(1)).toHaveLength(headers.length);
  });

  it('keeps very many and very long fields, up to 15 KB in all', async () => {
    const many = Array.from({ length: 240 }, (_, index): Field => [`x-${index}`, `value ${index}`]);
    expect((await tell(world, { headers: many })).headers).toHaveLength(241);
    const long = await tell(world, { headers: [['X-Long', 'y'.repeat(15_000)]] });
    expect(long.headers[1]?.[1]).toHaveLength(15_000);
  });

  it('keeps every byte that may stand in a path or a query', async () => {
    // The others are encoded by browsers, and refused by Node, whether it serves the app or the gateway.
    const bytes = Array.from({ length: 127 }, (_, code) => String.fromCharCode(code)).filter(
      byte => byte > ' ' && byte !== '#',
    );
    expect(bytes).toHaveLength(93);
    for (const path of [`/${bytes.join('/')}`, `/?${bytes.join('')}`, `/a${bytes.reverse().join('')}`])
      expect((await tell(world, { path })).target).toBe(path);
  });

  it.each([
    '/.',
    '/..',
    '/a/../b',
    '/%2e%2e/%2F',
    '/a//b',
    '/a///',
    '/%',
    '/%zz',
    '/?',
    '/?a=%00',
    '/;x=1',
    '/a b'.replace(' ', '+'),
    `/${'long/'.repeat(1_500)}`,
  ])('keeps its path as it is: %s', async path => {
    expect((await tell(world, { path })).target).toBe(path);
  });

  // Through bore, HTTP/2 lets in 64 KB every 40 ms.
  it.each([0, 1, 65_535, 65_536, scale(2_000_003, 20_000_000)])(
    'carries every byte of its upload: %s of them',
    async size => {
      const body = noise.take(size);
      const sha256 = createHash('sha256').update(body).digest('hex');
      expect((await tell(world, { method: 'POST', body })).body).toEqual({ bytes: size, sha256 });
      const half = size >> 1;
      const seen = await tell(world, { method: 'PUT', open: true }, async exchange => {
        if (size > 0) await exchange.write(body.subarray(0, half + 1));
        if (size > half + 1) await exchange.write(body.subarray(half + 1));
        exchange.end();
      });
      expect(seen).toMatchObject({ body: { bytes: size, sha256 }, isWhole: true });
    },
  );

  it('carries an encoded body unchanged', async () => {
    const body = noise.take(5_000);
    const headers: Field[] = [
      ['Content-Encoding', 'gzip'],
      ['Content-Type', 'multipart/form-data; boundary=x'],
    ];
    expect((await tell(world, { method: 'POST', body, headers })).body.bytes).toBe(5_000);
  });

  it('carries each piece of its upload before the next is sent', async () => {
    await world.compare(async door => {
      const visitor = door.openVisitor();
      const arrived = Promise.withResolvers<import('node:http').IncomingMessage>();
      world.app.handle((request, response) => {
        arrived.resolve(request);
        request.on('end', () => response.end('thanks'));
      });
      const exchange = visitor.request({ method: 'POST', open: true });
      const pieces: string[] = [];
      // The gateway holds the head back until the first piece of the body.
      await exchange.write('piece 0');
      const body = (await arrived.promise)[Symbol.asyncIterator]();
      for (let index = 1; index <= 5; index += 1) {
        pieces.push(String((await body.next()).value));
        await exchange.write(`piece ${index}`);
      }
      pieces.push(String((await body.next()).value));
      exchange.end();
      await body.next();
      const answer = await readAnswer(exchange);
      visitor.close();
      expect(pieces).toHaveLength(6);
      return [pieces, answer];
    });
  });
});
