// Files that `mode: web` compresses for its visitors.

import { truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { brotliDecompressSync, gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createETag, type FoundFile, findFile } from '../../../src/app/web/files.ts';
import { Variants } from '../../../src/app/web/variants.ts';
import type { Coding } from '../../../src/shared/content-coding.ts';
import type { HttpRequest, HttpResponse } from '../../../src/shared/http-message.ts';
import { Noise } from '../../support/noise.ts';
import { type Answer, type Site, serveSite } from './site.ts';

const DECODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  br: brotliDecompressSync,
  gzip: gunzipSync,
  zstd: zstdDecompressSync,
};
const CODINGS = ['gzip', 'br', 'zstd'] as const;

const SHORT = 'What is repeated gets smaller. '.repeat(200);
/** Longer than what is compressed at once. */
const LONG = Buffer.from(
  Array.from({ length: 60_000 }, (_, index) => `${index} ${(index * 7_919) % 65_537}\n`).join(''),
);

const FILES = {
  'index.html': SHORT,
  'app.js': LONG,
  'app.wasm': Buffer.concat([Buffer.from('\0asm\x01\0\0\0', 'latin1'), LONG]),
  'tiny.css': 'a{}',
  'photo.png': SHORT,
  'zeros.data': Buffer.alloc(100_000),
  'noise.data': new Noise(4).take(100_000),
  'built.js': SHORT,
  'built.js.gz': gzipSync(`${SHORT}// built`),
};

let site: Site;
beforeAll(async () => {
  site = await serveSite(FILES);
});
afterAll(() => site.close());

const accepting = (coding: string, more = {}) => ({ 'accept-encoding': coding, ...more });
const decode = ({ headers, body }: Answer) => DECODERS[String(headers['content-encoding'])]?.(body) ?? body;

describe('a file of a web app', () => {
  it.each(CODINGS)('reaches a visitor who accepts %s compressed, again and again', async coding => {
    for (const [path, content] of [
      ['/', SHORT],
      ['/app.js', LONG],
      ['/app.wasm', FILES['app.wasm']],
    ] as const) {
      const answers = [await site.ask(path, accepting(coding)), await site.ask(path, accepting(coding))];
      for (const answer of answers) {
        expect(answer.headers).toMatchObject({ 'content-encoding': coding, vary: 'Accept-Encoding' });
        expect(answer.headers).not.toHaveProperty('accept-ranges');
        expect(decode(answer).equals(Buffer.from(content))).toBe(true);
        expect(answer.body.length).toBeLessThan(content.length / 2);
      }
      expect(answers[1]?.headers['content-length']).toBe(String(answers[0]?.body.length));
    }
  });

  it('has the type of the file, so that WebAssembly compiles while it loads', async () => {
    const { headers } = await site.ask('/app.wasm', accepting('br'));
    expect(headers['content-type']).toBe('application/wasm');
  });

  it('is compressed once for visitors who come at the same time', async () => {
    const { headers } = await site.ask('/app.js');
    utimesSync(
      join(site.folder, 'app.js'),
      new Date(),
      new Date(Date.parse(String(headers['last-modified'])) + 5e3),
    );
    const answers = await Promise.all(Array.from({ length: 20 }, () => site.ask('/app.js', accepting('br'))));
    for (const answer of answers) expect(decode(answer).equals(LONG)).toBe(true);
    expect(new Set(answers.map(answer => answer.headers.etag)).size).toBe(1);
  });

  it.each([
    ['too short', '/tiny.css'],
    ['an image', '/photo.png'],
    ['of an unknown kind, and its beginning does not get smaller', '/noise.data'],
  ])('is sent as it is if it is %s', async (_, path) => {
    const answer = await site.ask(path, accepting('gzip, br, zstd'));
    expect(answer.headers).not.toHaveProperty('content-encoding');
    expect(answer.headers).toMatchObject({ vary: 'Accept-Encoding', 'accept-ranges': 'bytes' });
    expect(answer.body.equals(Buffer.from(FILES[path.slice(1) as keyof typeof FILES]))).toBe(true);
  });

  it('of an unknown kind is compressed if its beginning gets smaller', async () => {
    const answer = await site.ask('/zeros.data', accepting('gzip'));
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(decode(answer)).toEqual(FILES['zeros.data']);
  });

  it('is sent in the form that lies next to it, if there is one', async () => {
    const answer = await site.ask('/built.js', accepting('gzip'));
    expect(String(decode(answer))).toBe(`${SHORT}// built`);
    expect(String(decode(await site.ask('/built.js', accepting('zstd, gzip;q=0'))))).toBe(SHORT);
  });

  it('has a tag of its own in each coding, and each is answered with 304 to its holder only', async () => {
    const accepts = ['identity', ...CODINGS];
    const tags: string[] = [];
    for (const accepted of accepts)
      tags.push(String((await site.ask('/app.js', accepting(accepted))).headers.etag));
    expect(new Set(tags).size).toBe(4);
    for (const accepted of accepts)
      for (const [index, tag] of tags.entries()) {
        const { status, headers } = await site.ask('/app.js', accepting(accepted, { 'if-none-match': tag }));
        expect([accepted, status]).toEqual([accepted, accepts[index] === accepted ? 304 : 200]);
        expect(headers).toMatchObject({ vary: 'Accept-Encoding', etag: tags[accepts.indexOf(accepted)] });
      }
  });

  it('has ranges of the file itself only', async () => {
    const part = await site.ask('/app.js', accepting('gzip', { range: 'bytes=10-19' }));
    expect(part.headers).not.toHaveProperty('content-encoding');
    expect([part.status, part.text]).toEqual([206, String(LONG.subarray(10, 20))]);
    const { etag = '' } = (await site.ask('/app.js', accepting('gzip'))).headers;
    const mixed = await site.ask('/app.js', accepting('gzip', { range: 'bytes=10-19', 'if-range': etag }));
    expect([mixed.status, mixed.body.length]).toEqual([200, LONG.length]);
  });

  it('has the same fields with HEAD, which compresses nothing', async () => {
    const fresh = await serveSite({ 'index.html': SHORT });
    const head = await fresh.ask('/', accepting('gzip'), 'HEAD');
    expect(head.headers).not.toHaveProperty('content-length');
    const get = await fresh.ask('/', accepting('gzip'));
    const again = await fresh.ask('/', accepting('gzip'), 'HEAD');
    fresh.close();
    const { date: _a, connection: _b, 'transfer-encoding': _c, ...expected } = get.headers;
    expect(head.headers).toMatchObject(expected);
    expect(again.headers).toMatchObject({ ...expected, 'content-length': String(get.body.length) });
    expect(head.body).toHaveLength(0);
  });

  it('is read again after it was built again, even with the same size and time', async () => {
    const path = join(site.folder, 'rebuilt.js');
    const time = new Date(1_700_000_000_000);
    const seen = [];
    for (const text of ['a', 'b']) {
      writeFileSync(path, text.repeat(5_000));
      utimesSync(path, time, time);
      seen.push(String(decode(await site.ask('/rebuilt.js', accepting('gzip')))).charAt(0));
    }
    expect(seen).toEqual(['a', 'b']);
  });

  it('is compressed for an error page too', async () => {
    const other = await serveSite({ 'index.html': '', '404.html': SHORT });
    const answer = await other.ask('/nothing', accepting('gzip'));
    other.close();
    expect([answer.status, String(decode(answer))]).toEqual([404, SHORT]);
    expect(answer.headers).toMatchObject({ 'content-encoding': 'gzip', 'cache-control': 'no-store' });
  });

  it('is sent as it is with `compress: false`, except what lies next to it', async () => {
    const other = await serveSite(FILES, { compress: false });
    const [plain, built] = [
      await other.ask('/app.js', accepting('gzip')),
      await other.ask('/built.js', accepting('gzip')),
    ];
    other.close();
    expect([plain.headers['content-encoding'], built.headers['content-encoding']]).toEqual([
      undefined,
      'gzip',
    ]);
  });
});

describe('the variants of files', () => {
  const opened: FoundFile[] = [];
  afterAll(async () => {
    for (const { handle } of opened) await handle.close();
  });

  async function find(path: string): Promise<FoundFile> {
    const file = await findFile(site.folder, path);
    if (file.kind !== 'file') throw new Error(`${path} is not there`);
    opened.push(file);
    return file;
  }

  const open = (variants: Variants, file: FoundFile, coding: Coding) =>
    variants.open(createETag(file.stats, coding), file, coding);
  const length = (variants: Variants, file: FoundFile, coding: Coding) =>
    variants.findLength(createETag(file.stats, coding));

  async function read(variants: Variants, file: FoundFile, coding: Coding): Promise<Buffer> {
    const sink = new PassThrough();
    const sent = open(variants, file, coding).send(sink as unknown as HttpResponse);
    const [chunks] = await Promise.all([sink.toArray(), sent]);
    return Buffer.concat(chunks);
  }

  it('are kept up to a limit; the one used longest ago is forgotten', async () => {
    const file = await find('/index.html');
    const [gzip, br] = [await read(new Variants(), file, 'gzip'), await read(new Variants(), file, 'br')];
    // While the third is made, its file's size counts: then there is room for one of the other two.
    const variants = new Variants(SHORT.length + gzip.length + br.length - 1);
    for (const coding of CODINGS) await read(variants, file, coding);
    expect(CODINGS.map(coding => length(variants, file, coding) !== undefined)).toEqual([false, true, true]);
  });

  it('are not made if there is no room', async () => {
    const request = { headers: accepting('gzip'), httpVersion: '1.1' } as unknown as HttpRequest;
    const file = await find('/index.html');
    const choose = (maxBytes: number) => new Variants(maxBytes).choose(request, 'text/html', file);
    expect([await choose(SHORT.length), await choose(SHORT.length - 1)]).toEqual(['gzip', undefined]);
  });

  it('fail, and are tried again, if the file gets shorter', async () => {
    writeFileSync(join(site.folder, 'shrinking.js'), LONG);
    const variants = new Variants();
    const file = await find('/shrinking.js');
    truncateSync(join(site.folder, 'shrinking.js'), 1_000);
    const variant = open(variants, file, 'gzip');
    await expect(variant.send(new PassThrough().resume() as unknown as HttpResponse)).rejects.toThrow(
      /shorter/,
    );
    await variant.settled;
    expect(open(variants, file, 'gzip')).not.toBe(variant);
  });

  it('are given up when every visitor has left', async () => {
    const variants = new Variants();
    const file = await find('/app.wasm');
    const sink = new PassThrough();
    const variant = open(variants, file, 'gzip');
    const sent = variant.send(sink as unknown as HttpResponse);
    sink.destroy();
    await expect(sent).rejects.toThrow();
    await variant.settled;
    expect(length(variants, file, 'gzip')).toBeUndefined();
    expect(gunzipSync(await read(variants, file, 'gzip')).equals(FILES['app.wasm'])).toBe(true);
  });
});
