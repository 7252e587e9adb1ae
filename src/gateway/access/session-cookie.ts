// The cookie of a visitor who has shown the key once. Used by access.ts, credentials.ts and site-data.ts.
//
// Cookies are not bound to a port (RFC 6265, 8.5): a server on another port of the same host receives ours. So the
// cookie never contains the key. It contains its expiry and a MAC over the address and the expiry, with a secret of
// this exposure, which is worthless anywhere else.

import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto';

/** A preview without an end ends with its job, and jobs on hosted runners last six hours. */
const MAX_AGE_MS = 24 * 60 * 60_000;

/** Matches every cookie name of ours, for any preview and port. These cookies are removed from requests to the app. */
const OWN_NAME = /^(?:__Host-)?expose-(?:session|seen)-\d{1,5}$/;

/** The cookies of one exposure. */
export class SessionCookies {
  /** New for each exposure: a cookie of another exposure is refused, even at the same address. */
  readonly #key = createSecretKey(randomBytes(32)); // a key object, because raw bytes would be prepared again at every request

  /** A `Set-Cookie` value for a visitor at `url`; valid until `endsAt`, or for a day. */
  issue(url: URL, endsAt: Date | undefined): string {
    const latest = Date.now() + MAX_AGE_MS;
    const expiresMs = Math.min(endsAt?.getTime() ?? latest, latest);
    const expires = Math.ceil(expiresMs / 1000);
    return renderCookie(url, nameCookie(url, 'session'), `${expires}.${this.#sign(url, expires)}`, {
      maxAgeS: Math.max(0, expires - Math.floor(Date.now() / 1000)),
    });
  }

  /** Whether the `Cookie` field has a session cookie of this exposure, for this address, that has not expired. */
  accepts(header: string | undefined, url: URL): boolean {
    return readCookies(header, nameCookie(url, 'session')).some(value => this.#isValid(value, url));
  }

  #isValid(value: string, url: URL): boolean {
    const [, expires, mac] = /^(\d{1,12})\.([\w-]{43})$/.exec(value) ?? [];
    if (expires === undefined || mac === undefined || Number(expires) * 1000 <= Date.now()) return false;
    return timingSafeEqual(Buffer.from(mac), Buffer.from(this.#sign(url, Number(expires))));
  }

  #sign(url: URL, expires: number): string {
    return createHmac('sha256', this.#key).update(`session\n${url.origin}\n${expires}`).digest('base64url');
  }
}

/** The name contains the port, so that two previews on one host do not sign out each other's visitors. */
export function nameCookie(url: URL, purpose: 'session' | 'seen'): string {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  // The prefix makes browsers refuse a cookie set by another host (RFC 6265bis, 4.1.3.2); it requires Secure.
  return `${url.protocol === 'https:' ? '__Host-' : ''}expose-${purpose}-${port}`;
}

/** `SameSite=Lax`, because a click on the link in the comment comes from another site, and must send the cookie. */
export function renderCookie(
  url: URL,
  name: string,
  value: string,
  { maxAgeS }: { maxAgeS: number },
): string {
  const secure = url.protocol === 'https:' ? '; Secure' : '';
  return `${name}=${value}; Path=/; Max-Age=${maxAgeS}; HttpOnly; SameSite=Lax${secure}`;
}

/** All values of that name, because a page on another port can put a cookie of the same name in front. */
export function readCookies(header: string | undefined, name: string): string[] {
  return splitCookies(header ?? '').flatMap(pair =>
    pair.startsWith(`${name}=`) ? pair.slice(name.length + 1) : [],
  );
}

/** A `Cookie` field without our cookies; '' if nothing is left. */
export function withoutOwnCookies(header: string): string {
  return splitCookies(header)
    .filter(pair => !OWN_NAME.test(pair.split('=', 1)[0] ?? ''))
    .join('; ');
}

function splitCookies(header: string): string[] {
  return header
    .split(';')
    .map(pair => pair.trim())
    .filter(pair => pair !== '');
}
