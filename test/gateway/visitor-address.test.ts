import { once } from 'node:events';
import { createServer } from 'node:http';
import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Access } from '../../src/gateway/access/access.ts';
import { cutHostPart, parseAddress, readForwardedFor } from '../../src/gateway/visitor-address.ts';
import type { AppState } from '../../src/shared/state.ts';
import { useClosers } from '../support/closers.ts';
import { type Door, openDoor, sendRaw } from '../support/gateway-door.ts';

const HEAD = 'Host: bore.example:4321\r\nConnection: close\r\n';
const KEY = 'K3y-of-this-preview_0123456789';
const closers = useClosers();

/** A gateway whose app answers with every header that it got. */
async function openEcho(rules: { trustedProxy?: boolean }): Promise<Door> {
  const app = createServer((request, response) => response.end(JSON.stringify(request.rawHeaders)));
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  const address = app.address();
  const door = await openDoor(typeof address === 'object' && address !== null ? address.port : 0, { rules });
  closers.push(
    () => app.closeAllConnections(),
    () => app.close(),
    door.stop,
  );
  return door;
}

/** The values of each field of this name that the app got. */
async function readAtApp(door: Door, fields: string, name = 'x-forwarded-for'): Promise<string[]> {
  const answer = await sendRaw(door.port, `GET / HTTP/1.1\r\n${HEAD}${fields}\r\n`);
  const raw: string[] = JSON.parse(/\[.*\]/.exec(answer)?.[0] ?? 'null');
  return raw.filter((_, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === name);
}

describe('an element of X-Forwarded-For', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    [' 203.0.113.7\t', '203.0.113.7'],
    ['203.0.113.7:50123', '203.0.113.7'],
    ['2001:db8::1', '2001:db8::1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:cb00:7107', '203.0.113.7'],
    ['0:0:0:0:0:ffff:203.0.113.7', '203.0.113.7'],
    ['[::ffff:203.0.113.7]:80', '203.0.113.7'],
  ])('is read as proxies write it: %s', (element, address) => {
    expect(parseAddress(element)).toBe(address);
  });

  it.each([
    ...['', ' ', 'unknown', '_hidden', 'for=203.0.113.7', 'for="[2001:db8::1]"', '"203.0.113.7"', 'unix:'],
    ...['203.0.113', '203.0.113.256', '203.0.113.007', '0xcb.0.113.7', '3405803783', '203.0.113.7/32'],
    ...['203.0.113.7:', '203.0.113.7:http', '203.0.113.7:65536', '203.0.113.7:123456', '[203.0.113.7]'],
    ...['2001:db8::1::', '[2001:db8::1', '2001:db8::1]', '[]', '[[::1]]', '[::1]80', '::1]:80', '%eth0'],
    ...['203.0.113.7 203.0.113.8', '203.0.113.7\u0000', '203.0.113.7\n', '\u00a0203.0.113.7', 'localhost'],
    ...['٢٠٣.0.113.7', `fe80::1%${'a'.repeat(200)}`],
  ])('is no address if it is anything else: %j', element => {
    expect(parseAddress(element)).toBeUndefined();
  });

  it('gives an address in one form, or nothing, whatever it is', () => {
    const part = fc.constantFrom(
      '.',
      ':',
      '::',
      '[',
      ']',
      '%',
      'ffff',
      '255',
      '0',
      '1',
      ' ',
      'a',
      ',',
      '\u0000',
    );
    const hostile = fc.array(part, { maxLength: 20 }).map(parts => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(hostile, fc.string(), fc.ipV4(), fc.ipV6()), element => {
        const address = parseAddress(element);
        if (address === undefined) return;
        expect(isIP(address)).not.toBe(0);
        expect(parseAddress(address)).toBe(address);
        expect(parseAddress(address.includes(':') ? `[${address}]:1` : `${address}:1`)).toBe(address);
      }),
    );
  });

  it('is read from every address', () => {
    fc.assert(fc.property(fc.ipV4(), address => parseAddress(address) === address));
    fc.assert(fc.property(fc.ipV6(), address => parseAddress(address) !== undefined));
  });
});

it.each([
  ['203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['2001:db8:1::', '2001:db8:1:0'],
  ['2001:db8:1:2::', '2001:db8:1:2'],
  ['1::2:3:4:5:6', '1:0:0:2'],
  ['::1', '0:0:0:0'],
  ['::', '0:0:0:0'],
])('%s belongs to one visitor together with all of %s', (address, network) => {
  expect(cutHostPart(parseAddress(address) ?? '')).toBe(network);
});

describe('X-Forwarded-For', () => {
  it('is read at its end: a visitor may have sent everything before', () => {
    const raw = ['x-forwarded-for', '192.0.2.1', 'X-Forwarded-For', '192.0.2.2, 192.0.2.3 ,203.0.113.7'];
    expect(readForwardedFor(raw)).toEqual({ kind: 'address', address: '203.0.113.7' });
    expect(readForwardedFor([...raw, 'X-FORWARDED-FOR', ''])).toEqual({ kind: 'unreadable', element: '' });
    expect(readForwardedFor(['X-Forwarded-For', '203.0.113.7,'])).toMatchObject({ kind: 'unreadable' });
  });

  it('is not read from another field', () => {
    for (const name of ['X_Forwarded_For', 'X-Real-IP', 'Forwarded', 'X-Forwarded-Fox', ''])
      expect(readForwardedFor([name, '192.0.2.1'])).toEqual({ kind: 'absent' });
  });
});

describe('with `trusted-proxy`', () => {
  it.each([
    ['what the proxy has set', 'X-Forwarded-For: 203.0.113.7\r\n', ['203.0.113.7']],
    ['what the proxy has appended', 'X-Forwarded-For: 10.0.0.1, 203.0.113.7\r\n', ['203.0.113.7']],
    [
      'the last of several lines',
      'x-forwarded-for: 10.0.0.1\r\nX-Forwarded-For: 203.0.113.7\r\nX_Forwarded_For: 10.0.0.2\r\n',
      ['203.0.113.7'],
    ],
    ['the end of 1,000', `X-Forwarded-For: ${'10.0.0.1,'.repeat(1_000)}203.0.113.7\r\n`, ['203.0.113.7']],
    [
      'the address, although the visitor’s Connection names the field',
      'Connection: close, x-forwarded-for\r\nX-Forwarded-For: 203.0.113.7\r\n',
      ['203.0.113.7'],
    ],
    ['no name that is not an address', 'X-Forwarded-For: 10.0.0.1, unknown\r\n', []],
    ['nothing of another field', 'X-Real-IP: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\n', []],
    ['nothing if there is nothing', '', []],
  ])('the app gets %s', async (_, fields, expected) => {
    const door = await openEcho({ trustedProxy: true });
    expect(await readAtApp(door, fields)).toEqual(expected);
  });

  it('the log says once what is wrong with the field, and nothing of it can harm the log', async () => {
    const door = await openEcho({ trustedProxy: true });
    const hostile = `##[error]${'\u009b'.repeat(200)}`;
    for (const fields of [`X-Forwarded-For: 10.0.0.1,${hostile}\r\n`, 'X-Forwarded-For: other\r\n', '', ''])
      await readAtApp(door, fields);
    const [first = '', second = '', ...others] = door.log.filter(line => line.startsWith('warn'));
    expect(first).toContain("ends with '#\\x23[error]\\x9b");
    expect(first.length).toBeLessThan(400);
    expect(second).toContain('a request came without X-Forwarded-For');
    expect(others).toEqual([]);
  });

  it('the log names the address with what it says of a visitor', async () => {
    const away: AppState = {
      status: 'running',
      upstream: { kind: 'address', host: '127.0.0.1', port: 1, hostHeader: 'rewrite' },
    };
    const door = await openDoor(() => away, { rules: { trustedProxy: true } });
    closers.push(door.stop);
    const from = 'X-Forwarded-For: 203.0.113.7\r\nConnection: close\r\n';
    await sendRaw(door.port, `GET /${'a'.repeat(500)} HTTP/1.1\r\n${HEAD}${from}\r\n`);
    await sendRaw(door.port, `GET /b HTTP/1.1\r\nHost: evil.example\r\n${from}\r\n`);
    expect(door.log).toEqual([
      expect.stringMatching(/^debug no answer to GET \/a+… from 203\.0\.113\.7: .*ECONNREFUSED/),
      'debug refused GET /b from 203.0.113.7: this Host is not the address of this preview',
    ]);
  });

  it.each([
    ['in the link', { kind: 'link', key: KEY }, 'GET /?expose-key=wrong', ''],
    [
      'in the form',
      { kind: 'link', key: KEY },
      'POST /__expose/sign-in',
      'Content-Length: 9\r\n\r\nkey=wrong',
    ],
    [
      'as a password',
      { kind: 'basic', user: 'ada', password: KEY },
      'GET /',
      'Authorization: Basic YWRhOmE=\r\n',
    ],
  ] satisfies [string, Access, string, string][])(
    'the log names the address of wrong keys, the 1st and the 10th: %s',
    async (_, access, line, rest) => {
      const door = await openDoor(1, { rules: { trustedProxy: true, access } });
      closers.push(door.stop);
      const head = `${line} HTTP/1.1\r\n${HEAD}X-Forwarded-For: 203.0.113.7\r\n${rest}\r\n`;
      for (let attempt = 0; attempt < 12; attempt += 1) await sendRaw(door.port, head);
      // A visitor who has no key yet, and one whose address is not known.
      await sendRaw(door.port, `GET / HTTP/1.1\r\n${HEAD}X-Forwarded-For: 203.0.113.8\r\n\r\n`);
      expect(door.log.filter(text => text.startsWith('info'))).toEqual([
        'info a wrong key or password from 203.0.113.7',
        'info 10 wrong keys or passwords from 203.0.113.7 so far',
      ]);
      expect(door.log.join()).not.toContain('expose-key');
    },
  );

  it('the log stays short, however many addresses send wrong keys', async () => {
    const access: Access = { kind: 'link', key: KEY };
    const door = await openDoor(1, { rules: { trustedProxy: true, access } });
    closers.push(door.stop);
    for (let number = 0; number < 110; number += 1)
      await sendRaw(
        door.port,
        `GET /?expose-key=a HTTP/1.1\r\n${HEAD}X-Forwarded-For: 2001:db8::${number}\r\n\r\n`,
      );
    const lines = door.log.filter(text => text.startsWith('info'));
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toContain('from more than 100 addresses');
  });

  it.each([
    ['of 10,000 elements', '200', `X-Forwarded-For: ${','.repeat(10_000)}203.0.113.7\r\n`],
    // Node's limit is 16 KB.
    ['of 20 KB', '431', `X-Forwarded-For: ${'10.0.0.1,'.repeat(2_300)}203.0.113.7\r\n`],
    ['with NUL', '400', 'X-Forwarded-For: 203.0.113.7\u0000\r\n'],
    ['with a bare line feed', '400', 'X-Forwarded-For: 10.0.0.1\nX-Forwarded-For: 203.0.113.7\r\n'],
    ['that is folded', '400', 'X-Forwarded-For: 10.0.0.1,\r\n 203.0.113.7\r\n'],
  ])('a field %s is answered %s', async (_, status, fields) => {
    const door = await openEcho({ trustedProxy: true });
    const answer = await sendRaw(door.port, `GET / HTTP/1.1\r\n${HEAD}${fields}\r\n`);
    expect(answer.slice(0, 13)).toBe(`HTTP/1.1 ${status} `);
  });
});

it('without `trusted-proxy`, the app gets no address from a visitor', async () => {
  const door = await openEcho({});
  for (const name of ['X-Forwarded-For', 'x_forwarded_for', 'X-Real-IP'])
    expect(await readAtApp(door, `${name}: 10.0.0.1\r\n`, name.toLowerCase())).toEqual([]);
  expect(door.log).toEqual([]);
});
