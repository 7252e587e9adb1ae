// `mode: web`: the conventions of static hosts that exports rely on, as docs/web.md lists them.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lookUp } from '../../../src/app/web/lookup.ts';
import { findMediaType } from '../../../src/app/web/media-types.ts';
import { type Site, serveSite } from './site.ts';

const PAGE = { accept: 'text/html' };

describe('links without .html', () => {
  const files = {
    'index.html': 'start',
    'about.html': 'about',
    'folder/index.html': 'folder',
    'both.html': 'page of both',
    'both/index.html': 'folder of both',
    'blog.html': 'list',
    'blog/first.html': 'first',
    notes: 'no ending',
    'notes.html': 'page of notes',
    'v1.2.html': 'version',
    'images/a.png': 'png',
    'größe & more.html': 'umlaut',
  };
  let plain: Site;
  let spa: Site;

  beforeAll(async () => {
    plain = await serveSite(files);
    spa = await serveSite(files, { spa: true });
  });
  afterAll(() => {
    plain.close();
    spa.close();
  });

  it.each([
    ['/about', 'about'],
    ['/about?a=1', 'about'],
    ['/about.html', 'about'],
    ['/both', 'page of both'],
    ['/both/', 'folder of both'],
    ['/blog', 'list'],
    ['/blog/first', 'first'],
    ['/notes', 'no ending'],
    ['/v1.2', 'version'],
    ['/gr%C3%B6%C3%9Fe%20&%20more', 'umlaut'],
  ])('%s leads to the page "%s", with and without spa', async (path, text) => {
    for (const site of [plain, spa]) {
      const answer = await site.ask(path, PAGE);
      expect([answer.status, answer.text]).toEqual([200, text]);
    }
    const { headers } = await plain.ask('/about');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
  });

  it.each([
    ['/folder?a=1', './folder/?a=1'],
    ['/about/?a=1', '../about?a=1'],
    ['/blog/?a=1', '../blog?a=1'],
    ['/blog/first/', '../first'],
    ['/about//', '../../about'],
  ])('%s is redirected to %s, so that relative links are right', async (path, location) => {
    for (const site of [plain, spa]) {
      const answer = await site.ask(path, PAGE);
      expect([answer.status, answer.headers.location]).toEqual([302, location]);
    }
  });

  it.each(['/images', '/images/', '/about.html/', '/folder/about', '/.html', '/none'])(
    '%s leads nowhere: 404 without spa',
    async path => {
      expect((await plain.ask(path, PAGE)).status).toBe(404);
    },
  );

  it('a folder without a page is an unknown page for spa', async () => {
    const answer = await spa.ask('/images', PAGE);
    expect([answer.status, answer.text]).toEqual([200, 'start']);
  });
});

describe('a path of many slashes (CPU exhaustion)', () => {
  it('leads nowhere, and costs no matching time', { timeout: 10_000 }, async () => {
    const path = `/a${'/'.repeat(64_000)}x/`;
    // Ten of them took ten seconds and more once, in which no other visitor was served.
    for (let round = 0; round < 10; round += 1)
      expect(await lookUp('/no/such/folder', path)).toEqual({ kind: 'missing' });
  });
});

describe('names of files', () => {
  it.each([
    ['/100%.txt', '100%.txt'],
    ['/50%25%20off.txt', '50% off.txt'],
    ['/100%%20ja+nein%.txt', '100% ja+nein%.txt'],
    ['/%C3%BC.txt', 'u\u0308.txt'],
    ['/u%CC%88.txt', '\u00fc.txt'],
    ['/a+b&c.txt', 'a+b&c.txt'],
    ['/a%23b%3Fc.txt', 'a#b?c.txt'],
    ['/INDEX.TXT', 'INDEX.TXT'],
  ])('%s is the file %s', async (path, name) => {
    const site = await serveSite({ 'index.html': 'start', [name]: 'found' });
    expect(await site.ask(path)).toMatchObject({
      status: 200,
      text: 'found',
    });
    site.close();
  });

  it.each(['/users/a%2Fb', '/users/50%', '/users/%5Cx', '/users/%E9'])(
    '%s is no file, but may be a path of the router',
    async path => {
      const files = { 'index.html': 'start' };
      const [plain, spa] = [await serveSite(files), await serveSite(files, { spa: true })];
      expect((await plain.ask(path, PAGE)).status).toBe(404);
      expect(await spa.ask(path, PAGE)).toMatchObject({ status: 200, text: 'start' });
      plain.close();
      spa.close();
    },
  );
});

it.each([
  ['a.mjs', 'text/javascript; charset=utf-8'],
  ['a.wasm', 'application/wasm'],
  ['a.WASM', 'application/wasm'],
  ['a%2Ewasm', 'application/wasm'],
  ['a.webmanifest', 'application/manifest+json'],
  ['a.data', 'application/octet-stream'],
  ['a.pck', 'application/octet-stream'],
  ['a.onnx', 'application/octet-stream'],
  ['a.constructor', 'application/octet-stream'],
  ['js', 'application/octet-stream'],
  ['a.b/c', 'application/octet-stream'],
  ['a.svg', 'image/svg+xml'],
  ['a.yaml', 'text/yaml; charset=utf-8'],
  ['.well-known/apple-app-site-association', 'application/json'],
])('the media type of %s is %s', (path, type) => {
  expect(findMediaType(`/${path}`)).toBe(type);
});

describe('404.html', () => {
  it('is sent with status 404 for whatever is missing or hidden, without validators', async () => {
    const site = await serveSite({ 'index.html': 'start', '404.html': 'lost', '.env': 'secret' });
    for (const path of ['/none', '/none.js', '/.env', '/%']) {
      const { status, text, headers } = await site.ask(path, { 'if-none-match': '*', range: 'bytes=0-1' });
      expect([status, text, headers['content-type']]).toEqual([404, 'lost', 'text/html; charset=utf-8']);
      expect([headers.etag, headers['cache-control']]).toEqual([undefined, 'no-store']);
    }
    expect(await site.ask('/none', PAGE, 'HEAD')).toMatchObject({
      status: 404,
      text: '',
      headers: { 'content-length': '4' },
    });
    expect((await site.ask('/404')).status).toBe(200);
    site.close();
  });

  it('is not sent for pages if spa or a 200.html answers them', async () => {
    const files = { 'index.html': 'start', '404.html': 'lost' };
    const spa = await serveSite(files, { spa: true });
    expect((await spa.ask('/users/7', PAGE)).text).toBe('start');
    expect(await spa.ask('/none.js')).toMatchObject({ status: 404, text: 'lost' });
    spa.close();
  });
});

describe('200.html', () => {
  it('answers unknown pages, before index.html with spa, and no missing files', async () => {
    const files = { 'index.html': 'start', '200.html': 'router', '404.html': 'lost' };
    for (const spa of [true, false]) {
      const site = await serveSite(files, { spa });
      expect(await site.ask('/users/7', PAGE)).toMatchObject({ status: 200, text: 'router' });
      expect(await site.ask('/none.js')).toMatchObject({ status: 404, text: 'lost' });
      site.close();
    }
  });

  it('does not answer for hidden files', async () => {
    const site = await serveSite({ 'index.html': 'start', '200.html': 'router', '.env': 'secret' });
    expect((await site.ask('/.env', PAGE)).status).toBe(404);
    site.close();
  });
});

describe('an app built for a base path', () => {
  const files = {
    'index.html': 'start',
    'about.html': 'about',
    'assets/x.js': 'script',
    'docs/index.html': 'docs',
    'repo/own.txt': 'a folder with the name of the base path',
  };

  it.each(['/repo/', '/org/my%20repo/'])('is served below %s, and its files also at /', async basePath => {
    const site = await serveSite(files, { basePath });
    expect((await site.ask(basePath)).text).toBe('start');
    expect((await site.ask(`${basePath}assets/x.js`)).text).toBe('script');
    expect((await site.ask('/assets/x.js')).text).toBe('script');
    expect((await site.ask(`${basePath}about?a=1`)).text).toBe('about');
    expect((await site.ask(`${basePath}docs`)).headers.location).toBe('./docs/');
    expect((await site.ask(`${basePath}none`, PAGE)).status).toBe(404);
    expect((await site.ask('/repo/own.txt')).status).toBe(200);
    for (const [path, location] of [
      ['/?key=1', `${basePath}?key=1`],
      ['/index.html', `${basePath}index.html`],
      [basePath.slice(0, -1), basePath],
      ['/about?a=1', `${basePath}about?a=1`],
      ['/docs/', `${basePath}docs/`],
    ] as const)
      expect(await site.ask(path, PAGE)).toMatchObject({ status: 302, headers: { location } });
    site.close();
  });

  it('with a router gets its pages below the base path only', async () => {
    const site = await serveSite(files, { basePath: '/repo/', spa: true });
    expect(await site.ask('/repo/users/7', PAGE)).toMatchObject({ status: 200, text: 'start' });
    expect(await site.ask('/users/7?a=1', PAGE)).toMatchObject({
      status: 302,
      headers: { location: '/repo/users/7?a=1' },
    });
    expect((await site.ask('/repo/none.js')).status).toBe(404);
    site.close();
  });

  it('is reached however its path is encoded', async () => {
    const site = await serveSite(files, { basePath: '/caf%C3%A9/' });
    for (const path of ['/caf%C3%A9/about', '/caf%c3%a9/about', '/c%61f%C3%A9/about'])
      expect((await site.ask(path)).text).toBe('about');
    expect((await site.ask('/caf%E9/about')).status).toBe(404);
    site.close();
  });

  it('shows no hidden file, and redirects to no other host', async () => {
    const site = await serveSite({ ...files, '.env': 'secret' }, { basePath: '/repo/', spa: true });
    for (const path of ['/repo/.env', '/.env', '/repo/../.env', '/repo/%2e%2e/.env', '/repo//.env'])
      expect((await site.ask(path, PAGE)).status).toBe(404);
    for (const path of ['//evil.test/', '//evil.test/about', '/repo//evil.test/docs', '/\\evil.test'])
      expect((await site.ask(path, PAGE)).headers.location ?? '/repo/').toMatch(/^(\/repo\/|\.\/)/);
    site.close();
  });
});

describe('cross-origin isolation', () => {
  it.each([
    [true, 'require-corp'],
    ['credentialless', 'credentialless'],
  ] as const)('%s asks for COEP %s on every answer', async (crossOriginIsolation, policy) => {
    const site = await serveSite({ 'index.html': 'start' }, { crossOriginIsolation });
    for (const path of ['/', '/none'])
      expect((await site.ask(path)).headers).toMatchObject({
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': policy,
        'cross-origin-resource-policy': 'same-origin',
      });
    site.close();
  });
});
