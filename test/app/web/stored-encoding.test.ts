// Files that were compressed by the build: asked for by their own name, or in place of the file.

import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import puppeteer from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWithReal, requirePart } from '../../support/real-parts.ts';
import { type Site, serveSite } from './site.ts';

const TEXT = 'content '.repeat(500);
const [BR, GZ] = [brotliCompressSync(TEXT), gzipSync(TEXT)];
/** The smallest module. */
const WASM = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

let site: Site;
beforeAll(async () => {
  site = await serveSite({
    'index.html': 'start',
    ...Object.fromEntries(
      ['js', 'wasm', 'data', 'symbols.json', 'mjs', 'css'].flatMap(inner => [
        [`Build/x.${inner}.br`, BR],
        [`Build/x.${inner}.gz`, GZ],
      ]),
    ),
    'x.jsgz': GZ,
    'x.svgz': GZ,
    'x.json.br': BR,
    'x.tar.gz': GZ,
    'x.tgz': GZ,
    'x.csv.gz': GZ,
    'x.json.gz': GZ,
    'x.nii.gz': GZ,
    'x.gz': GZ,
    'x.tar.br': BR,
    'x.unityweb': GZ,
    'plain.js.gz': 'not compressed',
    'empty.js.br': '',
    'only.css.gz': GZ,
    'only.js.br': BR,
    'both.js': TEXT,
    'both.js.gz': 'a note about both.js',
    'pointer.js': TEXT,
    'pointer.js.br': 'version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n',
  });
});
afterAll(() => site.close());

const ALL = { 'accept-encoding': 'gzip, deflate, br, zstd' };

describe('a compressed file that a page loads by its own name', () => {
  it.each([
    ['/Build/x.wasm.br', 'application/wasm', 'br'],
    ['/Build/x.wasm.gz', 'application/wasm', 'gzip'],
    ['/Build/x.js.br', 'text/javascript; charset=utf-8', 'br'],
    ['/Build/x.js.gz', 'text/javascript; charset=utf-8', 'gzip'],
    ['/Build/x.mjs.gz', 'text/javascript; charset=utf-8', 'gzip'],
    ['/Build/x.data.br', 'application/octet-stream', 'br'],
    ['/Build/x.data.gz', 'application/octet-stream', 'gzip'],
    ['/Build/x.symbols.json.gz', 'application/json', 'gzip'],
    ['/Build/x.css.gz', 'text/css; charset=utf-8', 'gzip'],
    ['/x.jsgz', 'text/javascript; charset=utf-8', 'gzip'],
    ['/x.svgz', 'image/svg+xml', 'gzip'],
    ['/x.json.br', 'application/json', 'br'],
  ])('%s has the type of its content, and its coding', async (path, type, coding) => {
    for (const headers of [ALL, {}]) {
      const answer = await site.ask(path, headers);
      expect(answer.status).toBe(200);
      expect(answer.headers).toMatchObject({
        'content-type': type,
        'content-encoding': coding,
        vary: 'Accept-Encoding',
        'content-length': String(answer.body.length),
      });
      const decode = coding === 'br' ? brotliDecompressSync : gunzipSync;
      expect(decode(answer.body).toString()).toBe(TEXT);
    }
  });

  it.each([
    ['/Build/x.wasm.br', 'gzip, deflate'],
    ['/Build/x.wasm.gz', 'identity'],
    ['/Build/x.wasm.gz', ''],
    ['/Build/x.wasm.br', 'br;q=0'],
  ])('%s is decompressed for a visitor who accepts "%s"', async (path, accepted) => {
    const headers = { 'accept-encoding': accepted };
    const answer = await site.ask(path, { ...headers, range: 'bytes=0-1' });
    expect([answer.status, answer.text]).toEqual([200, TEXT]);
    expect(answer.headers).toMatchObject({ 'content-type': 'application/wasm', vary: 'Accept-Encoding' });
    for (const name of ['content-encoding', 'content-length', 'accept-ranges'])
      expect(answer.headers).not.toHaveProperty(name);
    const etag = String(answer.headers.etag);
    expect(etag).not.toBe((await site.ask(path, ALL)).headers.etag);
    expect((await site.ask(path, { ...headers, 'if-none-match': etag })).status).toBe(304);
    expect(await site.ask(path, headers, 'HEAD')).toMatchObject({ status: 200, text: '' });
  });

  it('can be resumed in its stored form', async () => {
    const answer = await site.ask('/Build/x.wasm.gz', { ...ALL, range: 'bytes=0-1' });
    expect([answer.status, answer.body]).toEqual([206, GZ.subarray(0, 2)]);
    expect(answer.headers['content-encoding']).toBe('gzip');
  });

  it('is sent as it is if it is not compressed', async () => {
    const answer = await site.ask('/plain.js.gz', ALL);
    expect([answer.status, answer.text]).toEqual([200, 'not compressed']);
    expect(answer.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(answer.headers).not.toHaveProperty('content-encoding');
    expect((await site.ask('/empty.js.br', ALL)).headers).not.toHaveProperty('content-encoding');
  });
});

it.each([
  ['/x.tar.gz', 'application/gzip'],
  ['/x.tgz', 'application/gzip'],
  ['/x.csv.gz', 'application/gzip'],
  ['/x.json.gz', 'application/gzip'],
  ['/x.nii.gz', 'application/gzip'],
  ['/x.gz', 'application/gzip'],
  ['/x.tar.br', 'application/octet-stream'],
  ['/x.unityweb', 'application/octet-stream'],
])('%s stays compressed: a download, or a file that pages decompress', async (path, type) => {
  const answer = await site.ask(path, ALL);
  expect([answer.headers['content-type'], answer.headers['content-encoding']]).toEqual([type, undefined]);
  expect(answer.body).toEqual(path.endsWith('.br') ? BR : GZ);
});

describe('a file that is only there compressed', () => {
  it.each([
    ['/only.css', 'gzip', 'text/css; charset=utf-8', gunzipSync],
    ['/only.js', 'br', 'text/javascript; charset=utf-8', brotliDecompressSync],
  ] as const)('%s is found, with coding %s or without', async (path, coding, type, decode) => {
    const answer = await site.ask(path, ALL);
    expect(answer.headers).toMatchObject({ 'content-type': type, 'content-encoding': coding });
    expect(decode(answer.body).toString()).toBe(TEXT);
    const plain = await site.ask(path, { 'accept-encoding': 'identity' });
    expect([plain.text, plain.headers['content-encoding']]).toEqual([TEXT, undefined]);
  });
});

it.each(['/both.js', '/pointer.js'])(
  '%s is not taken from a file beside it that is not compressed',
  async path => {
    const answer = await site.ask(path, { 'accept-encoding': 'br, gzip' });
    const decode = answer.headers['content-encoding'] === 'br' ? brotliDecompressSync : gunzipSync;
    expect(decode(answer.body).toString()).toBe(TEXT);
  },
);

it('HEAD ignores ranges (RFC 9110 14.2)', async () => {
  const answer = await site.ask('/both.js', { range: 'bytes=0-1' }, 'HEAD');
  expect([answer.status, answer.headers['content-length']]).toEqual([200, String(TEXT.length)]);
});

describeWithReal(['chromium'], 'an export of Unity in a browser', () => {
  it.each([
    ['gz', gzipSync],
    ['br', brotliCompressSync],
  ] as const)('runs with .%s files, over http too', async (ending, compress) => {
    const page = `<script src="Build/x.framework.js.${ending}"></script><script>
      Promise.all([
        WebAssembly.instantiateStreaming(fetch('Build/x.wasm.${ending}')).then(() => 'compiled'),
        fetch('Build/x.data.${ending}').then(answer => answer.text()),
      ]).then(parts => { document.title = [framework, ...parts].join(); }, error => { document.title = error; });
    </script>`;
    const unity = await serveSite({
      'index.html': page,
      [`Build/x.framework.js.${ending}`]: compress('var framework = "loaded";'),
      [`Build/x.wasm.${ending}`]: compress(WASM),
      [`Build/x.data.${ending}`]: compress('data'),
    });
    const browser = await puppeteer.launch({
      executablePath: requirePart('chromium'),
      args: ['--no-sandbox', '--host-resolver-rules=MAP preview.example 127.0.0.1'],
      pipe: true,
    });
    try {
      const tab = await browser.newPage();
      await tab.goto(unity.url.replace('127.0.0.1', 'preview.example'));
      await tab.waitForFunction('document.title !== ""', { timeout: 30_000 });
      expect(await tab.title()).toBe('loaded,compiled,data');
    } finally {
      await browser.close();
      unity.close();
    }
  });
});
