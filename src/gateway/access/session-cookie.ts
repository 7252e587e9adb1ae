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

/** In each of these names. */
export const OWN_MARK = 'expose-';

/** Signatures kept for one address, of some 200 bytes each: visitors whose cookies are of one second share one. */
const MAX_SIGNATURES = 2_000;

/** The characters of a signature: 32 bytes in base64url. */
const MAC_LENGTH = 43;

/** Expiry and signature. */
const VALUE = /^\d{1,12}\.[\w-]{43}$/;

/** Where the signature of a cookie is compared. */
const compared = Buffer.alloc(MAC_LENGTH);

/** What depends only on the address. It is made anew for another one, so nothing known holds at two addresses. */
interface Place {
  readonly url: URL;
  readonly origin: string;
  readonly name: string;
  /** The expiry of a right cookie, as it is written there → the MAC. Text of wrong cookies is never kept. */
  readonly signatures: Map<string, Buffer>;
  /** The newest `Set-Cookie` value, and what it was made from. */
  issued?: { second: number; expires: number; field: string };
}

/**
 * The cookies of one exposure. A visitor sends its cookie with each request, and a program that sends a password and no
 * cookie is issued one each time: what was computed for one request is remembered for the next.
 */
export class SessionCookies {
  /** New for each exposure: a cookie of another exposure is refused, even at the same address. */
  readonly #key = createSecretKey(randomBytes(32)); // a key object, because raw bytes would be prepared again at every request
  #place: Place | undefined;

  /** A `Set-Cookie` value for a visitor at `url`; valid until `endsAt`, or for a day. */
  issue(url: URL, endsAt: Date | undefined): string {
    const place = this.#findPlace(url);
    const now = Date.now();
    const latest = now + MAX_AGE_MS;
    const expires = Math.ceil(Math.min(endsAt?.getTime() ?? latest, latest) / 1000);
    const second = Math.floor(now / 1000);
    const { issued } = place;
    if (issued?.second === second && issued.expires === expires) return issued.field;
    const value = `${expires}.${this.#sign(place, expires)}`;
    const field = renderCookie(url, place.name, value, { maxAgeS: Math.max(0, expires - second) });
    place.issued = { second, expires, field };
    return field;
  }

  /** Whether the `Cookie` field has a session cookie of this exposure, for this address, that has not expired. */
  accepts(header: string | undefined, url: URL): boolean {
    if (header === undefined) return false;
    const place = this.#findPlace(url);
    return readCookies(header, place.name).some(value => this.#isValid(value, place));
  }

  /** How many signatures are remembered. */
  get size(): number {
    return this.#place?.signatures.size ?? 0;
  }

  #findPlace(url: URL): Place {
    if (this.#place?.url !== url)
      this.#place = { url, origin: url.origin, name: nameCookie(url, 'session'), signatures: new Map() };
    return this.#place;
  }

  #isValid(value: string, place: Place): boolean {
    const dot = value.indexOf('.');
    const expires = value.slice(0, dot);
    const mac = value.slice(dot + 1);
    const known = place.signatures.get(expires);
    if (known === undefined && !VALUE.test(value)) return false;
    if (mac.length !== MAC_LENGTH || Number(expires) * 1000 <= Date.now()) return false;
    const right = known ?? Buffer.from(this.#sign(place, Number(expires)), 'latin1');
    compared.write(mac, 'latin1');
    const isRight = timingSafeEqual(compared, right);
    if (isRight && known === undefined) remember(place.signatures, expires, right);
    return isRight;
  }

  #sign({ origin }: Place, expires: number): string {
    return createHmac('sha256', this.#key).update(`session\n${origin}\n${expires}`).digest('base64url');
  }
}

/** Forgets the oldest one if there are too many. */
function remember(signatures: Map<string, Buffer>, expires: string, mac: Buffer): void {
  const [oldest] = signatures.keys();
  if (signatures.size >= MAX_SIGNATURES && oldest !== undefined) signatures.delete(oldest);
  signatures.set(expires, mac);
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
  const values: string[] = [];
  if (header?.includes(name) !== true) return values;
  forEachCookie(header, pair => {
    if (pair.startsWith(name) && pair[name.length] === '=') values.push(pair.slice(name.length + 1));
  });
  return values;
}

/** A `Cookie` field without our cookies; '' if nothing is left. */
export function withoutOwnCookies(header: string): string {
  const others: string[] = [];
  forEachCookie(header, pair => {
    if (!pair.includes(OWN_MARK) || !OWN_NAME.test(pair.split('=', 1)[0] ?? '')) others.push(pair);
  });
  return others.join('; ');
}

/** Calls `onPair` for each `name=value`. */
function forEachCookie(header: string, onPair: (pair: string) => void): void {
  for (const part of header.split(';')) {
    const pair = part.trim();
    if (pair !== '') onPair(pair);
  }
}
