// `_redirects` and `_headers`, as Netlify, Cloudflare Pages and GitLab Pages read them.

import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startApp } from '../../../src/app/app.ts';
import { readHostRules } from '../../../src/app/web/host-files.ts';
import { startWeb } from '../../../src/app/web/web.ts';
import { silentLogger } from '../../../src/shared/log.ts';
import { serveSite, writeSite } from './site.ts';

const PAGE = { accept: 'text/html' };

describe('_redirects', () => {
  const files = {
    'index.html': 'start',
    'en/index.html': 'english',
    'app/index.html': 'app',
    'forced.html': 'never seen',
    'lost.html': 'lost',
    'data.json': '{}',
    _redirects: [
      '# a comment',
      '/old            /en/            301',
      '/moved/:id      /new/:id',
      '/news/*         https://blog.example/:splat 302',
      '/blog/:year/:slug /posts/:slug-:year 308 # another',
      '/query          /en/?a=1',
      '/forced         /en/            302!',
      '/en             /never          301',
      '/app/*          /app/index.html 200',
      '/api/data       /data.json      200',
      '/secret         /.env           200',
      '/lost/*         /lost           404',
      '/away/*         /:splat         302',
    ].join('\r\n'),
    '.env': 'secret',
  };

  it.each([
    ['/old', 301, '/en/'],
    ['/old/', 301, '/en/'],
    ['/moved/7?a=1', 302, '/new/7?a=1'],
    ['/news/2026/x', 302, 'https://blog.example/2026/x'],
    ['/news', 302, 'https://blog.example/'],
    ['/blog/2026/hello', 308, '/posts/hello-2026'],
    ['/query?b=2', 302, '/en/?a=1'],
    ['/forced', 302, '/en/'],
  ])('%s is redirected (%i) to %s', async (path, status, location) => {
    const site = await serveSite(files);
    const answer = await site.ask(path, PAGE);
    expect([answer.status, answer.headers.location]).toEqual([status, location]);
    expect(answer.headers['cache-control']).toBe('no-store');
    site.close();
  });

  it.each([
    ['/app/users/7', 200, 'app'],
    ['/api/data', 200, '{}'],
    ['/lost/x', 404, 'lost'],
    ['/secret', 404, ''],
    ['/moved/7/8', 404, ''],
    ['/moved', 404, ''],
  ])('%s is answered with status %i and "%s"', async (path, status, text) => {
    const site = await serveSite(files);
    expect(await site.ask(path, PAGE)).toMatchObject({ status, text });
    site.close();
  });

  it('files come before rules, and a missing script gets no page', async () => {
    const site = await serveSite({ ...files, _redirects: '/* /index.html 200' });
    expect((await site.ask('/data.json')).text).toBe('{}');
    expect(await site.ask('/any/page', PAGE)).toMatchObject({ status: 200, text: 'start' });
    expect((await site.ask('/none.js')).status).toBe(404);
    expect((await site.ask('/.env', PAGE)).status).toBe(404);
    site.close();
  });

  it('works below a base path', async () => {
    const site = await serveSite(files, { basePath: '/repo/' });
    expect((await site.ask('/repo/old')).headers.location).toBe('/repo/en/');
    expect(await site.ask('/repo/app/users/7', PAGE)).toMatchObject({ status: 200, text: 'app' });
    site.close();
  });

  it('visitors cannot choose the host that a rule leads to', async () => {
    const site = await serveSite({
      ...files,
      _redirects: '/away/* /:splat\n/go/* https://:splat\n/to/:host/* https://:host/x',
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('away', 'go', 'to'),
        fc.array(fc.constantFrom('/', '\\', '%2f', '%5c', 'evil.test', '@', ':'), { maxLength: 6 }),
        async (start, pieces) => {
          const { location } = (await site.ask(`/${start}/${pieces.join('')}`, PAGE)).headers;
          const base = 'http://preview.example/';
          expect(new URL(location ?? '/', base).host).toBe('preview.example');
        },
      ),
      { numRuns: 200 },
    );
    site.close();
  });

  it.each([
    '/x /y 302 Country=au',
    '/store id=:id /blog/:id 301',
    '/api/* https://api.example/:splat 200',
    'https://old.example/* https://new.example/:splat 301',
    '/a/*/b /c',
    '/x /y 418',
    '/x',
    '/go/* https://:splat',
  ])('%s is not honoured, and listed', rule => {
    const folder = writeSite({ _redirects: `/fine /y\n${rule}` });
    expect(readHostRules(folder).ignored).toEqual([`_redirects, line 2: ${rule}`]);
    rmSync(folder, { recursive: true });
  });
});

describe('_headers', () => {
  const files = {
    'index.html': 'start',
    'threads/index.html': 'threads',
    _headers: [
      '# isolation',
      '/threads/*',
      '  Cross-Origin-Opener-Policy: same-origin',
      '  Cross-Origin-Embedder-Policy: credentialless',
      '',
      '/*',
      '  X-Frame-Options: DENY',
      '  Link: </a.css>; rel=preload',
      '  Link: </b.css>; rel=preload',
      '  X-Frame-Options: SAMEORIGIN',
    ].join('\n'),
  };

  it('adds fields to the answers for matching paths', async () => {
    const site = await serveSite(files);
    const [start, threads] = [await site.ask('/'), await site.ask('/threads/')];
    expect(start.headers).toMatchObject({
      'x-frame-options': 'SAMEORIGIN',
      link: '</a.css>; rel=preload, </b.css>; rel=preload',
    });
    expect(start.headers).not.toHaveProperty('cross-origin-opener-policy');
    expect(threads.headers).toMatchObject({
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'credentialless',
    });
    site.close();
  });

  it('yields to `cross-origin-isolation`', async () => {
    const site = await serveSite(files, { crossOriginIsolation: true });
    expect((await site.ask('/threads/')).headers['cross-origin-embedder-policy']).toBe('require-corp');
    site.close();
  });

  it.each([
    'Cache-Control: public, max-age=31536000, immutable',
    'Content-Length: 1',
    'Transfer-Encoding: chunked',
    'Strict-Transport-Security: max-age=1',
    'Basic-Auth: ada:secret',
    'Set-Cookie: a=b',
    'Bad Name: x',
    'X-Control: a\u0001b',
    '! X-Removed',
  ])('%s is not honoured, and listed', async field => {
    const site = await serveSite({ 'index.html': 'start', _headers: `/*\n  ${field}` });
    expect(await site.ask('/')).toMatchObject({
      status: 200,
      text: 'start',
      headers: { 'cache-control': 'no-cache' },
    });
    expect(readHostRules(site.folder).ignored).toEqual([`_headers, line 2: ${field}`]);
    site.close();
  });
});

it.each([
  ['http://bore.example:4321', "default-src 'self';"],
  ['https://preview.example', "default-src 'self'; upgrade-insecure-requests"],
])('a policy does not make browsers use https if the preview has none: %s', async (publicUrl, expected) => {
  const folder = writeSite({
    'index.html': 'start',
    _headers: "/*\n  Content-Security-Policy: default-src 'self'; upgrade-insecure-requests",
  });
  const server = createServer();
  const app = await startApp({
    spec: { mode: 'web', path: folder, spa: false, crossOriginIsolation: false },
    publicUrl: () => publicUrl,
    ...{ baseEnvironment: {}, env: {}, healthPath: '/', hostHeader: 'auto', stopTimeoutMs: 1_000 },
    ...{ folder, logger: silentLogger, onChild: () => {}, signal: AbortSignal.timeout(10_000) },
    onState: state => {
      if (state.status !== 'running' || state.upstream.kind !== 'handler') return;
      const { handle } = state.upstream;
      server.on('request', (request, response) => handle(request, response, () => response.end()));
    },
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  expect(answer.headers.get('content-security-policy')).toBe(expected);
  await answer.text();
  await app.stop();
  server.close();
  rmSync(folder, { recursive: true });
});

it('neither file is sent to visitors: they may hold passwords', async () => {
  const site = await serveSite(
    { 'index.html': 'start', _headers: '', _redirects: '', 'a/_headers': 'fine' },
    { spa: true },
  );
  for (const path of ['/_headers', '/_redirects', '/%5fheaders'])
    expect((await site.ask(path, PAGE)).status).toBe(404);
  expect((await site.ask('/a/_headers')).status).toBe(200);
  site.close();
});

it.each(['_redirects', '_headers'])('a %s over 1 MB is not honoured, and named', name => {
  const folder = writeSite({ 'index.html': 'start', [name]: `/${'a'.repeat(1_100_000)} /b` });
  const rules = readHostRules(folder);
  expect([rules.ignored, rules.listFields('/')]).toEqual([[`${name} is over 1 MB; make it smaller`], []]);
  rmSync(folder, { recursive: true });
});

it('what is not honoured is in the log at the start, by name', async () => {
  const folder = writeSite({
    'index.html': 'start',
    'vercel.json': '{}',
    'netlify.toml': '',
    _redirects: '/x',
  });
  const lines: string[] = [];
  const spec = { mode: 'web', path: folder, spa: false, crossOriginIsolation: false } as const;
  await startWeb(spec, { logger: { ...silentLogger, info: line => lines.push(line) } });
  expect(lines).toEqual(['not honoured here: _redirects, line 1: /x; vercel.json; netlify.toml']);
  rmSync(folder, { recursive: true });
});
