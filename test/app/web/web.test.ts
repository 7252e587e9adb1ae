// `mode: web`: files, and paths that must not lead to one.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseRange } from '../../../src/app/web/response.ts';
import { createHandler, startWeb } from '../../../src/app/web/web.ts';
import type { Handler } from '../../../src/shared/state.ts';

const SECRET = 'not for visitors';
let root: string;
let outside: string;
let plain: Server;
let spa: Server;

beforeAll(async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'expose-web-test-')));
  root = join(folder, 'site');
  outside = join(folder, 'outside');
  mkdirSync(join(root, 'docs'), { recursive: true });
  mkdirSync(join(root, '.git'));
  mkdirSync(join(root, '.well-known'));
  mkdirSync(join(root, 'sub', '.well-known'), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(root, 'index.html'), '<h1>start</h1>');
  writeFileSync(join(root, 'docs', 'index.html'), '<h1>docs</h1>');
  writeFileSync(join(root, 'app.wasm'), '\0asm');
  writeFileSync(join(root, 'mod.mjs'), 'export {};');
  writeFileSync(join(root, 'odd name ä.txt'), 'odd');
  writeFileSync(join(root, 'digits.bin'), '0123456789');
  writeFileSync(join(root, 'empty.bin'), '');
  writeFileSync(join(root, '.env'), SECRET);
  writeFileSync(join(root, '.git', 'config'), SECRET);
  writeFileSync(join(root, '.well-known', 'security.txt'), 'contact');
  writeFileSync(join(root, 'sub', '.well-known', 'x'), SECRET);
  writeFileSync(join(outside, 'secret.txt'), SECRET);
  symlinkSync(join(outside, 'secret.txt'), join(root, 'link.txt'));
  symlinkSync(outside, join(root, 'folder-link'));
  symlinkSync('/proc/self/environ', join(root, 'environ'));
  symlinkSync(join(root, '.env'), join(root, 'hidden-link'));
  symlinkSync('digits.bin', join(root, 'inner-link.bin'));
  symlinkSync('loop', join(root, 'loop'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  plain = await serve(false);
  spa = await serve(true);
});

afterAll(() => {
  plain.close();
  spa.close();
  rmSync(join(root, '..'), { recursive: true });
});

describe('a folder served by `mode: web`', () => {
  it.each([
    ['/', 'text/html; charset=utf-8'],
    ['/app.wasm', 'application/wasm'],
    ['/mod.mjs', 'text/javascript; charset=utf-8'],
    ['/odd%20name%20%C3%A4.txt', 'text/plain; charset=utf-8'],
    ['/digits.bin', 'application/octet-stream'],
    ['/inner-link.bin', 'application/octet-stream'],
    ['/.well-known/security.txt', 'text/plain; charset=utf-8'],
  ])('serves %s as %s', async (path, type) => {
    const answer = await ask(plain, path);
    expect([answer.status, answer.headers['content-type']]).toEqual([200, type]);
    expect(answer.headers['content-length']).toBe(String(answer.body.length));
  });

  it('serves the index of a folder, and redirects to it if the slash is missing', async () => {
    expect((await ask(plain, '/docs/?a=1')).body.toString()).toBe('<h1>docs</h1>');
    const answer = await ask(plain, '/docs?a=1');
    expect([answer.status, answer.headers.location]).toEqual([302, './docs/?a=1']);
  });

  it('never redirects to another host', async () => {
    for (const path of ['//docs', '//evil.test/..%2fdocs', '/%2f%2fevil.test/', '//evil.test//'])
      expect((await ask(plain, path)).headers.location ?? './').toMatch(/^\.\//);
  });

  it.each([
    '/.env',
    '/%2eenv',
    '/.git/config',
    '/.git',
    '/sub/.well-known/x',
    '/link.txt',
    '/folder-link/secret.txt',
    '/folder-link/',
    '/environ',
    '/hidden-link',
    '/pipe',
    '/loop',
    '/../outside/secret.txt',
    '/docs/../.env',
    '/%2e%2e/outside/secret.txt',
    '/..%2foutside%2fsecret.txt',
    '/docs%2f..%2f.env',
    '/..\\outside\\secret.txt',
    '/..%5coutside%5csecret.txt',
    '/.well-known/../.env',
    '/index.html%00.txt',
    '/%',
    '/index.html/',
    `/${'a'.repeat(5_000)}`,
  ])('answers 404 to %s', async path => {
    const answer = await ask(plain, path);
    expect([answer.status, answer.body.toString()]).toEqual([404, '']);
  });

  it('answers 404 to hidden paths even with spa, instead of index.html', async () => {
    for (const path of ['/.env', '/.git', '/link.txt', '/environ', '/pipe', '/..%2foutside%2fsecret.txt'])
      expect((await ask(spa, path, { headers: { accept: 'text/html' } })).status).toBe(404);
  });

  it('serves no hidden file under any path (files published by accident)', async () => {
    const piece = fc.constantFrom(
      '..',
      '.',
      '/',
      '%2e',
      '%2f',
      '%5c',
      '\\',
      '.env',
      '.git',
      'config',
      'docs',
      'outside',
      'secret.txt',
      ';',
      '%00',
      'folder-link',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async pieces => {
        expect((await ask(spa, `/${pieces.join('')}`)).body.toString()).not.toContain(SECRET);
      }),
      { numRuns: 300 },
    );
  });

  it('answers 405 to everything but GET and HEAD', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
      const answer = await ask(plain, '/', { method });
      expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD']);
    }
  });

  it('answers HEAD like GET, without the body', async () => {
    const [head, get] = [await ask(plain, '/', { method: 'HEAD' }), await ask(plain, '/')];
    expect(head.body).toHaveLength(0);
    expect({ ...head.headers, date: '' }).toEqual({ ...get.headers, date: '' });
  });

  it('serves a changed file, with new validators', async () => {
    writeFileSync(join(root, 'fresh.js'), 'one');
    const first = await ask(plain, '/fresh.js');
    const headers = { 'if-none-match': String(first.headers.etag) };
    expect((await ask(plain, '/fresh.js', { headers })).status).toBe(304);
    writeFileSync(join(root, 'fresh.js'), 'two');
    const second = await ask(plain, '/fresh.js', { headers });
    expect([second.status, second.body.toString()]).toEqual([200, 'two']);
    expect(second.headers['cache-control']).toBe('no-cache');
  });

  it('breaks the answer off if the file gets shorter while it is sent', async () => {
    const path = join(root, 'shrinking.bin');
    writeFileSync(path, Buffer.alloc(32 << 20));
    const { port } = plain.address() as AddressInfo;
    const request = httpRequest({ host: '127.0.0.1', port, path: '/shrinking.bin', agent: false }).end();
    const [response] = await once(request, 'response');
    truncateSync(path, 1);
    const reading = (async () => {
      for await (const _ of response);
    })();
    await expect(reading).rejects.toThrow('aborted');
  });

  it('answers 304 to a date as well, but prefers the tag', async () => {
    const { headers } = await ask(plain, '/digits.bin');
    const since = { 'if-modified-since': String(headers['last-modified']) };
    expect((await ask(plain, '/digits.bin', { headers: since })).status).toBe(304);
    expect((await ask(plain, '/digits.bin', { headers: { ...since, 'if-none-match': '"x"' } })).status).toBe(
      200,
    );
    expect((await ask(plain, '/digits.bin', { headers: { 'if-none-match': '*' } })).status).toBe(304);
  });
});

describe('ranges', () => {
  it.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=-99', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=4-99', 206, '456789', 'bytes 4-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['bytes=-0', 416, '', 'bytes */10'],
    ['bytes=4-2', 200, '0123456789', undefined],
    ['bytes=0-1,3-4', 200, '0123456789', undefined],
    ['lines=1-2', 200, '0123456789', undefined],
  ])('requested as %s are answered with status %i', async (range, status, body, contentRange) => {
    const answer = await ask(plain, '/digits.bin', { headers: { range } });
    expect([answer.status, answer.body.toString(), answer.headers['content-range']]).toEqual([
      status,
      body,
      contentRange,
    ]);
  });

  it('are ignored for another version of the file', async () => {
    const { headers } = await ask(plain, '/digits.bin');
    const range = 'bytes=0-0';
    const status = async (condition: unknown) =>
      (await ask(plain, '/digits.bin', { headers: { range, 'if-range': String(condition) } })).status;
    expect(await status(headers.etag)).toBe(206);
    expect(await status(headers['last-modified'])).toBe(206);
    expect(await status('"other"')).toBe(200);
    expect(await status('Thu, 01 Jan 1970 00:00:00 GMT')).toBe(200);
  });

  it('always lie inside the file', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.option(fc.nat()), fc.option(fc.nat()), (size, first, last) => {
        const range = parseRange(`bytes=${first ?? ''}-${last ?? ''}`, size);
        if (typeof range === 'string') return;
        expect(range.start).toBeGreaterThanOrEqual(0);
        expect(range.end).toBeGreaterThanOrEqual(range.start);
        expect(range.end).toBeLessThan(size);
      }),
    );
  });

  it('of an empty file cannot be satisfied', async () => {
    expect((await ask(plain, '/empty.bin')).status).toBe(200);
    expect((await ask(plain, '/empty.bin', { headers: { range: 'bytes=0-' } })).status).toBe(416);
  });
});

describe('precompressed files', () => {
  it('are sent to visitors who accept them, with the type of the original', async () => {
    const text = 'x'.repeat(1_000);
    writeFileSync(join(root, 'big.js'), text);
    writeFileSync(join(root, 'big.js.br'), brotliCompressSync(text));
    writeFileSync(join(root, 'big.js.gz'), gzipSync(text));
    const encoding = async (accepted: string) => {
      const answer = await ask(plain, '/big.js', { headers: { 'accept-encoding': accepted } });
      expect(answer.headers['content-type']).toBe('text/javascript; charset=utf-8');
      expect(answer.headers.vary).toBe('Accept-Encoding');
      return answer.headers['content-encoding'];
    };
    expect(await encoding('gzip, deflate, br')).toBe('br');
    expect(await encoding('gzip;q=0.5, br;q=0')).toBe('gzip');
    expect(await encoding('identity')).toBeUndefined();
    expect(await encoding('')).toBeUndefined();
  });

  it('are ignored if they are older than the file', async () => {
    writeFileSync(join(root, 'old.js'), 'new build');
    writeFileSync(join(root, 'old.js.gz'), gzipSync('old build'));
    utimesSync(join(root, 'old.js.gz'), 1_000, 1_000);
    const answer = await ask(plain, '/old.js', { headers: { 'accept-encoding': 'gzip' } });
    expect(answer.body.toString()).toBe('new build');
  });

  it('are ignored if they are links that lead out of the folder', async () => {
    writeFileSync(join(root, 'sly.js'), 'honest');
    symlinkSync(join(outside, 'secret.txt'), join(root, 'sly.js.gz'));
    const answer = await ask(plain, '/sly.js', { headers: { 'accept-encoding': 'gzip' } });
    expect(answer.body.toString()).toBe('honest');
  });
});

describe('spa', () => {
  it('answers unknown pages with index.html, and unknown files with 404', async () => {
    const page = await ask(spa, '/users/7', { headers: { accept: 'text/html' } });
    expect([page.status, page.body.toString()]).toEqual([200, '<h1>start</h1>']);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect((await ask(spa, '/users/7')).status).toBe(200);
    expect((await ask(spa, '/v1.2/x.y', { headers: { accept: 'text/html' } })).status).toBe(200);
    expect((await ask(spa, '/missing.js')).status).toBe(404);
    expect((await ask(plain, '/users/7', { headers: { accept: 'text/html' } })).status).toBe(404);
  });
});

describe('cross-origin isolation', () => {
  it('is set on every answer if requested, otherwise on none', async () => {
    const server = await serve(false, true);
    for (const [path, status] of [
      ['/', 200],
      ['/app.wasm', 200],
      ['/none', 404],
    ] as const) {
      const { headers, status: got } = await ask(server, path);
      expect(got).toBe(status);
      expect(headers['cross-origin-opener-policy']).toBe('same-origin');
      expect(headers['cross-origin-embedder-policy']).toBe('require-corp');
      expect(headers['cross-origin-resource-policy']).toBe('same-origin');
    }
    server.close();
    expect((await ask(plain, '/')).headers['cross-origin-embedder-policy']).toBeUndefined();
  });
});

describe('startWeb', () => {
  it('follows `path` if it is a link', async () => {
    symlinkSync(root, join(outside, 'site-link'));
    const spec = {
      mode: 'web',
      path: join(outside, 'site-link'),
      spa: false,
      crossOriginIsolation: false,
    } as const;
    const { upstream } = await startWeb(spec);
    if (upstream.kind !== 'handler') throw new Error('no handler');
    const server = createServer(answerWith(upstream.handle)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    expect((await ask(server, '/')).status).toBe(200);
    server.close();
  });
});

/** The gateway sends a page of its own for a refusal; here the status is enough. */
function answerWith(handle: Handler): RequestListener {
  return (request, response) => handle(request, response, status => response.writeHead(status).end());
}

async function serve(spa: boolean, crossOriginIsolation = false): Promise<Server> {
  const server = createServer(
    answerWith(createHandler({ mode: 'web', path: root, spa, crossOriginIsolation })),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** node:http sends the path as it is; fetch would tidy it up. */
async function ask(
  server: Server,
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { port } = server.address() as AddressInfo;
  const request = httpRequest({ host: '127.0.0.1', port, path, agent: false, ...options }).end();
  const [response] = await once(request, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}
