// `mode: web`: the conventions of static hosts that exports rely on, as docs/web.md lists them.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
