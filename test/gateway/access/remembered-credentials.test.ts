import crypto, { createHmac } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SessionCookies } from '../../../src/gateway/access/session-cookie.ts';
import type { GatewayRules } from '../../../src/gateway/gateway.ts';
import type { PublicAddress } from '../../../src/gateway/own-address.ts';
import { createComparison } from '../../../src/shared/secrets.ts';
import { useClosers } from '../../support/closers.ts';
import { openDoor, sendRaw } from '../../support/gateway-door.ts';
import { startRawApp } from '../../support/raw-app.ts';

// What was computed for one request is remembered for the next ones. These tests hold that nobody gets in by that.

const KEY = 'K3y-of-this-preview_0123456789';
const LINK: GatewayRules['access'] = { kind: 'link', key: KEY };
const BASIC: GatewayRules['access'] = { kind: 'basic', user: 'ada', password: 'correct horse' };
const PASSWORD = `Authorization: Basic ${btoa('ada:correct horse')}`;

const closers = useClosers();
afterEach(() => {
  vi.useRealTimers();
});

/** `ask` sends the requests, each with one credential, on one connection, and returns the statuses. */
async function open(access: GatewayRules['access'], options: Parameters<typeof openDoor>[1] = {}) {
  const app = await startRawApp();
  const door = await openDoor(app.port, { rules: { access }, ...options });
  closers.push(app.stop, door.stop);
  const send = (lines: readonly string[], host: string) => {
    const requests = lines.map(line => `GET / HTTP/1.1\r\nHost: ${host}\r\n${line}\r\n\r\n`);
    const last = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${lines.at(-1)}\r\n\r\n`;
    return sendRaw(door.port, [...requests, last].join(''));
  };
  const ask = async (lines: readonly string[], host = 'bore.example:4321') =>
    [...(await send(lines, host)).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
  const signIn = async (host = 'bore.example:4321') => {
    const line = `GET /?expose-key=${KEY} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    return `Cookie: ${/^set-cookie: ([^;\r]*)/im.exec(await sendRaw(door.port, line))?.[1]}`;
  };
  return { app, ask, signIn };
}

describe('a connection on which a credential was right', () => {
  it.each([
    ['a changed signature', (cookie: string) => cookie.replace(/.$/, end => (end === 'A' ? 'B' : 'A'))],
    ['a later expiry', (cookie: string) => cookie.replace(/=(\d+)/, (_, expiry) => `=${Number(expiry) + 1}`)],
    ['an expiry with a zero in front', (cookie: string) => cookie.replace('=', '=0')],
    ['a longer signature', (cookie: string) => `${cookie}A`],
    ['a shorter signature', (cookie: string) => cookie.slice(0, -1)],
    ['no signature', (cookie: string) => cookie.replace(/\..*/, '.')],
    ['another name', (cookie: string) => cookie.replace('4321', '4322')],
  ])('gets no further with a cookie that has %s, and the right one is still right', async (title, change) => {
    const { ask, signIn } = await open(LINK);
    const cookie = await signIn();
    const isSameNumber = title === 'an expiry with a zero in front';
    expect(await ask([cookie, cookie, change(cookie)])).toEqual(
      isSameNumber ? [200, 200, 200, 200] : [200, 200, 401],
    );
    expect(await ask([cookie])).toEqual([200, 200]);
  });

  it.each([
    ['password', BASIC, PASSWORD, `Authorization: Basic ${btoa('ada:correct hors3')}`],
    ['longer password', BASIC, PASSWORD, `Authorization: Basic ${btoa('ada:correct horse ')}`],
    ['shorter password', BASIC, PASSWORD, `Authorization: Basic ${btoa('ada:correct hors')}`],
    ['key', LINK, `Authorization: Bearer ${KEY}`, `Authorization: Bearer ${KEY.replace('K', 'k')}`],
    ['scheme', LINK, `Authorization: Bearer ${KEY}`, `Authorization: Basic ${KEY}`],
  ])('gets no further with another %s, and the right one is still right', async (_, access, right, wrong) => {
    const { app, ask } = await open(access);
    expect(await ask([right, right, wrong])).toEqual([200, 200, 401]);
    expect(await ask([right])).toEqual([200, 200]);
    expect(app.seen).not.toMatch(/authorization/i);
  });

  it.each([
    ['in capitals', PASSWORD.replace('Basic', 'BASIC')],
    ['with spaces', PASSWORD.replace('Basic', 'Basic   ')],
    ['without the padding of Base64', PASSWORD.replace(/=+$/, '')],
  ])('is let in with the password written otherwise: %s', async (_, written) => {
    const { app, ask } = await open(BASIC);
    expect(await ask([PASSWORD, written])).toEqual([200, 200, 200]);
    expect(app.seen).not.toMatch(/authorization/i);
  });
});

describe('a cookie that was right', () => {
  it('is refused once it has expired, also on the same connection', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const endsAt = new Date(Date.now() + 60_000);
    const { ask, signIn } = await open(LINK, { endsAt: () => endsAt });
    const cookie = await signIn();
    expect(await ask([cookie, cookie])).toEqual([200, 200, 200]);
    vi.setSystemTime(endsAt.getTime() + 1_000);
    expect(await ask([cookie])).toEqual([401]);
    vi.setSystemTime(endsAt.getTime() - 1_000);
    expect(await ask([cookie])).toEqual([200, 200]);
  });

  it('is refused at another address of the same exposure, and right again at its own', async () => {
    const first: PublicAddress = { url: 'http://bore.example:4321', host: 'bore.example', port: 4321 };
    const second: PublicAddress = { url: 'http://other.example:4321', host: 'other.example', port: 4321 };
    let place = first;
    const { ask, signIn } = await open(LINK, { place: () => place });
    const cookie = await signIn();
    expect(await ask([cookie])).toEqual([200, 200]);
    place = second;
    expect(await ask([cookie], 'other.example:4321')).toEqual([401]);
    const other = await signIn('other.example:4321');
    expect(await ask([other], 'other.example:4321')).toEqual([200, 200]);
    place = first;
    expect(await ask([other])).toEqual([401]);
    expect(await ask([cookie])).toEqual([200, 200]);
  });

  it('is refused by another exposure at the same address', async () => {
    const one = await open(LINK);
    const other = await open(LINK);
    const cookie = await one.signIn();
    expect(await one.ask([cookie])).toEqual([200, 200]);
    expect(await other.ask([cookie])).toEqual([401]);
  });
});

describe('what is remembered of cookies', () => {
  const url = new URL('http://bore.example:4321');
  const name = 'expose-session-4321';

  it('does not grow by wrong ones, however many come', () => {
    const cookies = new SessionCookies();
    const right = cookies.issue(url, undefined).split(';')[0];
    expect(cookies.accepts(right, url)).toBe(true);
    const mac = createHmac('sha256', 'a key of the attacker').digest('base64url');
    const later = Math.floor(Date.now() / 1000) + 1_000;
    for (let index = 0; index < 100_000; index += 1)
      if (cookies.accepts(`${name}=${later + index}.${mac}`, url))
        throw new Error('a wrong cookie was right');
    expect(cookies.size).toBe(1);
    expect(cookies.accepts(right, url)).toBe(true);
  });

  it('stays within its limit, however many right ones come, and all of them stay right', () => {
    const cookies = new SessionCookies();
    const start = Date.now();
    const issued = Array.from(
      { length: 5_000 },
      (_, second) => cookies.issue(url, new Date(start + (second + 60) * 1_000)).split(';')[0],
    );
    expect(new Set(issued).size).toBe(5_000);
    for (const cookie of issued) expect(cookies.accepts(cookie, url)).toBe(true);
    expect(cookies.size).toBe(2_000);
    for (const cookie of issued) expect(cookies.accepts(cookie, url)).toBe(true);
    expect(cookies.size).toBe(2_000);
  });

  it('never lets an issued cookie outlast the exposure, whose end may change', () => {
    const cookies = new SessionCookies();
    const now = Date.now();
    const readExpiry = (endsAt: Date | undefined) => Number(/=(\d+)\./.exec(cookies.issue(url, endsAt))?.[1]);
    expect(readExpiry(undefined)).toBeGreaterThan(now / 1000 + 86_000);
    expect(readExpiry(new Date(now + 60_000))).toBe(Math.ceil((now + 60_000) / 1000));
    expect(readExpiry(new Date(now + 30_000))).toBe(Math.ceil((now + 30_000) / 1000));
  });
});

describe('the comparison of a credential', () => {
  it('is right for the same text only', () => {
    const text = fc.string({ unit: 'binary-ascii', maxLength: 600 });
    fc.assert(
      fc.property(text, text, (wanted, other) => {
        const isRight = createComparison(wanted);
        expect([isRight(wanted), isRight(other), isRight(wanted)]).toEqual([true, wanted === other, true]);
      }),
    );
  });

  it.each(['', 'a', 'é', 'x'.repeat(255), 'x'.repeat(256), 'é'.repeat(128), 'x'.repeat(5_000)])(
    'distinguishes texts that are cut, longer, or end with NUL: length %#',
    wanted => {
      const isRight = createComparison(wanted);
      expect(isRight(wanted)).toBe(true);
      for (const other of [`${wanted}\0`, `${wanted}x`, `${wanted}${'\0'.repeat(256)}`, `x${wanted}`])
        expect(isRight(other)).toBe(false);
      if (wanted !== '') expect([isRight(''), isRight(wanted.slice(0, -1))]).toEqual([false, false]);
    },
  );

  it('is always done in constant time, for guesses of any kind (timing)', async () => {
    const { ask, signIn } = await open(LINK);
    const cookie = await signIn();
    expect(await ask([cookie])).toEqual([200, 200]);
    const own = crypto.timingSafeEqual;
    let calls = 0;
    crypto.timingSafeEqual = (one, other) => {
      calls += 1;
      return own(one, other);
    };
    syncBuiltinESMExports();
    try {
      for (const line of [
        cookie,
        cookie.replace(/.{20}$/, 'A'.repeat(20)),
        `Authorization: Bearer ${KEY}x`,
      ]) {
        calls = 0;
        await ask([line]);
        expect(calls).toBeGreaterThan(0);
      }
    } finally {
      crypto.timingSafeEqual = own;
      syncBuiltinESMExports();
    }
  });
});
