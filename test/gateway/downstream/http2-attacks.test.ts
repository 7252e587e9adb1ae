// Attacks over HTTP/2: none may reach the app, or use much of the gateway's time or memory. nghttp2 refuses most of
// them; these tests make sure that this does not change.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VisitorLimits } from '../../../src/gateway/downstream/visitor-server.ts';
import type { GatewayOptions } from '../../../src/gateway/gateway.ts';
import { useClosers } from '../../support/closers.ts';
import { openDoor } from '../../support/gateway-door.ts';
import {
  CODE,
  END_HEADERS,
  END_STREAM,
  encodeFields,
  encodeInteger,
  type Field,
  FRAME,
  FrameClient,
  listRequestFields,
  renderFrame,
  renderHeaders,
  renderReset,
} from '../../support/http2-frames.ts';
import { startRawApp } from '../../support/raw-app.ts';
import { TestCa, type TestCertificate } from '../../support/test-ca.ts';
import { waitUntil } from '../../support/wait-until.ts';

const closers = useClosers();
let ca: TestCa;
let tls: TestCertificate;
beforeAll(() => {
  ca = new TestCa();
  tls = ca.issue(['DNS:localhost']);
});
afterAll(() => ca.remove());

async function openAttack(
  options: {
    limits?: Partial<VisitorLimits>;
    answer?: Parameters<typeof startRawApp>[0];
    settings?: [number, number][];
    rules?: Partial<GatewayOptions['rules']>;
  } = {},
) {
  const app = await startRawApp(options.answer);
  const limits = options.limits ?? {};
  const { rules } = options;
  const door = await openDoor(app.port, { tls, limits, publicUrl: 'https://a', ...(rules && { rules }) });
  const open = async () => {
    const client = await FrameClient.open(door.port, ca.pem, options.settings);
    closers.push(() => client.close());
    return client;
  };
  closers.push(app.stop, door.stop);
  return { app, door, client: await open(), open };
}

/** The outcome of one request: its status, its reset code, or that the connection has ended. */
async function ask(client: FrameClient, stream: number, ...parts: Buffer[]): Promise<string> {
  client.write(...parts);
  await client.settled(stream);
  const reset = client.resetCode(stream);
  if (reset !== undefined) return `reset ${reset}`;
  const status = client.status(stream);
  return status === undefined && client.closed ? `goaway ${client.goawayCode}` : `status ${status}`;
}

describe('smuggling from HTTP/2 into the app’s HTTP/1.1', () => {
  const REFUSED = `reset ${CODE.protocol}`;
  // nghttp2 drops only such a field, and accepts the rest.
  it.each<[string, Field]>([
    ['a line break in a value', ['x-a', 'b\r\ncontent-length: 5']],
    ['a bare line feed in a value', ['x-a', 'b\nx: y']],
    ['a NUL in a value', ['x-a', 'b\0c']],
    ['a line break in a name', ['x-a: b\r\nx-b', 'c']],
    ['a line break at the end of a name', ['x-a\r\n', 'c']],
    ['a colon in a name', ['x-a:x', 'c']],
    ['a space in a name', ['x a', 'c']],
    ['an empty name', ['', 'c']],
  ])('by %s fails: the app gets the request without that field', async (_, field) => {
    const { app, client } = await openAttack();
    expect(await ask(client, 1, renderHeaders(1, listRequestFields({}, field)))).toBe('status 200');
    expect(app.seen).toBe(`GET / HTTP/1.1\r\nhost: localhost:${app.port}\r\nconnection: keep-alive\r\n\r\n`);
  });

  it.each<[string, Field[], string]>([
    ['an upper-case name', listRequestFields({}, ['X-A', 'b']), REFUSED],
    ['Transfer-Encoding', listRequestFields({}, ['transfer-encoding', 'chunked']), REFUSED],
    ['Connection', listRequestFields({}, ['connection', 'x-forwarded-for']), REFUSED],
    ['Keep-Alive', listRequestFields({}, ['keep-alive', 'timeout=5']), REFUSED],
    ['Proxy-Connection', listRequestFields({}, ['proxy-connection', 'close']), REFUSED],
    ['Upgrade', listRequestFields({}, ['upgrade', 'websocket']), REFUSED],
    ['TE with more than trailers', listRequestFields({}, ['te', 'gzip']), REFUSED],
    ['a length without a body', listRequestFields({}, ['content-length', '10']), REFUSED],
    ['two lengths', listRequestFields({}, ['content-length', '0'], ['content-length', '0']), REFUSED],
    ['a list of lengths', listRequestFields({}, ['content-length', '0, 0']), REFUSED],
    ['a length with a sign', listRequestFields({}, ['content-length', '+0']), REFUSED],
    ['a length with an underscore', listRequestFields({}, ['content_length', '5']), 'status 400'],
    ['a whole request in the path', listRequestFields({ ':path': '/ HTTP/1.1\r\nX: y\r\n\r\n' }), REFUSED],
    ['a space in the path', listRequestFields({ ':path': '/a b' }), REFUSED],
    ['no path', listRequestFields().filter(([name]) => name !== ':path'), REFUSED],
    ['an empty path', listRequestFields({ ':path': '' }), REFUSED],
    ['an asterisk', listRequestFields({ ':path': '*' }), REFUSED],
    ['an asterisk with OPTIONS', listRequestFields({ ':method': 'OPTIONS', ':path': '*' }), 'status 400'],
    ['an absolute path', listRequestFields({ ':path': 'http://169.254.169.254/x' }), REFUSED],
    ['a path without a slash', listRequestFields({ ':path': 'x' }), REFUSED],
    ['two slashes', listRequestFields({ ':path': '//evil.test/x' }), 'status 400'],
    ['slash and backslash', listRequestFields({ ':path': '/\\evil.test' }), 'status 400'],
    ['a fragment', listRequestFields({ ':path': '/a#b' }), 'status 400'],
    ['a line break in the method', listRequestFields({ ':method': 'GET / HTTP/1.1\r\nX' }), REFUSED],
    ['a space in the method', listRequestFields({ ':method': 'GET /x' }), REFUSED],
    ['no method', listRequestFields().filter(([name]) => name !== ':method'), REFUSED],
    ['a line break in the authority', listRequestFields({ ':authority': 'a\r\nX: y' }), REFUSED],
    ['userinfo in the authority', listRequestFields({ ':authority': 'u@evil.test' }), REFUSED],
    ['another Host than the authority', listRequestFields({}, ['host', 'b']), 'status 400'],
    ['two Hosts', listRequestFields({}, ['host', 'a'], ['host', 'a']), REFUSED],
    ['no Host at all', listRequestFields().filter(([name]) => name !== ':authority'), REFUSED],
    ['a pseudo field twice', [...listRequestFields(), [':path', '/b']], REFUSED],
    ['a pseudo field behind others', [['x-a', 'b'], ...listRequestFields()], REFUSED],
    ['an unknown pseudo field', listRequestFields({ ':x': 'y' }), REFUSED],
    ['an answer’s pseudo field', listRequestFields({ ':status': '200' }), REFUSED],
    [
      'a WebSocket by extended CONNECT',
      listRequestFields({ ':method': 'CONNECT', ':protocol': 'websocket' }),
      REFUSED,
    ],
  ])('by %s is refused, and nothing reaches the app', async (_, fields, outcome) => {
    const { app, client } = await openAttack();
    expect(await ask(client, 1, renderHeaders(1, fields))).toBe(outcome);
    expect([app.connections, app.seen]).toEqual([0, '']);
  });

  it('by CONNECT is refused', async () => {
    const { app, client } = await openAttack();
    const fields: Field[] = [
      [':method', 'CONNECT'],
      [':authority', 'evil.test:443'],
    ];
    client.write(renderHeaders(1, fields, END_HEADERS));
    await client.settled(1);
    expect(client.status(1)).not.toBe(200);
    expect(app.connections).toBe(0);
  });

  it.each([
    [3, 'abcGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n', 'goaway 2'],
    [30, 'short', REFUSED],
  ])(
    'by a length of %i with a different body ends the request, at the app too',
    async (length, body, outcome) => {
      let gone = false;
      const { app, client } = await openAttack({
        answer: socket => {
          socket.on('close', () => {
            gone = true;
          });
        },
      });
      const fields = listRequestFields({ ':method': 'POST' }, ['content-length', String(length)]);
      const payload = Buffer.from(body);
      const data = renderFrame({ type: FRAME.data, flags: END_STREAM, stream: 1, payload });
      client.write(renderHeaders(1, fields, END_HEADERS));
      client.write(renderFrame({ type: FRAME.data, flags: 0, stream: 1, payload: payload.subarray(0, 2) }));
      await waitUntil(() => app.requestLines.length === 1, 'the app has the request');
      expect(await ask(client, 1, data)).toBe(outcome);
      await waitUntil(() => gone, 'the request is over at the app');
      expect(app.seen).not.toContain('smuggled');
    },
  );

  it('by trailers fails: they do not reach the app', async () => {
    const { app, client } = await openAttack();
    client.write(
      renderHeaders(1, listRequestFields({ ':method': 'POST' }, ['trailer', 'x-late']), END_HEADERS),
      renderFrame({ type: FRAME.data, flags: 0, stream: 1, payload: Buffer.from('body') }),
      renderHeaders(1, [
        ['x-late', 'yes'],
        ['content-length', '99'],
      ]),
    );
    await client.settled(1);
    expect(app.seen).not.toMatch(/late|99/);
  });

  it('is not suspected in an unusual valid request, which reaches the app unchanged', async () => {
    const { app, client } = await openAttack();
    const fields = listRequestFields(
      { ':path': '/..;/a?b=%0d%0a&c=\xe4', ':authority': 'A:443' },
      ['host', 'A:443'],
      ['x-latin', '\xe4\xff'],
      ['cookie', 'a=1'],
      ['x-between', '1'],
      ['cookie', 'b=2'],
      ['te', 'trailers'],
    );
    expect(await ask(client, 1, renderHeaders(1, fields))).toBe('status 200');
    expect(app.requestLines).toEqual(['GET /..;/a?b=%0d%0a&c=\xe4 HTTP/1.1']);
    expect(app.seen).toMatch(/\r\nx-latin: \xe4\xff\r\ncookie: a=1; b=2\r\nx-between: 1\r\n/);
    expect(app.seen).not.toMatch(/host: A|trailers/);
  });
});

describe('rapid reset', () => {
  const bursts = (count: number, from = 0) =>
    Array.from({ length: count }, (_, index) => {
      const stream = 2 * (from + index) + 1;
      return Buffer.concat([renderHeaders(stream, listRequestFields()), renderReset(stream)]);
    });

  it('costs the app nothing, and ends the connection', async () => {
    const { app, client, door } = await openAttack();
    client.write(...bursts(2_000));
    await waitUntil(
      () => client.closed || client.goawayCode !== undefined,
      'the gateway ends the connection',
    );
    expect(app.connections).toBe(0);
    expect(door.gateway.visits).toBe(0);
  });

  it('that waits until the app has each request reaches it a few hundred times at most', async () => {
    const { app, client } = await openAttack({ answer: () => {} });
    const began = performance.now();
    for (let sent = 0; sent < 3_000 && !client.closed && client.goawayCode === undefined; sent += 1) {
      const stream = 2 * sent + 1;
      const before = app.connections;
      client.write(renderHeaders(stream, listRequestFields()));
      await waitUntil(() => client.closed || app.connections > before, 'the app has it');
      client.write(renderReset(stream));
    }
    expect(client.closed || client.goawayCode !== undefined).toBe(true);
    // 200 resets at once, and 33 more in every second that the attack takes on this machine.
    const allowed = 200 + (33 * (performance.now() - began)) / 1_000;
    expect(app.connections).toBeLessThan(allowed + 100);
  });

  it('of one visitor does not disturb the others', async () => {
    const { client, open } = await openAttack();
    const other = await open();
    client.write(...bursts(2_000));
    expect(await ask(other, 1, renderHeaders(1, listRequestFields()))).toBe('status 200');
  });
});

describe('an endless head', () => {
  it('in CONTINUATION frames ends the connection (CVE-2024-27983 and similar)', async () => {
    const { app, client } = await openAttack();
    const payload = encodeFields([['x-a', 'b'.repeat(100)]]);
    client.write(renderHeaders(1, listRequestFields(), END_STREAM));
    for (let sent = 0; sent < 2_000 && !client.closed; sent += 1)
      client.write(renderFrame({ type: FRAME.continuation, flags: 0, stream: 1, payload }));
    await waitUntil(() => client.closed, 'the connection is over');
    expect(app.connections).toBe(0);
  });

  it('in empty CONTINUATION frames ends the connection too', async () => {
    const { app, client } = await openAttack();
    client.write(renderHeaders(1, listRequestFields(), END_STREAM));
    const empty = renderFrame({ type: FRAME.continuation, flags: 0, stream: 1, payload: Buffer.alloc(0) });
    client.write(...Array.from({ length: 2_000 }, () => empty));
    await waitUntil(() => client.closed, 'the connection is over');
    expect(app.connections).toBe(0);
  });

  it('of more than 16 KB gets a 431, whether the settings are acknowledged or not', async () => {
    const { app, client } = await openAttack();
    const big = (bytes: number) =>
      listRequestFields(
        {},
        ...Array.from({ length: 10 }, (_, n): Field => [`x-${n}`, 'b'.repeat(bytes / 10)]),
      );
    const acknowledge = renderFrame({ type: FRAME.settings, flags: 1, stream: 0, payload: Buffer.alloc(0) });
    expect(await ask(client, 1, ...splitHead(1, big(15_000), 8_000))).toBe('status 200');
    expect(await ask(client, 3, ...splitHead(3, big(17_000), 8_000))).toBe('status undefined');
    expect(await ask(client, 5, acknowledge, ...splitHead(5, big(17_000), 8_000))).toBe(
      `reset ${CODE.enhanceYourCalm}`,
    );
    expect(app.requestLines).toHaveLength(1);
  });

  it('of more than 256 fields is refused', async () => {
    const { app, client } = await openAttack();
    const many = (count: number) =>
      listRequestFields({}, ...Array.from({ length: count }, (_, n): Field => [`x-${n}`, '']));
    expect(await ask(client, 1, renderHeaders(1, many(250)))).toBe('status 200');
    expect(await ask(client, 3, renderHeaders(3, many(257)))).toBe(`reset ${CODE.enhanceYourCalm}`);
    expect(app.requestLines).toHaveLength(1);
  });

  it('that decompresses to megabytes (HPACK bomb) is refused', async () => {
    const { app, client } = await openAttack();
    // A field of 4,000 bytes is put into the table (literal with indexing), then referenced thousands of times (index
    // 62).
    const value = Buffer.alloc(4_000, 'b');
    const stored = Buffer.concat([
      Buffer.of(0x40, 3),
      Buffer.from('x-a'),
      encodeInteger(value.length, 7),
      value,
    ]);
    const payload = Buffer.concat([
      encodeFields(listRequestFields()),
      stored,
      Buffer.alloc(8_000, 0x80 | 62),
    ]);
    const flags = END_HEADERS | END_STREAM;
    const outcome = await ask(client, 1, renderFrame({ type: FRAME.headers, flags, stream: 1, payload }));
    expect(outcome).toMatch(/^(?:reset|goaway) /);
    expect(app.connections).toBe(0);
  });

  function splitHead(stream: number, fields: Field[], size: number): Buffer[] {
    const all = encodeFields(fields);
    const pieces: Buffer[] = [];
    for (let at = 0; at < all.length; at += size) {
      const isLast = at + size >= all.length;
      pieces.push(
        renderFrame({
          type: at === 0 ? FRAME.headers : FRAME.continuation,
          flags: (at === 0 ? END_STREAM : 0) | (isLast ? END_HEADERS : 0),
          stream,
          payload: all.subarray(at, at + size),
        }),
      );
    }
    return pieces;
  }
});

describe('many requests at a time', () => {
  it('on one connection are refused beyond the first 100', async () => {
    const { app, client } = await openAttack({ answer: () => {} });
    const streams = Array.from({ length: 120 }, (_, index) => 2 * index + 1);
    await waitUntil(() => client.ofType(FRAME.settings).length > 1, 'the limit is agreed on');
    client.write(...streams.map(stream => renderHeaders(stream, listRequestFields())));
    await waitUntil(() => client.closed || client.ofType(FRAME.rstStream).length === 20, '20 are refused');
    expect(client.resetCode(239)).toBe(CODE.refused);
    await waitUntil(() => app.requestLines.length === 100, 'the app has the others');
  });

  it('on several connections are limited: the connection with most loses requests first, waiting ones before others', async () => {
    const { app, client, open } = await openAttack({ answer: () => {}, limits: { sockets: 60 } });
    const other = await open();
    const ask40 = (one: FrameClient) =>
      one.write(
        ...Array.from({ length: 40 }, (_, index) => renderHeaders(2 * index + 1, listRequestFields())),
      );
    ask40(client);
    // Of 60, with n under way, one connection may have half of what is free: 20.
    await waitUntil(() => app.requestLines.length === 20, 'the app has half of those of the first');
    ask40(other);
    const countRefused = (one: FrameClient) => one.ofType(FRAME.rstStream).length;
    await waitUntil(() => countRefused(client) + countRefused(other) === 20, 'each has 30');
    expect([countRefused(client), countRefused(other)]).toEqual([10, 10]);
    expect([client.resetCode(79), other.resetCode(79)]).toEqual([CODE.refused, CODE.refused]);
    await waitUntil(() => app.requestLines.length === 33, 'the second has half of what was left then, 13');
    // The next one begins when an earlier one has ended.
    client.write(renderReset(1));
    await waitUntil(() => app.requestLines.length === 34, 'the next one begins');
  });
});

describe('floods of frames that request nothing', () => {
  const ping = renderFrame({ type: FRAME.ping, flags: 0, stream: 0, payload: Buffer.alloc(8) });
  const settings = renderFrame({ type: FRAME.settings, flags: 0, stream: 0, payload: Buffer.alloc(0) });

  it.each([
    ['pings', ping],
    ['settings', settings],
  ])('end the connection if the answers are not read: %s', async (_, frame) => {
    const { client } = await openAttack({ limits: { headersTimeoutMs: 2_000, lingerMs: 200 } });
    client.socket.pause();
    const flood = Buffer.concat(Array.from({ length: 1_000 }, () => frame));
    const pour = () => {
      while (!client.socket.destroyed && client.socket.write(flood));
    };
    client.socket.on('drain', pour);
    pour();
    await waitUntil(() => client.closed, 'the connection is over');
  });

  it('do not keep an idle connection open', async () => {
    const { client } = await openAttack({ limits: { headersTimeoutMs: 200 } });
    const timer = setInterval(() => client.write(ping), 20);
    closers.push(() => clearInterval(timer));
    await waitUntil(() => client.closed, 'the connection is over');
    expect(client.goawayCode).toBe(0);
  });

  it('with a window above the limit end the connection', async () => {
    const { client } = await openAttack();
    const payload = Buffer.from([0x7f, 0xff, 0xff, 0xff]);
    const update = renderFrame({ type: FRAME.windowUpdate, flags: 0, stream: 0, payload });
    client.write(update, update);
    await waitUntil(() => client.closed, 'the connection is over');
    expect(client.goawayCode).toBe(CODE.flowControl);
  });
});

describe('a visitor with a flow-control window of 0', () => {
  const LINK = { access: { kind: 'link', key: 'K3y-of-this-preview_0123456789' } } as const;

  it('is closed after a while, and does not keep others out meanwhile', async () => {
    const { door, open } = await openAttack({
      settings: [[4, 0]],
      rules: LINK,
      limits: { stalledMs: 400, strangers: 20, sockets: 40 },
    });
    const idle = await open();
    idle.write(
      ...Array.from({ length: 30 }, (_, index) => renderHeaders(2 * index + 1, listRequestFields())),
    );
    const key = listRequestFields({}, ['authorization', `Bearer ${LINK.access.key}`]);
    const signedIn = await FrameClient.open(door.port, ca.pem);
    closers.push(() => signedIn.close());
    // The first request with the key may still be refused among the unauthenticated, until some of them are closed.
    let stream = 1;
    await waitUntil(async () => {
      const answer = await ask(signedIn, stream, renderHeaders(stream, key));
      stream += 2;
      return answer === 'status 200';
    }, 'the one with the key is served');
    await waitUntil(
      () => idle.closed || idle.goawayCode !== undefined,
      'the one who reads nothing is closed',
    );
  });

  it('costs a small part of each answer, and the rest stays in the app', async () => {
    let sent = 0;
    const piece = Buffer.alloc(64 * 1024);
    const { app, client } = await openAttack({
      settings: [[4, 0]],
      answer: socket => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${1_000 * piece.length}\r\n\r\n`);
        const pour = () => {
          while (!socket.destroyed && socket.writable && !socket.writableNeedDrain) {
            sent += piece.length;
            socket.write(piece);
          }
        };
        socket.on('drain', pour);
        pour();
      },
    });
    client.write(
      ...Array.from({ length: 20 }, (_, index) => renderHeaders(2 * index + 1, listRequestFields())),
    );
    await waitUntil(() => app.requestLines.length === 20, 'the app has them all');
    let [last, same] = [-1, 0];
    await waitUntil(() => {
      same = sent === last ? same + 1 : 0;
      last = sent;
      return same > 30;
    }, 'no more bytes move');
    // Most of it is in the kernel's buffers between gateway and app.
    expect(sent / 20).toBeLessThan(8 << 20);
    expect(client.ofType(FRAME.data)).toEqual([]);
  });
});
