// The two visitors of the comparison suite: both see the same of a server. A visitor that overlooks something would
// make every comparison succeed.

import { createServer as createHttp1Server, type RequestListener, type ServerResponse } from 'node:http';
import {
  constants,
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Stream,
} from 'node:http2';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen } from '../support/listen.ts';
import { openHttp1Visitor } from './http1-visitor.ts';
import { openHttp2Visitor } from './http2-visitor.ts';
import { readAnswer, selectCompared, type Visitor } from './visitor.ts';

/** Node's HTTP/2 server gives listeners of its HTTP/1.1 server what they are used to. */
type Http2Listener = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

function breakOff(response: ServerResponse): void {
  if ('stream' in response) (response.stream as ServerHttp2Stream).close(constants.NGHTTP2_INTERNAL_ERROR);
  else response.destroy();
}

async function open(protocol: string, listener: RequestListener): Promise<Visitor> {
  const server =
    protocol === 'h2' ? createHttp2Server(listener as unknown as Http2Listener) : createHttp1Server(listener);
  const url = new URL(`http://127.0.0.1:${await listen(server)}`);
  const visitor = protocol === 'h2' ? openHttp2Visitor(url) : openHttp1Visitor(url);
  onTestFinished(() => {
    visitor.close();
    server.close();
  });
  return visitor;
}

describe.each(['http/1.1', 'h2'])('a visitor that speaks %s', protocol => {
  it('sends fields in order and repeated', async () => {
    let seen: [string | undefined, string | undefined, string[], Buffer] | undefined;
    const visitor = await open(protocol, async (request, response) => {
      const body = Buffer.concat(await request.toArray());
      seen = [request.method, request.url, request.rawHeaders.slice(protocol === 'h2' ? 8 : 2), body];
      response.end();
    });
    const headers = [
      ['x-a', '1'],
      ['x-b', 'caf\xe9'],
      ['x-a', '2'],
    ] as const;
    await readAnswer(visitor.request({ method: 'PUT', path: '/%zz?a', headers, body: Buffer.from('body') }));
    expect(seen?.[2].slice(0, 8).map(text => text.toLowerCase())).toEqual([
      ...headers.flat(),
      'content-length',
      '4',
    ]);
    expect([seen?.[0], seen?.[1], String(seen?.[3])]).toEqual(['PUT', '/%zz?a', 'body']);
  });

  it('sees the head in order and repeated, interim answers before, trailers behind', async () => {
    const visitor = await open(protocol, (_, response) => {
      response.writeEarlyHints({ link: '</a>; rel=preload' });
      response.setHeader('set-cookie', ['b=1', 'a=2', 'b=3']);
      response.writeHead(203, { trailer: 'x-sum' });
      response.write('body');
      response.addTrailers({ 'x-sum': '4' });
      response.end();
    });
    const answer = await readAnswer(visitor.request({}));
    expect(answer).toMatchObject({
      interim: [{ status: 103, headers: [['link', '</a>; rel=preload']] }],
      status: 203,
      text: 'body',
      trailers: [['x-sum', '4']],
      end: 'whole',
    });
    expect(answer.headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)).toEqual([
      'b=1',
      'a=2',
      'b=3',
    ]);
  });

  it('sees and sends one piece after the other, and trailers behind the last', async () => {
    let trailers: unknown;
    const visitor = await open(protocol, (request, response) => {
      request.on('data', piece => response.write(`got ${piece}`));
      request.on('end', () => {
        trailers = request.trailers['x-mine'];
        response.end();
      });
    });
    const exchange = visitor.request({ method: 'POST', open: true, headers: [['Trailer', 'X-Mine']] });
    await exchange.write('one');
    const head = await exchange.next();
    expect(head.kind === 'head' && selectCompared(head.headers)).toEqual([]);
    expect(await exchange.next()).toEqual({ kind: 'data', bytes: Buffer.from('got one') });
    await exchange.write('two');
    expect(await exchange.next()).toEqual({ kind: 'data', bytes: Buffer.from('got two') });
    exchange.end([['x-mine', '5']]);
    expect((await exchange.next()).kind).toBe('end');
    expect(trailers).toBe('5');
  });

  it('distinguishes an answer that broke off from a complete one, and can leave', async () => {
    const visitor = await open(protocol, (request, response) => {
      response.write('half', () => {
        if (request.url === '/break') breakOff(response);
      });
      response.on('close', () => left.resolve());
    });
    const left = Promise.withResolvers<void>();
    const exchange = visitor.request({});
    await exchange.next();
    exchange.leave();
    await left.promise;
    expect(await readAnswer(visitor.request({ path: '/break' }))).toMatchObject({
      text: 'half',
      end: 'broken',
    });
  });

  it('waits for 100 Continue', async () => {
    const visitor = await open(protocol, (request, response) =>
      request.resume().on('end', () => response.end('thanks')),
    );
    const exchange = visitor.request({ method: 'POST', open: true, headers: [['Expect', '100-continue']] });
    expect(await exchange.next()).toEqual({ kind: 'interim', status: 100, headers: [] });
    exchange.end();
    expect(await readAnswer(exchange)).toMatchObject({ text: 'thanks', end: 'whole' });
  });
});
