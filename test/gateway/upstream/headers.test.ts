import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  renderRequestHeaders,
  renderResponseHeaders,
  renderTrailers,
} from '../../../src/gateway/upstream/headers.ts';
import type { Names } from '../../../src/gateway/upstream/names.ts';

const OURS = ['x-forwarded-host', '8.preview.example', 'x-forwarded-proto', 'https'];
/** Marks what it maps. */
const NAMES: Names = {
  host: 'localhost:8080',
  forwardedFields: OURS,
  isPlain: false,
  toApp: (key, value) => (key === 'referer' ? undefined : key === 'origin' ? `app ${value}` : value),
  toVisitor: (key, value) => (key === 'location' ? `visitor ${value}` : value),
};

describe('the head for the app', () => {
  it('has the Host of the app’s names, maps each field, and ends with the forwarding fields', () => {
    const raw = ['Host', 'evil.example', 'Accept', '*/*', 'Origin', 'a', 'Referer', 'b'];
    expect(renderRequestHeaders(raw, NAMES)).toEqual([
      ...['host', 'localhost:8080', 'Accept', '*/*', 'Origin', 'app a'],
      ...OURS,
    ]);
  });

  it.each([
    'X-Forwarded-For',
    'x-forwarded-HOST',
    'X-Forwarded-Port',
    'X_Forwarded_Proto',
    'Forwarded',
    'X-Real-IP',
    ...[
      'X-Forwarded',
      'Forwarded-For',
      'X-Original-Forwarded-For',
      'X-Vercel-Forwarded-For',
      'X-Original-For',
    ],
    ...[
      'Client-IP',
      'X-Client-IP',
      'X_CLIENT_IP',
      'True-Client-IP',
      'X-Cluster-Client-IP',
      'Fastly-Client-IP',
    ],
    ...['Fly-Client-IP', 'Proxy-Client-IP', 'WL-Proxy-Client-IP', 'X-Azure-ClientIP', 'X-Azure-SocketIP'],
    ...['CF-Connecting-IP', 'CF-Connecting-IPv6', 'Cf-Pseudo-IPv4', 'DO-Connecting-IP', 'X-ProxyUser-Ip'],
    ...['X-Appengine-User-IP', 'X-Appengine-Remote-Addr', 'X-Envoy-External-Address', 'Ali-Cdn-Real-Ip'],
    ...['X-Nf-Client-Connection-Ip', 'Remote-Addr', 'X-Remote-Addr', 'X-Remote-IP', 'X-Originating-IP'],
    ...['CloudFront-Viewer-Address', 'Proxy'],
    // lighttpd makes the same variable of them.
    ...['X.Forwarded.For', "X'Real~IP", 'X_Forwarded-For'],
  ])('has no %s from the visitor', name => {
    expect(renderRequestHeaders([name, '10.0.0.1'], NAMES)).toEqual(['host', 'localhost:8080', ...OURS]);
  });

  it('is the same before and after a flood of other names', () => {
    const raw = ['X-REAL-IP', '1', 'Connection', 'X-Hop, keep-alive', 'x-hop', '2', 'A'.repeat(100), '3'];
    const expected = ['host', 'localhost:8080', 'A'.repeat(100), '3', ...OURS];
    expect(renderRequestHeaders(raw, NAMES)).toEqual(expected);
    for (let index = 0; index < 2_000; index += 1) {
      const name = `x-${index}`;
      const head = renderRequestHeaders([name, 'a', 'Connection', `${name}, b`, 'B', 'c'], NAMES);
      if (head.includes(name) || head.includes('B')) throw new Error(`${name} was listed in Connection`);
    }
    expect(renderRequestHeaders(raw, NAMES)).toEqual(expected);
    expect(renderRequestHeaders(['x-1', 'a'], NAMES)).toEqual([
      'host',
      'localhost:8080',
      'x-1',
      'a',
      ...OURS,
    ]);
  });

  it('lacks what any of several Connection fields lists', () => {
    const raw = ['Connection', 'a', 'A', '1', 'CONNECTION', 'keep-alive, B', 'b', '2', 'c', '3'];
    expect(renderRequestHeaders(raw, NAMES)).toEqual(['host', 'localhost:8080', 'c', '3', ...OURS]);
    // Nothing of it is remembered for the next request.
    expect(renderRequestHeaders(['connection', 'a', 'b', '2'], NAMES)).toEqual([
      ...['host', 'localhost:8080', 'b', '2'],
      ...OURS,
    ]);
  });

  it.each([
    ...['X-IP', 'IP', 'Clip', 'X-Zip', 'X-Ship', 'X-User-Ship', 'PSU-IP-Address', 'X-Real-IP-Count', 'Via'],
    ...['X-Client-Id', 'User-Agent', 'X_Custom', 'X.Custom', 'X-Forward', 'Origin-Forwarded'],
  ])('has %s, which no program takes for the visitor’s address', name => {
    expect(renderRequestHeaders([name, 'a'], NAMES)).toContain(name);
  });

  it('has no address that a visitor claims, and never more than one, whatever fields come', () => {
    const word = fc.constantFrom(
      'x',
      'forwarded',
      'for',
      'client',
      'ip',
      'real',
      'true',
      'host',
      'connection',
    );
    const name = fc
      .array(fc.tuple(word, fc.constantFrom('-', '_', '.')), { minLength: 1, maxLength: 4 })
      .map(parts =>
        parts
          .map(([text, mark]) => `${text}${mark}`)
          .join('')
          .slice(0, -1),
      );
    const given = fc.option(fc.constant('203.0.113.7'), { nil: undefined });
    fc.assert(
      fc.property(fc.array(name), given, (fields, address) => {
        const raw = fields.flatMap(field => [field, '10.0.0.1']);
        const headers = renderRequestHeaders(raw, NAMES, address);
        const names = headers
          .filter((_, at) => at % 2 === 0)
          .map(one => one.toLowerCase().replaceAll(/[_.]/g, '-'));
        expect(names.filter(one => one === 'x-forwarded-for')).toHaveLength(address === undefined ? 0 : 1);
        expect(names.filter(one => /^x-real-ip$|client-ip$|^forwarded(?:-for)?$/.test(one))).toEqual([]);
        if (address !== undefined) expect(headers.at(-1)).toBe(address);
      }),
    );
  });

  it('has the visitor’s address once, if it is known', () => {
    const raw = [
      'X-Forwarded-For',
      '10.0.0.1',
      'Connection',
      'x-forwarded-for',
      'x-forwarded-for',
      '10.0.0.2',
    ];
    const headers = renderRequestHeaders(raw, NAMES, '203.0.113.7');
    expect(headers).toEqual(['host', 'localhost:8080', ...OURS, 'x-forwarded-for', '203.0.113.7']);
  });

  it('has no hop-by-hop fields, and none that the visitor’s Connection names', () => {
    const raw = ['Connection', 'close, X-Secret', 'connection', 'keep-alive', 'Keep-Alive', 'timeout=5'];
    raw.push(
      'x-secret',
      'a',
      'TE',
      'trailers',
      'Upgrade',
      'h2c',
      'Proxy-Authorization',
      'b',
      'Expect',
      '100-continue',
    );
    expect(renderRequestHeaders(raw, NAMES)).toEqual(['host', 'localhost:8080', ...OURS]);
  });

  it('keeps our own fields even if the visitor’s Connection names them', () => {
    expect(renderRequestHeaders(['Connection', 'x-forwarded-host'], NAMES).slice(2)).toEqual(OURS);
  });

  it('keeps order, spelling and repetition of everything else', () => {
    const raw = ['Cookie', 'a=1', 'X-One', '1', 'cookie', 'b=2', 'X-One', '2'];
    expect(renderRequestHeaders(raw, NAMES).slice(2, -4)).toEqual(raw);
  });
});

describe('the head for the visitor', () => {
  it('keeps every cookie, and has no hop-by-hop fields', () => {
    const raw = [
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2',
      'Connection',
      'x-hop',
      'X-Hop',
      '1',
      'Transfer-Encoding',
      'chunked',
    ];
    expect(renderResponseHeaders(raw, NAMES, { status: 200, keepsTrailer: true })).toEqual([
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2',
    ]);
  });

  it('maps each field', () => {
    const raw = ['Location', 'a', 'X-One', 'b'];
    const mapped = ['Location', 'visitor a', 'X-One', 'b'];
    expect(renderResponseHeaders(raw, NAMES, { status: 103, keepsTrailer: false })).toEqual(mapped);
    expect(renderTrailers(raw, NAMES).flat()).toEqual(mapped);
  });

  it.each([
    ['upgrade-insecure-requests', undefined],
    ["default-src 'self';upgrade-insecure-requests", "default-src 'self';"],
    ["default-src 'self'; Upgrade-Insecure-Requests ; img-src *", "default-src 'self'; img-src *"],
    ["upgrade-insecure-requests; img-src *, default-src 'self'", " img-src *, default-src 'self'"],
    ['upgrade-insecure-requests, img-src *', ', img-src *'],
    ['img-src *; upgrade-insecure-requests; upgrade-insecure-requests; a', 'img-src *; a'],
    [
      'x-upgrade-insecure-requests; upgrade-insecure-requests-x',
      'x-upgrade-insecure-requests; upgrade-insecure-requests-x',
    ],
  ])('does not make browsers use https if the preview has none: %s', (policy, expected) => {
    const render = (isPlain: boolean, name = 'Content-Security-Policy') =>
      renderResponseHeaders(
        [name, policy],
        { ...NAMES, toVisitor: (_, value) => value, isPlain },
        { status: 200, keepsTrailer: false },
      );
    expect(render(true)).toEqual(expected === undefined ? [] : ['Content-Security-Policy', expected]);
    expect(render(false)).toEqual(['Content-Security-Policy', policy]);
    expect(render(true, 'X-Of-The-App')).toEqual(['X-Of-The-App', policy]);
  });

  it('announces trailers only if the answer can have some', () => {
    expect(renderResponseHeaders(['Trailer', 'X-Sum'], NAMES, { status: 200, keepsTrailer: true })).toEqual([
      'Trailer',
      'X-Sum',
    ]);
    expect(renderResponseHeaders(['Trailer', 'X-Sum'], NAMES, { status: 200, keepsTrailer: false })).toEqual(
      [],
    );
  });

  it('has no length if the status means that there is no body', () => {
    expect(
      renderResponseHeaders(['Content-Length', '5'], NAMES, { status: 204, keepsTrailer: false }),
    ).toEqual([]);
    expect(
      renderResponseHeaders(['Content-Length', '5'], NAMES, { status: 304, keepsTrailer: false }),
    ).toEqual(['Content-Length', '5']);
  });
});

it('drops trailers that would change what the head says', () => {
  expect(
    renderTrailers(['X-Sum', '1', 'Content-Length', '9', 'Set-Cookie', 'a=b', 'Connection', 'close'], NAMES),
  ).toEqual([['X-Sum', '1']]);
});
