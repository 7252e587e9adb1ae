// What a proxy must not do: lead to another port than a preview's, or pass on what two servers read differently.

import { once } from 'node:events';
import { get } from 'node:http';
import { expect, it } from 'vitest';
import { EMPTY_PORT, RAW_PORT, type World } from '../proxy-world.ts';
import { startRawServer } from '../raw-server.ts';
import type { Visitor } from '../visitor.ts';

/** Each in the handshake, and as Host behind the name of a preview. Under all of them a listener waits. */
const WRONG_NAMES = [
  ...[
    '7835',
    '19999',
    '30000',
    '10022',
    '1042',
    '42',
    '80',
    '99999',
    '65536',
    '120042',
    '200500',
    '2004',
  ].map(port => `${port}.preview.example.com`),
  '020042.preview.example.com',
  '20042x.preview.example.com',
  'x20042.preview.example.com',
  '20042.7835.preview.example.com',
  '7835.20042.preview.example.com',
  'preview.example.com',
  'example.com',
  '20042.preview.example.com.example.org',
  '20042.previewxexample.com',
  '20042.preview.example.org',
  '2005０.preview.example.com',
  '127.0.0.2',
  '127.0.0.2:7835',
  'localhost:7835',
  '20042@127.0.0.2:7835',
  '20042.preview.example.com@7835',
  '20042%2e7835.preview.example.com',
  '[::1]:7835',
  '',
];

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: 20042.preview.example.com\r\n\r\n';
const post = (fields: string, body: string) =>
  `POST /outer HTTP/1.1\r\nHost: 20042.preview.example.com\r\n${fields}\r\n\r\n${body}`;
/** Two servers that read one of these differently would see another number of requests. */
const AMBIGUOUS: [string, string][] = [
  ['a length and chunks', post(`Content-Length: 5\r\nTransfer-Encoding: chunked`, `0\r\n\r\n${SMUGGLED}`)],
  ['chunks and a length', post(`Transfer-Encoding: chunked\r\nContent-Length: 5`, `0\r\n\r\n${SMUGGLED}`)],
  ['two lengths', post(`Content-Length: 0\r\nContent-Length: ${SMUGGLED.length}`, SMUGGLED)],
  ['a list of lengths', post(`Content-Length: 0, ${SMUGGLED.length}`, SMUGGLED)],
  ['a length with a sign', post(`Content-Length: +${SMUGGLED.length}`, SMUGGLED)],
  ['an unknown coding', post('Transfer-Encoding: xchunked', `0\r\n\r\n${SMUGGLED}`)],
  ['a coding in quotes', post('Transfer-Encoding: "chunked"', `0\r\n\r\n${SMUGGLED}`)],
  [
    'a space before the colon',
    post(`Content-Length: 0\r\nTransfer-Encoding : chunked`, `0\r\n\r\n${SMUGGLED}`),
  ],
  ['a folded line', post(`Content-Length: 0\r\nX: a\r\n Transfer-Encoding: chunked`, `0\r\n\r\n${SMUGGLED}`)],
  ['an underscore', post(`Content-Length: 0\r\nTransfer_Encoding: chunked`, `0\r\n\r\n${SMUGGLED}`)],
  ['a chunk size out of range', post('Transfer-Encoding: chunked', `10000000000000000\r\n\r\n${SMUGGLED}`)],
  ...[
    ['Upgrade: websocket\r\nUpgrade: h2c', 'h2c behind a WebSocket'],
    ['Upgrade: h2c\r\nUpgrade: websocket', 'h2c before a WebSocket'],
    ['Upgrade: websocket, h2c', 'h2c in the field of a WebSocket'],
  ].map(([fields = '', what = '']): [string, string] => [
    what,
    `GET /outer HTTP/1.1\r\nHost: 20042.preview.example.com\r\nConnection: Upgrade\r\n${fields}\r\n\r\n`,
  ]),
  ...['example.org, 20042.preview.example.com', '20042.preview.example.com:443@example.org'].map(
    (host): [string, string] => [`the Host ${host}`, `GET /outer HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
  ),
  [
    'CONNECT',
    `CONNECT 20042.preview.example.com:443 HTTP/1.1\r\nHost: 20042.preview.example.com\r\n\r\n${SMUGGLED}`,
  ],
  [
    'h2c',
    `GET /outer HTTP/1.1\r\nHost: 20042.preview.example.com\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n`,
  ],
];

export function defineRefusals(read: () => World): void {
  it('leads to no port outside the range, whatever the name', async () => {
    const { first, countForbidden } = read();
    const [answers, seen] = [[] as string[], first.app.requests.length];
    // Unlike a preview, it would also answer under a name that is not its own.
    const raw = await startRawServer(read());
    for (const name of WRONG_NAMES.map(one => one.replace('20042', `${RAW_PORT}`))) {
      answers.push(await describe(first.visitor, name, name));
      answers.push(await describe(first.visitor, first.name, name));
    }
    answers.push(await describe(first.visitor, undefined, '7835.preview.example.com'));
    expect(answers.filter(text => !/^(?:4\d\d|refused)/.test(text))).toEqual([]);
    expect([countForbidden(), raw.connections, first.app.requests.length]).toEqual([0, 0, seen]);
  });

  it('takes a preview for the same one in capitals and with a trailing dot, or refuses these', async () => {
    const { first, countForbidden } = read();
    for (const host of [
      '20042.PREVIEW.example.com',
      '20042.preview.example.com.',
      '20042.preview.example.com:443',
    ])
      expect(await describe(first.visitor, first.name, host)).toMatch(
        /^(?:200 this is the first preview|4\d\d)/,
      );
    expect(countForbidden()).toBe(0);
  });

  it('leads nowhere without a name in the handshake, or without Host', async () => {
    const { first, countForbidden } = read();
    expect(await describe(first.visitor, undefined, first.name)).toMatch(
      /^(?:refused|4\d\d|200 this is the first)/,
    );
    for (const head of [
      'GET / HTTP/1.0\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n',
      'GET / HTTP/1.1\r\nHost:\r\n\r\n',
    ])
      expect(await first.visitor.send(first.name, head, text => text.includes('\r\n\r\n'))).toMatch(
        /^(?:HTTP\/1\.[01] 4\d\d|$)/,
      );
    expect([countForbidden(), first.app.requests.length]).toEqual([0, 0]);
  });

  it('believes one host only if a request names two', async () => {
    const { first, second, countForbidden } = read();
    const close = 'Connection: close\r\n\r\n';
    const twice = `GET / HTTP/1.1\r\nHost: ${first.name}\r\nHost: ${second.name}\r\n${close}`;
    expect(await first.visitor.send(first.name, twice)).toMatch(/^(?:HTTP\/1\.1 4\d\d|$)/);
    // RFC 9112, 3.2.2: the one in the target counts.
    const whole = `GET https://${second.name}/ HTTP/1.1\r\nHost: ${first.name}\r\n${close}`;
    expect(await first.visitor.send(first.name, whole)).toMatch(
      /^HTTP\/1\.1 (?:4\d\d|200[\s\S]*the second preview)/,
    );
    const outside = `GET https://7835.preview.example.com/ HTTP/1.1\r\nHost: ${first.name}\r\n${close}`;
    expect(await first.visitor.send(first.name, outside)).toMatch(
      /^HTTP\/1\.1 4\d\d|^HTTP\/1\.1 200[\s\S]*the first preview/,
    );
    const port = `GET / HTTP/1.1\r\nHost: ${first.name}:7835\r\n${close}`;
    expect(await first.visitor.send(first.name, port)).toMatch(
      /^HTTP\/1\.1 (?:4\d\d|200[\s\S]*the first preview)/,
    );
    expect(countForbidden()).toBe(0);
  });

  it('redirects no wrong name to https', async () => {
    const { first, place } = read();
    for (const host of ['7835.preview.example.com', 'example.org', '20042.preview.example.org', 'x.y.z']) {
      const options = { host: place.host, port: place.httpPort, headers: { host } };
      const [response] = await once(
        get({ ...options, localAddress: first.visitor.options.from }),
        'response',
      );
      response.resume();
      expect([host, response.statusCode >= 400, response.headers.location]).toEqual([host, true, undefined]);
    }
  });

  it('says that there is no preview where there is none', async () => {
    const { visitor } = read().first;
    const name = `${EMPTY_PORT}.preview.example.com`;
    for (const [path, method] of [
      ['/', 'GET'],
      ['/a/b?c', 'POST'],
    ] as const) {
      const { status, headers, body } = await visitor.ask({
        name,
        path,
        method,
        body: method === 'POST' ? 'x' : '',
      });
      expect([502, 503]).toContain(status);
      expect(String(body)).toMatch(/no preview/i);
      expect(String(body).length).toBeLessThan(2_000);
      expect(headers['content-type']).toMatch(/^text\//);
      expect(headers['cache-control']).toContain('no-store');
    }
    const { status, body } = await visitor.ask({ name, method: 'HEAD' });
    expect([[502, 503].includes(status), body.length]).toEqual([true, 0]);
  });

  it("passes a preview's own 502 and 503 as they are", async () => {
    const { visitor, name, app } = read().first;
    for (const status of [502, 503, 504, 429, 404]) {
      app.answer = (_, response) => response.writeHead(status).end(`the app says ${status}`);
      const answer = await visitor.ask({ name });
      expect([answer.status, String(answer.body)]).toEqual([status, `the app says ${status}`]);
    }
  });

  it.each(AMBIGUOUS)('passes no second request hidden behind %s', async (_, bytes) => {
    const { visitor, name, app } = read().first;
    const isEnough = (text: string) => (text.match(/HTTP\/1\.1 \d/g) ?? []).length > 2;
    const end = `GET /end HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`;
    const answers = await visitor.send(name, bytes + end, isEnough);
    expect(answers).not.toMatch(/^HTTP\/1\.1 101/m);
    const paths = app.requests.map(({ url }) => url);
    // As two requests of one connection they are read by both alike; never as three, or as the hidden one alone.
    if (paths.includes('/smuggled')) expect(answers.match(/HTTP\/1\.1 200/g)?.length).toBe(paths.length);
    else expect(paths.filter(path => path !== '/outer' && path !== '/end')).toEqual([]);
  });

  it('sends one request for one request, and never two', async () => {
    const raw = await startRawServer(read());
    const { visitor } = read().first;
    for (const [, bytes] of AMBIGUOUS)
      await visitor.send(
        raw.name,
        `${bytes.replaceAll('20042', '20050')}GET /end HTTP/1.1\r\nHost: ${raw.name}\r\nConnection: close\r\n\r\n`,
        text => /200 OK/.test(text),
      );
    const heads = raw.seen.match(/^(?:GET|POST) [\s\S]*?\r\n\r\n/gm) ?? [];
    expect(heads).not.toEqual([]);
    // Whatever arrives has one way to be read: a length or chunks, once.
    for (const head of heads) {
      const framing = head.match(/^(?:content-length|transfer-encoding):.*$/gim) ?? [];
      expect(framing.length, head).toBeLessThan(2);
      expect(head).not.toMatch(/h2c|[_ ]encoding *:|xchunked/i);
      expect(head).toMatch(/^host: [\w.-]+(?::\d+)?\r$/im);
      // What has passed the proxy unread has no address.
      expect(head).toMatch(/^x-forwarded-for: /im);
    }
  });
}

/** Status and body of the answer, or `refused`: no handshake, or no answer. */
async function describe(visitor: Visitor, name: string | undefined, host: string): Promise<string> {
  try {
    const socket = await visitor.connect(name);
    socket.on('error', () => {});
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    let received = '';
    for await (const chunk of socket) received += chunk;
    const [, status, body] = /^HTTP\/1\.1 (\d+)[\s\S]*?\r\n\r\n([\s\S]*)$/.exec(received) ?? [];
    return status === undefined ? 'refused' : `${status} ${body} (${name}, ${host})`;
  } catch {
    return 'refused';
  }
}
