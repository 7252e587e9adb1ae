// `host-header: auto`: small servers with the habits of real frameworks are asked, and get the rule that fits.

import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { describe, expect, it } from 'vitest';
import { findHostRule } from '../../../src/app/host-header/host-header.ts';
import type { AppSpec } from '../../../src/app/program.ts';
import type { HostHeader } from '../../../src/shared/host-rule.ts';
import { useClosers } from '../../support/closers.ts';
import { listen } from '../../support/listen.ts';

const HTTP = 'http://bore.example:4321';
const HTTPS = 'https://4321.preview.example';

const closers = useClosers();

interface Case {
  url?: string;
  path?: string;
  spec?: Partial<Extract<AppSpec, { mode: 'port' }>>;
  env?: Record<string, string>;
  hostHeader?: HostHeader;
}

/** The rule for a server, and what it was asked. */
async function choose(
  app: RequestListener,
  { url = HTTP, path = '/', spec, env = {}, hostHeader = 'auto' }: Case = {},
) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers.host}${request.url}`);
    app(request, response);
  });
  const port = await listen(server);
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const log: string[] = [];
  const write = (line: string) => void log.push(line);
  const rule = await findHostRule(
    { kind: 'address', host: '127.0.0.1', port },
    path,
    {
      hostHeader,
      publicUrl: () => url,
      spec: { mode: 'port', path: '/', ...spec },
      env,
      logger: { debug: write, info: write, warn: write, error: write },
    },
    new AbortController().signal,
  );
  return { rule, log, asked: asked.map(line => line.replace(`localhost:${port}`, 'LOCAL')) };
}

const isLocal = ({ headers }: IncomingMessage) => headers.host?.startsWith('localhost:') === true;
const sendPage =
  (body: string): RequestListener =>
  (_, response) =>
    void response.setHeader('content-type', 'text/html').end(body);
const PLAIN = sendPage('<!doctype html><p>hello</p>');

describe('a server that checks the Host, as Vite and webpack do', () => {
  it.each([HTTP, HTTPS])('is localhost: %s', async url => {
    const app: RequestListener = (request, response) => {
      response.statusCode = isLocal(request) ? 200 : 403;
      response.end();
    };
    const { rule, log } = await choose(app, { url });
    expect(rule).toBe('rewrite');
    expect(log).toEqual(['host-header rewrite: the app refuses its public address with status 403']);
  });

  it.each([HTTP, HTTPS])(
    'is localhost if it refuses with status 200 and a text, as webpack-dev-server 4 does: %s',
    async url => {
      const app: RequestListener = (request, response) =>
        sendPage(isLocal(request) ? '<script src="/app.js"></script>' : 'Invalid Host header')(
          request,
          response,
        );
      const { rule, log } = await choose(app, { url, env: { SITE: '{url}' } });
      expect([rule, log[0]]).toEqual(['rewrite', expect.stringContaining('a page without its script')]);
    },
  );

  it('is localhost even if it knows its address', async () => {
    const app: RequestListener = (request, response) =>
      void response.writeHead(isLocal(request) ? 200 : 403).end();
    expect((await choose(app, { env: { SITE: '{url}' } })).rule).toBe('rewrite');
  });

  it('is localhost if it has no page', async () => {
    const app: RequestListener = (request, response) =>
      void response.writeHead(isLocal(request) ? 404 : 403).end();
    expect((await choose(app)).rule).toBe('rewrite');
  });

  it('has its public address if it takes only that', async () => {
    const app: RequestListener = (request, response) =>
      void response.writeHead(isLocal(request) ? 400 : 404).end();
    for (const url of [HTTP, HTTPS]) expect((await choose(app, { url })).rule).toBe('preserve');
  });
});

it('a server that checks the Origin of its own scripts, as Next.js does in development, is localhost', async () => {
  const app: RequestListener = (request, response) => {
    const isForeign = !request.headers.origin?.startsWith('http://localhost:');
    if (request.url === '/_next/a.js?b=1&c') response.writeHead(isForeign ? 403 : 200).end();
    else sendPage('<script async=""  src="/_next/a.js?b=1&amp;c"></script>')(request, response);
  };
  const { rule, asked } = await choose(app);
  expect(rule).toBe('rewrite');
  expect(asked).toContain('GET bore.example:4321/_next/a.js?b=1&c');
});

describe('a server that takes both addresses', () => {
  it('has its public address over http', async () => {
    const { rule, asked } = await choose(PLAIN);
    expect([rule, asked]).toEqual(['preserve', ['GET LOCAL/', 'GET bore.example:4321/']]);
  });

  it('is localhost behind https, because it would compare Origin with its own scheme', async () => {
    expect((await choose(PLAIN, { url: HTTPS })).rule).toBe('rewrite');
  });

  it.each<[string, Case]>([
    ['in the command', { spec: { command: 'ORIGIN={url} node build' } }],
    ['as a variable', { spec: { command: 'node build --origin "$EXPOSE_URL"' } }],
    ['in env', { env: { ORIGIN: '{url}' } }],
    ['by the name of a field', { env: { PROTOCOL_HEADER: 'X-Forwarded-Proto' } }],
  ])('has its public address if it was given it %s', async (_, given) => {
    expect((await choose(PLAIN, { ...given, url: HTTPS })).rule).toBe('preserve');
  });

  it('is localhost if it calls itself localhost, whatever it is asked', async () => {
    for (const quote of ['http://AUTH/a', 'http:\\/\\/AUTH\\/a', 'ws://AUTH']) {
      let port = '';
      const app: RequestListener = (request, response) => {
        port = `${request.socket.localPort}`;
        sendPage(`{"url": "${quote.replace('AUTH', `localhost:${port}`)}"}`)(request, response);
      };
      expect((await choose(app)).rule).toBe('rewrite');
    }
    const other = sendPage('<a href="http://localhost:1/">another server</a>');
    expect((await choose(other)).rule).toBe('preserve');
  });

  it('is localhost if it redirects there, whatever it is asked', async () => {
    const app: RequestListener = (request, response) => {
      const own = `http://localhost:${request.socket.localPort}`;
      if (request.headers.host === own.slice(7)) PLAIN(request, response);
      else response.writeHead(301, { location: `${own}/` }).end();
    };
    const { log } = await choose(app);
    expect(log).toEqual(['host-header rewrite: the app redirects from its public address to another one']);
  });

  it('is localhost if its CORS list has only that', async () => {
    const app: RequestListener = (request, response) => {
      response.statusCode = /^http:\/\/localhost:/.test(request.headers.origin ?? '') ? 200 : 500;
      response.end();
    };
    expect((await choose(app)).rule).toBe('rewrite');
  });
});

describe('a server behind https that shows which scheme it takes', () => {
  const nameSelf =
    (readScheme: (request: IncomingMessage) => unknown): RequestListener =>
    (request, response) =>
      sendPage(`<a href="${readScheme(request)}://${request.headers.host}/a">`)(request, response);

  it('has its public address if it believes X-Forwarded-Proto', async () => {
    const app = nameSelf(({ headers }) => headers['x-forwarded-proto'] ?? 'http');
    expect((await choose(app, { url: HTTPS })).rule).toBe('preserve');
  });

  it('is localhost if it does not', async () => {
    expect(
      (
        await choose(
          nameSelf(() => 'http'),
          { url: HTTPS },
        )
      ).rule,
    ).toBe('rewrite');
    expect(
      (
        await choose(
          nameSelf(() => 'http'),
          { url: HTTP },
        )
      ).rule,
    ).toBe('preserve');
  });

  it('has its public address if its framework takes https for granted, as SvelteKit does', async () => {
    const app: RequestListener = (request, response) => {
      response.setHeader('x-sveltekit-page', 'true');
      PLAIN(request, response);
    };
    expect((await choose(app, { url: HTTPS })).rule).toBe('preserve');
  });

  it('has its public address if it insists on https', async () => {
    const app: RequestListener = (request, response) => {
      if (request.headers['x-forwarded-proto'] === 'https') PLAIN(request, response);
      else response.writeHead(301, { location: `https://${request.headers.host}/` }).end();
    };
    expect((await choose(app, { url: HTTPS })).rule).toBe('preserve');
  });

  it.each([
    ['Strict-Transport-Security', 'max-age=60'],
    ['Set-Cookie', 'a=1; Path=/; Secure'],
  ])('has its public address if only there it sends %s', async (name, value) => {
    const app: RequestListener = (request, response) => {
      if (request.headers['x-forwarded-proto'] === 'https') response.setHeader(name, value);
      PLAIN(request, response);
    };
    expect((await choose(app, { url: HTTPS })).rule).toBe('preserve');
  });
});

describe('the questions', () => {
  it('follow redirects of the app itself', async () => {
    const app: RequestListener = (request, response) => {
      if (request.url !== '/en?a') response.writeHead(302, { location: '/en?a' }).end();
      else response.writeHead(isLocal(request) ? 200 : 403).end();
    };
    expect((await choose(app)).rule).toBe('rewrite');
    const endless: RequestListener = (_, response) => void response.writeHead(302, { location: '/' }).end();
    expect((await choose(endless)).asked).toHaveLength(8);
  });

  it('are about the page of visitors if the health path has none', async () => {
    const app: RequestListener = (request, response) => {
      if (request.url === '/health') response.end('ok');
      else response.writeHead(isLocal(request) ? 200 : 403).end();
    };
    expect((await choose(app, { path: '/health' })).rule).toBe('rewrite');
  });

  it('are not asked if the rule is given', async () => {
    for (const hostHeader of ['rewrite', 'preserve'] as const)
      expect(await choose(PLAIN, { hostHeader })).toEqual({ rule: hostHeader, log: [], asked: [] });
  });

  it('do not wait for a page that never ends, or never begins', async () => {
    const stream: RequestListener = (_, response) => {
      response.setHeader('content-type', 'text/html');
      response.write('<p>first');
    };
    expect((await choose(stream)).rule).toBe('preserve');
    const silent: RequestListener = (request, response) => {
      if (isLocal(request)) response.end();
    };
    expect((await choose(silent)).rule).toBe('rewrite');
  }, 20_000);
});
