// Apps that compare the address of a request with the page that sends it, as frameworks do against cross-site requests:
// they take their own pages, and refuse those of others, whichever address `host-header` shows them.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request as sendRequest } from 'node:http';
import { connect } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOST_RULES, type HostRule } from '../../src/shared/host-rule.ts';
import { useClosers } from '../support/closers.ts';
import { openDoor, runningOn } from '../support/gateway-door.ts';
import { listen } from '../support/listen.ts';
import { TestCa } from '../support/test-ca.ts';

const closers = useClosers();

type Comparison = (request: IncomingMessage) => boolean;

const first = (value: string | string[] | undefined) => [value].flat()[0];
const hostOf = (url: string | undefined) => URL.parse(url ?? '')?.host;

/** How each compares. None accepts a request without an Origin, for a missing one would hide a fault. */
const COMPARISONS = {
  /** gorilla/websocket's stock Upgrader, coder/websocket, Tornado. */
  'Origin’s host with Host': ({ headers }) => hostOf(headers.origin) === headers.host,
  /** Server actions of Next.js, React Router. */
  'Origin’s host with X-Forwarded-Host, or with Host': ({ headers }) =>
    hostOf(headers.origin) === (first(headers['x-forwarded-host']) ?? headers.host),
  /** Rails, and Express with `trust proxy`. */
  'Origin with the address from the forwarding fields': ({ headers }) => {
    const scheme = first(headers['x-forwarded-proto']) ?? 'http';
    return headers.origin === `${scheme}://${first(headers['x-forwarded-host']) ?? headers.host}`;
  },
  /** Django and Astro, which know that they speak http. */
  'Origin with http and Host': ({ headers }) => headers.origin === `http://${headers.host}`,
  /** Django over https, where an Origin is missing. */
  'Referer’s host with Host': ({ headers }) => hostOf(headers.referer) === headers.host,
} satisfies Record<string, Comparison>;
type Kind = keyof typeof COMPARISONS;
const KINDS = Object.keys(COMPARISONS) as Kind[];

const URLS = { http: 'http://bore.example:4321', https: 'https://4321.preview.example' } as const;
type Scheme = keyof typeof URLS;
const SCHEMES = Object.keys(URLS) as Scheme[];

/** An app that answers 200, or 101 to an upgrade, if the comparison holds, and otherwise 403. */
async function startApp(accepts: Comparison): Promise<number> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(accepts(request) ? 200 : 403).end();
  });
  server.on('upgrade', (request: IncomingMessage, socket) => {
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    const head = accepts(request)
      ? `101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}`
      : '403 Forbidden\r\nContent-Length: 0\r\nConnection: close';
    socket.end(`HTTP/1.1 ${head}\r\n\r\n`);
  });
  const port = await listen(server);
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return port;
}

/** Sends requests with an Origin and its Referer to the app, and returns the status. */
async function openPreview(rule: HostRule, scheme: Scheme, kind: Kind) {
  const port = await startApp(COMPARISONS[kind]);
  const publicUrl = URLS[scheme];
  const door = await openDoor(() => runningOn(port, rule), { publicUrl });
  closers.push(door.stop);
  const send = async (method: string, origin: string): Promise<number | undefined> => {
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AQIDBAUGBwgJCgsMDQ4PEA==',
    };
    const request = sendRequest(`${door.url}/action`, {
      method: method === 'upgrade' ? 'GET' : method,
      headers: {
        host: new URL(publicUrl).host,
        origin,
        referer: `${origin}/page`,
        ...(method === 'upgrade' ? upgrade : {}),
      },
      agent: false,
    });
    request.end();
    const [response] = await Promise.race([once(request, 'response'), once(request, 'upgrade')]);
    response.destroy();
    return response.statusCode;
  };
  return { port, publicUrl, send };
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'upgrade'];
const PREVIEWS = HOST_RULES.flatMap(rule =>
  SCHEMES.flatMap(scheme => KINDS.map(kind => ({ rule, scheme, kind }))),
);

/** The app speaks http, so it cannot know that its visitors speak https: one reason for `rewrite`. */
const cannotWork = ({ rule, scheme, kind }: (typeof PREVIEWS)[number]) =>
  rule === 'preserve' && scheme === 'https' && kind === 'Origin with http and Host';

describe('an app that compares', () => {
  it.each(PREVIEWS.filter(preview => !cannotWork(preview)))(
    '$kind takes the preview’s own pages, with `$rule` over $scheme',
    async ({ rule, scheme, kind }) => {
      const { send, publicUrl } = await openPreview(rule, scheme, kind);
      for (const method of METHODS)
        expect([method, await send(method, publicUrl)]).toEqual([method, method === 'upgrade' ? 101 : 200]);
    },
  );

  it.each(PREVIEWS)(
    '$kind refuses pages of others, with `$rule` over $scheme (cross-site)',
    async ({ rule, scheme, kind }) => {
      const { send, port } = await openPreview(rule, scheme, kind);
      const foreign = [
        'https://evil.example',
        'http://evil.example:4321',
        'http://bore.example',
        'http://bore.example:9999',
        'https://9999.preview.example',
        'https://4321.preview.example.evil.example',
        `http://localhost:${port}`,
        `https://localhost:${port}`,
        `http://127.0.0.1:${port}`,
        'http://localhost:9999',
        'null',
      ];
      for (const origin of foreign)
        for (const method of METHODS)
          expect([origin, method, await send(method, origin)]).toEqual([origin, method, 403]);
    },
  );
});

describe('over HTTP/2', () => {
  let ca: TestCa;
  beforeAll(() => {
    ca = new TestCa();
  });
  afterAll(() => ca.remove());

  it.each(HOST_RULES)('an app takes its own pages, and refuses those of others, with `%s`', async rule => {
    const port = await startApp(COMPARISONS['Origin’s host with Host']);
    const tls = ca.issue(['DNS:localhost']);
    const door = await openDoor(() => runningOn(port, rule), { tls, publicUrl: 'https://localhost:{port}' });
    const session = connect(`https://localhost:${door.port}`, { ca: ca.pem });
    closers.push(door.stop, () => session.destroy());
    const statuses = [];
    for (const origin of [
      `https://localhost:${door.port}`,
      `http://localhost:${port}`,
      'https://evil.example',
    ]) {
      const stream = session.request({ ':method': 'POST', ':path': '/', origin }).end();
      const [headers] = await once(stream.resume(), 'response');
      statuses.push(headers[':status']);
    }
    expect(statuses).toEqual([200, 403, 403]);
  });
});

it.each(HOST_RULES)(
  'a redirect to the Host that the app saw leads back to the preview, with `%s`',
  async rule => {
    const server = createServer(
      ({ headers }, response) =>
        void response.writeHead(307, { location: `http://${headers.host}/items/?page=2` }).end(),
    );
    const port = await listen(server);
    const door = await openDoor(() => runningOn(port, rule));
    closers.push(() => server.close(), door.stop);
    const host = new URL(URLS.http).host;
    const request = sendRequest(`${door.url}/items`, { headers: { host }, agent: false }).end();
    const [response] = await once(request, 'response');
    response.resume();
    expect(response.headers.location).toBe(`${URLS.http}/items/?page=2`);
  },
);

it('addresses are mapped back in early hints, in trailers, and in the answer to an upgrade', async () => {
  const server = createServer((request, response) => {
    const own = `http://${request.headers.host}`;
    response.writeEarlyHints({ link: `<${own}/style.css>; rel=preload; as=style` });
    response.setHeader('trailer', 'Content-Location');
    response.write('body');
    response.addTrailers({ 'Content-Location': `${own}/done` });
    response.end();
  });
  server.on('upgrade', (_, socket) => {
    const head = '101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade';
    socket.end(`HTTP/1.1 ${head}\r\nSet-Cookie: a=1; Domain=localhost; Path=/\r\n\r\n`);
  });
  const port = await listen(server);
  const door = await openDoor(port);
  closers.push(() => server.close(), door.stop);
  const headers = { host: new URL(URLS.http).host };
  const page = sendRequest(door.url, { headers, agent: false }).end();
  const hints = once(page, 'information');
  const [response] = await once(page, 'response');
  await response.toArray();
  expect((await hints)[0].headers.link).toBe(`<${URLS.http}/style.css>; rel=preload; as=style`);
  expect(response.trailers).toEqual({ 'content-location': `${URLS.http}/done` });
  const socket = sendRequest(door.url, {
    headers: { ...headers, connection: 'Upgrade', upgrade: 'websocket' },
  }).end();
  const [joined] = await once(socket, 'upgrade');
  joined.destroy();
  expect(joined.headers['set-cookie']).toEqual(['a=1; Path=/']);
});
