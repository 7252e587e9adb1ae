// Answers of the app that are compressed on their way, and those that must not be.

import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
  request as sendRequest,
} from 'node:http';
import type { Transform } from 'node:stream';
import {
  brotliDecompressSync,
  createBrotliDecompress,
  createGunzip,
  createZstdDecompress,
  gunzipSync,
  zstdDecompressSync,
} from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { useClosers } from '../../support/closers.ts';
import { type Door, openDoor, sendRaw } from '../../support/gateway-door.ts';
import { listen } from '../../support/listen.ts';
import { Noise } from '../../support/noise.ts';
import { waitUntil } from '../../support/wait-until.ts';

const DECODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  br: brotliDecompressSync,
  gzip: gunzipSync,
  zstd: zstdDecompressSync,
};
const CODINGS = ['gzip', 'br', 'zstd'];
const TEXT = 'What is repeated gets smaller. '.repeat(200);
const LONG = Buffer.from(
  Array.from({ length: 30_000 }, (_, index) => `${index} ${index * index}\n`).join(''),
);

const closers = useClosers();

async function openApp(listener: RequestListener, rules = {}): Promise<Door> {
  const server = createServer(listener);
  closers.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  const door = await openDoor(await listen(server), { rules });
  closers.push(door.stop);
  return door;
}

/** An app that gives every request this answer. */
const openConstant = (body: string | Buffer, headers: IncomingHttpHeaders = {}, status = 200, rules = {}) =>
  openApp(
    (_, response) =>
      response
        .writeHead(status, { 'content-type': 'text/plain', 'content-length': body.length, ...headers })
        .end(body),
    rules,
  );

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** As it came. */
  bytes: Buffer;
  /** Decoded. */
  body: Buffer;
  trailers: NodeJS.Dict<string>;
}

async function ask(
  door: Door,
  headers: Record<string, string> = {},
  method = 'GET',
  path = '/',
): Promise<Answer> {
  const response = await begin(door, headers, method, path);
  const bytes = Buffer.concat(await response.toArray());
  const { statusCode: status = 0, headers: fields, trailers } = response;
  const decode = DECODERS[String(fields['content-encoding'])];
  const body = decode === undefined || bytes.length === 0 ? bytes : decode(bytes);
  return { status, headers: fields, bytes, body, trailers };
}

async function begin(
  door: Door,
  headers: Record<string, string> = {},
  method = 'GET',
  path = '/',
): Promise<IncomingMessage> {
  const request = sendRequest(`${door.url}${path}`, { method, headers, agent: false });
  request.end();
  const [response] = await once(request, 'response');
  return response;
}

describe('an answer of the app', () => {
  it.each(CODINGS)('reaches a visitor who accepts %s compressed, and whole', async coding => {
    for (const text of [TEXT, LONG]) {
      const { headers, bytes, body } = await ask(await openConstant(text), { 'accept-encoding': coding });
      expect(headers).toMatchObject({ 'content-encoding': coding, vary: 'Accept-Encoding' });
      expect(body.equals(Buffer.from(text))).toBe(true);
      expect(bytes.length).toBeLessThan(text.length / 2);
    }
  });

  it('has the length of the compressed body if it is short and came with one', async () => {
    const { headers, bytes } = await ask(await openConstant(TEXT), { 'accept-encoding': 'gzip' });
    expect(headers['content-length']).toBe(String(bytes.length));
  });

  it('has no length if it is long', async () => {
    const { headers } = await ask(await openConstant(LONG), { 'accept-encoding': 'gzip' });
    expect(headers).toMatchObject({ 'transfer-encoding': 'chunked' });
    expect(headers).not.toHaveProperty('content-length');
  });

  it('is passed on as it is to a visitor who does not ask, but caches learn that it varies (cache poisoning)', async () => {
    const door = await openConstant(TEXT, { etag: '"a"', 'accept-ranges': 'bytes' });
    for (const accepted of [undefined, 'identity', 'deflate', 'gzip;q=0'])
      expect(
        (await ask(door, accepted === undefined ? {} : { 'accept-encoding': accepted })).headers,
      ).toMatchObject({
        'content-length': String(TEXT.length),
        etag: '"a"',
        'accept-ranges': 'bytes',
        vary: 'Accept-Encoding',
      });
  });

  it.each([
    [undefined, 'Accept-Encoding'],
    ['', 'Accept-Encoding'],
    ['Cookie', 'Cookie, Accept-Encoding'],
    ['Cookie, accept-encoding', 'Cookie, accept-encoding'],
    ['*', '*'],
    ['X-Accept-Encoding', 'X-Accept-Encoding, Accept-Encoding'],
  ])('with Vary %j has Vary %j for its visitor', async (vary, expected) => {
    const door = await openConstant(TEXT, vary === undefined ? {} : { vary });
    for (const accepted of ['gzip', 'identity']) {
      const { headers } = await ask(door, { 'accept-encoding': accepted });
      expect(String(headers.vary).replace(/^, /, '')).toBe(expected);
    }
  });

  it.each<[string, string | Buffer, IncomingHttpHeaders, number]>([
    ['an event stream', TEXT, { 'content-type': 'text/event-stream' }, 200],
    ['a part', TEXT, { 'content-range': 'bytes 0-6199/9000' }, 206],
    ['one with Content-Range', TEXT, { 'content-range': 'bytes 0-6199/9000' }, 200],
    ['one in an encoding of its own', TEXT, { 'content-encoding': 'x-own' }, 200],
    ['one whose encoding is named identity', TEXT, { 'content-encoding': 'identity' }, 200],
    ['one with no-transform', TEXT, { 'cache-control': 'public, No-Transform, max-age=5' }, 200],
    ['a tiny one', 'tiny', {}, 200],
    ['an image', TEXT, { 'content-type': 'image/png' }, 200],
    ['one without a type', TEXT, { 'content-type': '' }, 200],
    ['one with Content-Digest', TEXT, { 'content-digest': 'sha-256=:AA==:' }, 200],
    ['one with Repr-Digest', TEXT, { 'repr-digest': 'sha-256=:AA==:' }, 200],
    ['one with Digest', TEXT, { digest: 'sha-256=AA==' }, 200],
    ['one with Content-MD5', TEXT, { 'content-md5': 'AA==' }, 200],
    ['a call of gRPC', TEXT, { 'content-type': 'application/grpc-web+proto' }, 200],
    ['frames of a camera', TEXT, { 'content-type': 'multipart/x-mixed-replace; boundary=x' }, 200],
  ])('is passed on unchanged: %s', async (_, body, fields, status) => {
    const door = await openConstant(body, { etag: '"a"', ...fields }, status);
    const plain = await ask(door);
    const offered = await ask(door, { 'accept-encoding': 'gzip, br, zstd' });
    const { date: _a, ...expected } = plain.headers;
    expect(offered.headers).toMatchObject(expected);
    expect(offered.headers).not.toHaveProperty('vary');
    expect(offered.bytes).toEqual(Buffer.from(body));
  });

  it('is passed on unchanged if its digest comes behind it, as a trailer', async () => {
    const door = await openApp((_, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', trailer: 'X-Sum, Content-Digest' });
      response.write(TEXT);
      response.addTrailers({ 'content-digest': 'sha-256=:AA==:' });
      response.end();
    });
    const { headers, bytes, trailers } = await ask(door, { 'accept-encoding': 'gzip' });
    expect(headers).not.toHaveProperty('content-encoding');
    expect([String(bytes), trailers['content-digest']]).toEqual([TEXT, 'sha-256=:AA==:']);
  });

  it.each([
    ['a range', { range: 'bytes=0-10' }],
    ['no change', { 'cache-control': 'no-transform' }],
  ])('is not compressed for a request that wants %s', async (_, headers) => {
    const answer = await ask(await openConstant(TEXT), { 'accept-encoding': 'gzip', ...headers });
    expect(answer.headers).not.toHaveProperty('content-encoding');
  });

  it('is not compressed over HTTP/1.0, which has no chunks', async () => {
    const door = await openConstant(LONG);
    const answer = await sendRaw(
      door.port,
      `GET / HTTP/1.0\r\nHost: 127.0.0.1:${door.port}\r\nAccept-Encoding: gzip\r\n\r\n`,
    );
    expect(answer).not.toMatch(/content-encoding|transfer-encoding/i);
    expect(answer.endsWith(String(LONG.subarray(-100)))).toBe(true);
  });

  it('is not compressed with `compress: false`, nor is it said to vary', async () => {
    const { headers } = await ask(await openConstant(TEXT, {}, 200, { compress: false }), {
      'accept-encoding': 'gzip',
    });
    expect(headers['content-length']).toBe(String(TEXT.length));
    expect(headers).not.toHaveProperty('vary');
  });

  it('of the gateway itself is never compressed, such as the sign-in and the page of a failed app (BREACH)', async () => {
    const access = { kind: 'link', key: 'a key of sixteen characters' };
    const page = { accept: 'text/html', 'accept-encoding': 'gzip, br, zstd' };
    const signIn = await ask(await openConstant(TEXT, {}, 200, { access }), page);
    const broken = await openApp((_, response) => response.destroy());
    const failed = await ask(broken, page);
    for (const { headers, bytes } of [signIn, failed]) {
      expect(headers).not.toHaveProperty('content-encoding');
      expect(String(bytes)).toMatch(/^<!doctype html>/i);
    }
    expect([signIn.status, failed.status]).toEqual([401, 502]);
  });

  it.each([401, 404, 500, 201])('with status %s is compressed too', async status => {
    const answer = await ask(await openConstant(TEXT, {}, status), { 'accept-encoding': 'gzip' });
    expect([answer.status, answer.headers['content-encoding'], String(answer.body)]).toEqual([
      status,
      'gzip',
      TEXT,
    ]);
  });

  it('of an unknown kind is compressed if its beginning gets smaller', async () => {
    const type = { 'content-type': 'application/octet-stream' };
    const [noise, text] = [
      await openConstant(new Noise(3).take(50_000), type),
      await openConstant(LONG, type),
    ];
    const accept = { 'accept-encoding': 'gzip' };
    expect((await ask(noise, accept)).headers).toMatchObject({
      'content-length': '50000',
      vary: 'Accept-Encoding',
    });
    expect((await ask(text, accept)).headers).toMatchObject({ 'content-encoding': 'gzip' });
  });

  it('that does not get smaller is sent as it is', async () => {
    const body = new Noise(5).take(5_000);
    const answer = await ask(await openConstant(body), { 'accept-encoding': 'gzip' });
    expect(answer.headers).toMatchObject({ 'content-length': '5000' });
    expect(answer.bytes).toEqual(body);
  });

  it('without a length that turns out to be tiny is sent as it is', async () => {
    const door = await openApp((_, response) =>
      response.writeHead(200, { 'content-type': 'text/plain' }).end('tiny'),
    );
    const { headers, bytes } = await ask(door, { 'accept-encoding': 'gzip' });
    expect([headers['content-encoding'], String(bytes)]).toEqual([undefined, 'tiny']);
  });

  it('to HEAD has the fields of the answer to GET', async () => {
    const door = await openConstant(LONG, { etag: '"a"', 'accept-ranges': 'bytes' });
    const accept = { 'accept-encoding': 'gzip' };
    const [get, head] = [await ask(door, accept), await ask(door, accept, 'HEAD')];
    const { 'transfer-encoding': _a, date: _b, connection: _c, ...expected } = get.headers;
    expect(head.headers).toMatchObject(expected);
    expect(head.headers).not.toHaveProperty('content-length');
    expect(head.bytes).toHaveLength(0);
  });

  it('of an unknown kind has the fields of the file to HEAD: nobody has looked at its bytes', async () => {
    const door = await openConstant(LONG, { 'content-type': 'application/octet-stream' });
    const { headers } = await ask(door, { 'accept-encoding': 'gzip' }, 'HEAD');
    expect(headers).toMatchObject({ 'content-length': String(LONG.length), vary: 'Accept-Encoding' });
  });

  it('keeps its trailers', async () => {
    const door = await openApp((_, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', trailer: 'X-Sum' });
      response.write(TEXT);
      response.addTrailers({ 'X-Sum': '42' });
      response.end();
    });
    const { body, trailers } = await ask(door, { 'accept-encoding': 'gzip' });
    expect([String(body), trailers['x-sum']]).toEqual([TEXT, '42']);
  });
});

describe('an answer that is compressed', () => {
  it.each(CODINGS)('arrives in the pieces that the app sends, the first with its head: %s', async coding => {
    let app: ServerResponse | undefined;
    const door = await openApp((_, response) => {
      app = response.writeHead(200, { 'content-type': 'text/html' });
      response.write('<h1>first</h1>');
    });
    const answer = await begin(door, { 'accept-encoding': coding });
    const seen = decodeAsItComes(answer, coding);
    for (const piece of ['<h1>first</h1>', 'a', 'b'.repeat(100_000), 'c']) {
      if (piece !== '<h1>first</h1>') app?.write(piece);
      await waitUntil(() => seen.text.endsWith(piece), 'the piece has arrived');
    }
    app?.end('end');
    await waitUntil(() => seen.text.endsWith('cend'), 'the end has arrived');
  });

  it('sends its head when the app does', async () => {
    const door = await openApp((_, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).flushHeaders(),
    );
    const { headers } = await begin(door, { 'accept-encoding': 'gzip' });
    expect(headers).toMatchObject({ 'content-encoding': 'gzip' });
  });

  it('is cut off if the app’s is', async () => {
    const door = await openApp((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html', 'content-length': 1e6 });
      response.write(TEXT, () => response.destroy());
    });
    await expect(ask(door, { 'accept-encoding': 'gzip' })).rejects.toThrow();
  });

  it('ends at the app when the visitor leaves', async () => {
    let left = 0;
    const door = await openApp((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      const pour = () => {
        while (!response.closed && response.write(LONG));
      };
      response.on('drain', pour).once('close', () => {
        left += 1;
      });
      pour();
    });
    for (const coding of CODINGS) {
      const answer = await begin(door, { 'accept-encoding': coding });
      await once(answer, 'data');
      answer.destroy();
    }
    await waitUntil(() => left === CODINGS.length, 'the app knows');
    // No encoder is left over: as many as ever may work.
    expect((await ask(await openConstant(TEXT), { 'accept-encoding': 'gzip' })).headers).toHaveProperty(
      'content-encoding',
    );
  });

  it('goes only as fast as its visitor reads', async () => {
    let written = 0;
    const noise = new Noise(9).take(1 << 16).toString('base64');
    const door = await openApp((request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      if (request.url !== '/') return void response.end(noise.repeat(20));
      const pour = () => {
        do written += noise.length;
        while (response.write(noise) && written < 300e6);
      };
      response.on('drain', pour);
      pour();
    });
    const accept = { 'accept-encoding': 'gzip' };
    const unread = await begin(door, accept);
    // By the time that another visitor has read this much, it would have been written.
    for (let round = 0; round < 20; round += 1) await ask(door, accept, 'GET', '/other');
    expect(written).toBeLessThan(60e6);
    unread.destroy();
  });

  it('has a weak entity tag, and a 304 for it has the same', async () => {
    const door = await openApp((request, response) => {
      const held = request.headers['if-none-match'];
      if (held === '"v1"') response.writeHead(304, { etag: '"v1"' }).end();
      else response.writeHead(200, { etag: '"v1"', 'content-type': 'text/css' }).end(TEXT);
    });
    const accept = { 'accept-encoding': 'gzip' };
    const { etag = '' } = (await ask(door, accept)).headers;
    const again = await ask(door, { ...accept, 'if-none-match': etag });
    const plain = await ask(door, { 'if-none-match': '"v1"' });
    expect(etag).toBe('W/"v1"');
    expect([again.status, again.headers.etag]).toEqual([304, 'W/"v1"']);
    expect([plain.status, plain.headers.etag]).toEqual([304, '"v1"']);
  });

  it('keeps the weak tag that the app has given', async () => {
    const seen: unknown[] = [];
    const door = await openApp((request, response) => {
      seen.push(request.headers['if-match']);
      response.writeHead(200, { etag: 'W/"v1"', 'content-type': 'text/css' }).end(TEXT);
    });
    const { headers } = await ask(door, { 'accept-encoding': 'gzip' });
    await ask(door, { 'if-match': 'W/"v1"' });
    expect([headers.etag, seen[1]]).toEqual(['W/"v1"', 'W/"v1"']);
  });

  it('can be changed by whoever has read it: If-Match has the app’s own tag', async () => {
    const seen: unknown[] = [];
    const door = await openApp((request, response) => {
      seen.push(request.headers['if-match']);
      response.writeHead(200, { etag: '"v1"', 'content-type': 'application/json' }).end(TEXT);
    });
    const { etag = '' } = (await ask(door, { 'accept-encoding': 'gzip' })).headers;
    await ask(door, { 'if-match': `${etag}, W/"other"` }, 'PUT');
    await ask(door, { 'if-match': etag, range: 'bytes=0-1' });
    expect(seen).toEqual([undefined, '"v1", W/"other"', 'W/"v1"']);
  });

  it('is not, while too many are: the next is sent as it is', async () => {
    const door = await openApp((request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      if (request.url === '/') response.write(TEXT);
      else response.end(TEXT);
    });
    const accept = { 'accept-encoding': 'gzip' };
    const open = await Promise.all(Array.from({ length: 40 }, () => begin(door, accept)));
    const coded = open.filter(({ headers }) => headers['content-encoding'] === 'gzip');
    expect(coded).toHaveLength(32);
    expect(open.every(({ headers }) => headers.vary === 'Accept-Encoding')).toBe(true);
    for (const answer of open) answer.destroy();
    const next = async () => (await ask(door, accept, 'GET', '/short')).headers['content-encoding'];
    await expect.poll(next).toBe('gzip');
  });
});

describe('a request that another site’s page has caused (BREACH)', () => {
  const from = (site: string, more = {}) => ({ 'accept-encoding': 'gzip', 'sec-fetch-site': site, ...more });
  const click = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-user': '?1' };

  it.each([
    ['a request of the page itself', from('same-origin'), 'gzip'],
    ['an address that was typed', from('none'), 'gzip'],
    ['a link that was clicked', from('cross-site', click), 'gzip'],
    ['a program that is no browser', { 'accept-encoding': 'gzip' }, 'gzip'],
    ['an image of another site', from('cross-site'), undefined],
    ['a page of another port of the host', from('same-site'), undefined],
    [
      'a page that is loaded without a click',
      from('cross-site', { ...click, 'sec-fetch-user': '' }),
      undefined,
    ],
    ['a frame', from('cross-site', { ...click, 'sec-fetch-dest': 'iframe' }), undefined],
  ])('gets no compressed answer, others do: %s', async (_, headers, coding) => {
    const answer = await ask(await openConstant(TEXT), headers);
    expect(answer.headers['content-encoding']).toBe(coding);
    expect(answer.headers.vary).toBe('Accept-Encoding');
  });
});

/** Decodes what has come so far, after each chunk. */
function decodeAsItComes(answer: IncomingMessage, coding: string): { text: string } {
  const seen = { text: '' };
  const decoder = openDecoder(coding);
  decoder.on('data', (chunk: Buffer) => {
    seen.text += chunk;
  });
  answer.pipe(decoder);
  return seen;
}

function openDecoder(coding: string): Transform {
  if (coding === 'br') return createBrotliDecompress();
  return coding === 'zstd' ? createZstdDecompress() : createGunzip();
}
