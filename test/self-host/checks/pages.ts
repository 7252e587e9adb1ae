// Pages through a proxy: https, HTTP/2, several previews on one connection, and what HTTP says about answers.

import { once } from 'node:events';
import { get } from 'node:http';
import { request as sendRequest } from 'node:https';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import type { World } from '../proxy-world.ts';
import { startRawServer } from '../raw-server.ts';
import { askHttp2, readAll } from '../visitor.ts';

export function definePages(read: () => World): void {
  it('serves each preview at its own name, on 443 and on 8443, and a preview can verify its address', async () => {
    const { first, second } = read();
    for (const { visitor, name, host, app } of [first, second])
      expect(String((await visitor.ask({ name, host })).body)).toBe(`this is ${app.name}`);
    expect([first.isVerified, second.isVerified]).toEqual([true, true]);
  });

  it('sends the app the host that visitors see', async () => {
    const { first, second } = read();
    for (const { visitor, name, host, app } of [first, second]) {
      await visitor.ask({ name, host });
      expect(app.requests.at(-1)?.headers).toMatchObject({
        'x-forwarded-host': host,
        'x-forwarded-proto': 'https',
      });
    }
    // A preview without a gateway (`protocol: tcp`) gets it as it is.
    const raw = await startRawServer(read());
    await second.visitor.ask({ name: raw.name, host: `${raw.name}:8443` });
    expect(raw.seen).toMatch(/^host: 20050\.preview\.example\.com:8443\r$/im);
  });

  it('serves IPv6 visitors', async ({ skip }) => {
    const { first, place } = read();
    if (place.ipv6 === undefined) return skip('this machine has no IPv6');
    const visitor = first.visitor.through({ host: '::1', port: place.ipv6.httpsPort, from: '::1' });
    expect((await visitor.ask({ name: first.name })).status).toBe(200);
  });

  it('offers HTTP/2, and still serves HTTP/1.1', async () => {
    const { first } = read();
    const session = await first.visitor.openHttp2(first.name);
    expect(session.alpnProtocol).toBe('h2');
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, at) => askHttp2(session, { name: first.name, path: `/object/${at}` })),
    );
    session.close();
    expect(answers.map(({ status }) => status)).toEqual(Array(30).fill(200));
    expect(new Set(first.app.requests.map(({ url }) => url)).size).toBe(30);
    expect((await first.visitor.ask({ name: first.name })).status).toBe(200);
  });

  it('follows the Host of each request where one connection is used for two previews, as browsers do', async () => {
    const { first, second } = read();
    // Both names have one certificate and one address, so a browser opens only one HTTP/2 connection (RFC 9113, 9.1.1).
    const session = await first.visitor.openHttp2(first.name);
    const seen: string[] = [];
    for (let round = 0; round < 5; round += 1)
      for (const { name } of [first, second]) {
        const { status, body } = await askHttp2(session, { name });
        seen.push(
          status === 421 ? `this is ${name === first.name ? first.app.name : second.app.name}` : String(body),
        );
      }
    session.close();
    expect(seen).toEqual(
      Array(5)
        .fill([`this is ${first.app.name}`, `this is ${second.app.name}`])
        .flat(),
    );
  });

  it('never mixes up two previews on one HTTP/1.1 connection', async () => {
    const { first, second } = read();
    const names = [first.name, second.name, second.name, first.name];
    const requests = names.map(name => `GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
    const last = `GET / HTTP/1.1\r\nHost: ${first.name}\r\nConnection: close\r\n\r\n`;
    const answers = await first.visitor.send(first.name, requests.join('') + last);
    const seen = answers.match(/HTTP\/1\.1 421|this is the (?:first|second) preview/g) ?? [];
    const [a, b] = [`this is ${first.app.name}`, `this is ${second.app.name}`];
    const fits = [a, b, b, a, a].every(
      (wanted, at) => seen[at] === wanted || seen[at] === undefined || /421/.test(seen[at]),
    );
    expect({ fits, seen: seen.length > 0 && seen[0] === a }, answers).toEqual({ fits: true, seen: true });
  });

  it('passes the path and the query as they are', async () => {
    const { first } = read();
    for (const path of [
      '/a%2Fb/%7Euser/c%20d?x=%26&y=a+b',
      '/a//b/./c',
      '/%E2%82%AC;v=1?q=a/../b',
      '/a%5Cb?',
    ])
      expect([
        (await first.visitor.ask({ name: first.name, path })).status,
        first.app.requests.at(-1)?.url,
      ]).toEqual([200, path]);
  });

  it('passes 12 KB of cookies to the app, and 12 KB of them back', async () => {
    const { first } = read();
    const cookie = `a=${'x'.repeat(4_000)}; b=${'y'.repeat(4_000)}; c=${'z'.repeat(4_000)}`;
    first.app.answer = (_, response) => response.setHeader('set-cookie', cookie.split('; ')).end();
    const { visitor, name } = first;
    const session = await visitor.openHttp2(name);
    const question = { name, headers: { cookie } };
    for (const { status, headers } of [await visitor.ask(question), await askHttp2(session, question)]) {
      expect([status, headers['set-cookie']]).toEqual([200, cookie.split('; ')]);
      expect(first.app.requests.at(-1)?.headers.cookie).toBe(cookie);
    }
    session.close();
  });

  it('answers HEAD without a body, and 304 with the validators', async () => {
    const { first } = read();
    first.app.answer = (request, response) => {
      response.setHeader('etag', '"strong"').setHeader('content-type', 'text/html');
      if (request.headers['if-none-match'] === '"strong"') response.writeHead(304).end();
      else response.setHeader('content-length', 5).end('12345');
    };
    const { name } = first;
    const head = await first.visitor.ask({ name, method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '5', 0]);
    const same = await first.visitor.ask({ name, headers: { 'if-none-match': '"strong"' } });
    expect([same.status, same.headers.etag, same.body.length]).toEqual([304, '"strong"', 0]);
  });

  it('passes compressed answers as they are, and compresses none by itself', async () => {
    const { first } = read();
    const text = '<!doctype html>'.padEnd(40_000, 'a compressible page ');
    first.app.answer = (request, response) => {
      response.setHeader('content-type', 'text/html');
      // RFC 9111, 5.2.2.6: nobody on the way may change the body. The preview would compress it.
      response.setHeader('cache-control', 'no-transform');
      if (request.url === '/gzip') response.setHeader('content-encoding', 'gzip').end(gzipSync(text));
      else response.end(text);
    };
    const ask = (path: string) =>
      first.visitor.ask({ name: first.name, path, headers: { 'accept-encoding': 'gzip' } });
    const packed = await ask('/gzip');
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(String(gunzipSync(packed.body))).toBe(text);
    const plain = await ask('/plain');
    expect([plain.headers['content-encoding'], String(plain.body)]).toEqual([undefined, text]);
  });

  it('asks a visitor who waits with the body to go on', async () => {
    const { first } = read();
    first.app.answer = async (request, response) => response.end(await readAll(request));
    const { visitor, name } = first;
    const expecting = { expect: '100-continue', 'content-length': '4' };
    const request = sendRequest(visitor.describe({ name, method: 'POST', headers: expecting }));
    request.flushHeaders();
    await once(request, 'continue');
    request.end('body');
    const [response] = await once(request, 'response');
    expect([response.statusCode, String(await readAll(response))]).toEqual([200, 'body']);
  });

  it('leads http to https', async () => {
    const { first, place } = read();
    const options = { host: place.host, port: place.httpPort, path: '/a?b=c', headers: { host: first.name } };
    const [response] = await once(get({ ...options, localAddress: first.visitor.options.from }), 'response');
    response.resume();
    expect([301, 308]).toContain(response.statusCode);
    expect(response.headers.location).toBe(`https://${first.name}/a?b=c`);
    expect(first.app.requests).toEqual([]);
  });
}
