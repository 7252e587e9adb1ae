// What the app sees as its own address, and what visitors see of the addresses in its answers.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PublicAddress, rememberAddress } from '../../../src/gateway/own-address.ts';
import { chooseNames, type Names } from '../../../src/gateway/upstream/names.ts';
import type { HostRule } from '../../../src/shared/host-rule.ts';

const PORT = 8080;
const LOCAL = `localhost:${PORT}`;
const PLAIN: PublicAddress = { url: 'http://bore.example:4321', host: 'bore.example', port: 4321 };
const PROXIED: PublicAddress = { url: 'https://4321.preview.example', host: 'bore.example', port: 4321 };
const LOOPBACK: PublicAddress = { url: 'http://localhost:4321', host: 'localhost', port: 4321 };

interface Call {
  service?: string;
  place?: PublicAddress;
  host?: string;
  origin?: string;
  port?: number;
}

function names(
  hostHeader: HostRule | undefined,
  { place = PLAIN, host, origin, port = PORT, service }: Call = {},
): Names {
  const address = rememberAddress(() => place)();
  const headers = { host: host ?? new URL(place.url).host, ...(origin === undefined ? {} : { origin }) };
  return chooseNames(
    { request: { headers }, address },
    {
      kind: 'address',
      host: '127.0.0.1',
      port,
      ...(service && { service }),
      ...(hostHeader && { hostHeader }),
    },
  );
}

/** Origins that are not the preview's. */
const FOREIGN = [
  'http://evil.example',
  'https://bore.example:4321',
  'http://bore.example',
  'http://bore.example:43210',
  'http://bore.example:4321.evil.example',
  'http://bore.example:4321@evil.example',
  'http://evil.example:4321',
  'http://localhost:9999',
  'http://127.0.0.1:8080',
  'chrome-extension://abcdef',
  'file://',
  'null',
  '',
];

describe('with `rewrite`', () => {
  it('the app is localhost, and has no forwarding fields that say otherwise', () => {
    expect(names('rewrite').host).toBe(LOCAL);
    expect(names('rewrite').forwardedFields).toEqual([]);
    expect(names(undefined).host).toBe(LOCAL);
  });

  it('an app on port 80 is called as a browser calls it', () => {
    const local = names('rewrite', { port: 80 });
    expect(local.host).toBe('localhost');
    expect(local.toApp('origin', PLAIN.url)).toBe('http://localhost');
    expect(local.toVisitor('location', 'http://localhost/a')).toBe(`${PLAIN.url}/a`);
  });

  it('a service on another machine is called by its name', () => {
    const other = names('rewrite', { service: 'Web' });
    expect(other.host).toBe(`Web:${PORT}`);
    expect(other.toApp('origin', PLAIN.url)).toBe(`http://Web:${PORT}`);
    expect(other.toApp('origin', `http://web:${PORT}`)).toBe('null');
    expect(other.toVisitor('location', `http://web:${PORT}/a`)).toBe(`${PLAIN.url}/a`);
    expect(other.toVisitor('set-cookie', 'a=1; Domain=web')).toBe('a=1');
    for (const url of [`http://${LOCAL}/a`, 'http://web/a'])
      expect(other.toVisitor('location', url)).toBe(url);
  });

  it.each([PLAIN, PROXIED, LOOPBACK])('the preview’s own origin becomes the app’s: $url', place => {
    const local = names('rewrite', { place });
    expect(local.toApp('origin', place.url)).toBe(`http://${LOCAL}`);
    expect(local.toApp('referer', `${place.url}/a?b#c`)).toBe(`http://${LOCAL}/a?b#c`);
    expect(local.toApp('referer', place.url)).toBe(`http://${LOCAL}`);
    expect(local.toApp('destination', `${place.url}/a%20b`)).toBe(`http://${LOCAL}/a%20b`);
  });

  it('other fields stay, whatever they name', () => {
    for (const key of ['cookie', 'x-origin', 'accept'])
      expect(names('rewrite').toApp(key, PLAIN.url)).toBe(PLAIN.url);
  });

  it.each(FOREIGN)('a foreign Origin stays foreign: %s', origin => {
    expect(names('rewrite', { origin }).toApp('origin', origin)).toBe(origin);
    expect(names('rewrite', { origin }).toApp('referer', `${origin}/x`)).toBe(`${origin}/x`);
  });

  it.each([
    `http://${LOCAL}`,
    `https://${LOCAL}`,
    `ws://${LOCAL}`,
    `http://LOCALHOST:${PORT}`,
    `http://a@${LOCAL}`,
    `http:\\\\${LOCAL}`,
    `http://%6cocalhost:${PORT}`,
  ])('a page at the app’s port of the visitor’s own machine does not become the app’s page: %s', origin => {
    expect(names('rewrite').toApp('origin', origin)).toBe('null');
    expect(names('rewrite').toApp('referer', `${origin}/x`)).toBeUndefined();
  });

  it('no foreign Origin becomes that of the app, whatever it is', () => {
    const part = fc.constantFrom(
      ...['http', 'https', ':', '//', '/', '\\', '@', '.', '#', '?', ' ', '8080', '4321', 'evil.example'],
      ...['localhost', 'LOCALHOST', 'bore.example', '%6c', '[::1]', '127.0.0.1', ''],
    );
    const text = fc.array(part, { maxLength: 8 }).map(parts => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(text, fc.webUrl(), fc.string()), origin => {
        const own = /^http:\/\/bore\.example:4321(?=[/?#]|$)/i.test(origin);
        for (const key of ['origin', 'referer']) {
          const seen = names('rewrite', { origin }).toApp(key, origin) ?? '';
          if (!own) expect(URL.parse(seen)?.host).not.toBe(LOCAL);
        }
      }),
    );
  });

  it.each([
    ['location', `http://${LOCAL}/items/?a=b#c`, `${PLAIN.url}/items/?a=b#c`],
    ['location', `https://${LOCAL}/items/`, `${PLAIN.url}/items/`],
    ['location', `//${LOCAL}/items/`, '//bore.example:4321/items/'],
    ['location', `HTTP://LocalHost:${PORT}`, PLAIN.url],
    ['content-location', `http://${LOCAL}/1`, `${PLAIN.url}/1`],
    ['access-control-allow-origin', `http://${LOCAL}`, PLAIN.url],
    ['refresh', `0; url=http://${LOCAL}/x`, `0; url=${PLAIN.url}/x`],
    ['refresh', `5;URL='http://${LOCAL}/x'`, `5;URL='${PLAIN.url}/x'`],
    ['refresh', `0.5, "http://${LOCAL}"`, `0.5, "${PLAIN.url}"`],
    ['refresh', '5', '5'],
    [
      'link',
      `<http://${LOCAL}/?page=2>; rel="next", <//${LOCAL}/a>; rel=preload; title="<http://${LOCAL}/>"`,
      `<${PLAIN.url}/?page=2>; rel="next", <//bore.example:4321/a>; rel=preload; title="<http://${LOCAL}/>"`,
    ],
    ['set-cookie', 'a=1; Domain=localhost; Path=/', 'a=1; Path=/'],
    ['set-cookie', 'a=1;domain = .LOCALHOST', 'a=1'],
    [
      'content-security-policy',
      `connect-src 'self' ws://${LOCAL} http://${LOCAL}/api; img-src ${LOCAL}`,
      `connect-src 'self' ws://bore.example:4321 ${PLAIN.url}/api; img-src bore.example:4321`,
    ],
  ])('an answer names the public address instead of the app’s: %s: %s', (key, value, expected) => {
    expect(names('rewrite').toVisitor(key, value)).toBe(expected);
  });

  it.each([
    ['location', `http://${LOCAL}.evil.example/`],
    ['location', `http://${LOCAL}1/`],
    ['location', `http://${LOCAL}@evil.example/`],
    ['location', `http://${LOCAL}\\@evil.example/`],
    ['location', `http://evil.example/?to=http://${LOCAL}/`],
    ['location', `http://a.${LOCAL}/`],
    ['location', 'http://localhost/'],
    ['location', 'http://localhost:9999/'],
    ['location', `http://127.0.0.1:${PORT}/`],
    ['location', `ftp://${LOCAL}/`],
    ['location', `/${LOCAL}/`],
    ['location', '/items/'],
    ['refresh', `0; url=http://evil.example/?url=http://${LOCAL}/`],
    ['refresh', `0; url=http://${LOCAL}'evil`],
    ['link', `<http://${LOCAL}.evil.example/>; rel=next`],
    ['link', `"http://${LOCAL}/"`],
    ['set-cookie', 'a=domain=localhost; Path=/'],
    ['set-cookie', 'a=1; Domain=evil.localhost'],
    ['set-cookie', 'a=1; Domain=localhost.evil.example'],
    ['content-security-policy', `connect-src http://${LOCAL}.evil.example http://a.${LOCAL} localhost:9999`],
    ['x-other', `http://${LOCAL}/`],
  ])('an answer that names another address stays as it is: %s: %s', (key, value) => {
    expect(names('rewrite').toVisitor(key, value)).toBe(value);
  });

  it('an answer leads to another host only if the app said so', () => {
    const rest = fc.string().map(text => `http://${LOCAL}${text}`);
    fc.assert(
      fc.property(rest, fc.constantFrom('location', 'content-location'), (value, key) => {
        const mapped = names('rewrite').toVisitor(key, value);
        const [host, before] = [URL.parse(mapped)?.host, URL.parse(value)?.host];
        expect(host).toBe(before === LOCAL && mapped !== value ? 'bore.example:4321' : before);
      }),
    );
  });

  it('a long answer costs no matching time, whatever it repeats (CPU exhaustion)', {
    timeout: 10_000,
  }, () => {
    const fields = ['location', 'refresh', 'link', 'set-cookie', 'content-security-policy'];
    for (const key of fields)
      for (const unit of ['<', '"', '\\', ' ', ';', ';domain=', 'url=', LOCAL]) {
        // Up to the longest head; ten such links took ten seconds and more once.
        const value = LOCAL + unit.repeat(64_000 / unit.length);
        for (let round = 0; round < 10; round += 1) names('rewrite').toVisitor(key, value);
      }
  });

  it('answers lead to the name that the visitor uses', () => {
    const locate = (call: Call) => names('rewrite', call).toVisitor('location', `http://${LOCAL}/`);
    expect(locate({ place: LOOPBACK, host: '127.0.0.1:4321' })).toBe('http://127.0.0.1:4321/');
    expect(locate({ place: PROXIED, host: '4321.Preview.example:443' })).toBe(`${PROXIED.url}/`);
    // A proxy in front that connects with the bore server's name as Host.
    expect(locate({ place: PROXIED, host: 'bore.example:4321' })).toBe(`${PROXIED.url}/`);
  });
});

describe('with `preserve`', () => {
  it.each([
    [PLAIN, 'http', 'bore.example:4321', '4321'],
    [PROXIED, 'https', '4321.preview.example', '443'],
  ])('the app sees the public address everywhere: $url', (place, scheme, authority, port) => {
    const open = names('preserve', { place });
    expect(open.host).toBe(authority);
    expect(open.forwardedFields).toEqual([
      ...['x-forwarded-host', authority],
      ...['x-forwarded-proto', scheme],
      ...['x-forwarded-port', port],
    ]);
    for (const key of ['origin', 'referer']) expect(open.toApp(key, place.url)).toBe(place.url);
  });

  it.each([...FOREIGN, `http://${LOCAL}`])('a foreign Origin stays foreign: %s', origin => {
    const open = names('preserve', { origin });
    expect(open.host).toBe('bore.example:4321');
    expect(open.toApp('origin', origin)).toBe(origin);
    expect(open.toApp('referer', `${origin}/x`)).toBe(`${origin}/x`);
  });

  it('nothing in an answer is mapped', () => {
    for (const value of [`http://${LOCAL}/`, `${PLAIN.url}/`])
      expect(names('preserve').toVisitor('location', value)).toBe(value);
  });

  it('Host is that of the page even if a proxy in front sends another', () => {
    const host = 'bore.example:4321';
    expect(names('preserve', { place: PROXIED, host }).host).toBe('4321.preview.example');
    const origin = 'https://bore.example:4321';
    expect(names('preserve', { place: PROXIED, host, origin }).host).toBe(host);
  });
});

describe('the names of visits that alternate', () => {
  const own = [PLAIN, PROXIED, LOOPBACK].map(place => rememberAddress(() => place)());
  const apps = [
    { kind: 'address' as const, host: '127.0.0.1', port: PORT, hostHeader: 'preserve' as const },
    { kind: 'address' as const, host: '127.0.0.1', port: PORT, hostHeader: 'rewrite' as const },
    { kind: 'address' as const, host: '127.0.0.1', port: 3000 },
  ];
  const hosts = ['bore.example:4321', '4321.preview.example', 'localhost:4321', '127.0.0.1:4321'];
  const describeNames = (address: (typeof own)[number], app: (typeof apps)[number], host: string) => {
    const chosen = chooseNames({ request: { headers: { host } }, address }, app);
    const { isPlain, forwardedFields } = chosen;
    const sources = hosts.map(name => chosen.toApp('origin', `http://${name}`));
    const links = [LOCAL, 'localhost:3000'].map(name => chosen.toVisitor('location', `http://${name}/`));
    return { host: chosen.host, isPlain, forwardedFields, sources, links };
  };

  it('are those of each visit, whatever the visit before was (names of one app or address for another)', () => {
    // A new object for each visit, so that nothing of an earlier one is used.
    const visit = fc.tuple(fc.constantFrom(...own), fc.constantFrom(...apps), fc.constantFrom(...hosts));
    fc.assert(
      fc.property(fc.array(visit, { minLength: 2, maxLength: 20 }), visits => {
        const expected = visits.map(([address, app, host]) => describeNames(address, { ...app }, host));
        const actual = visits.map(([address, app, host]) => describeNames(address, app, host));
        expect(actual).toEqual(expected);
      }),
    );
  });
});
