// The key, password or session that a visitor sends: reads it from the request, and removes it so that the app does not
// see it. Used by access.ts and passes.ts. exposure.ts makes the link with the key here.

import type { HttpRequest } from '../../shared/http-message.ts';
import { rewriteFields } from '../raw-headers.ts';
import { readTarget } from '../visit.ts';
import { OWN_MARK, withoutOwnCookies } from './session-cookie.ts';

/** The query parameter of the link that contains the key. */
const KEY_PARAMETER = 'expose-key';

/** The link to open: `url` (no trailing slash) with the key. */
export function renderKeyLink(url: string, key: string): string {
  return `${url}/?${KEY_PARAMETER}=${encodeURIComponent(key)}`;
}

/**
 * Removes the key's parameter from a request target; the rest stays byte for byte. `key` is the value of the first one,
 * or undefined if there is none.
 */
export function splitKey(target: string): { key: string | undefined; rest: string } {
  const start = target.indexOf('?');
  if (start === -1 || !target.includes(KEY_PARAMETER, start)) return { key: undefined, rest: target };
  const pairs = target.slice(start + 1).split('&');
  const isKey = (pair: string) => pair === KEY_PARAMETER || pair.startsWith(`${KEY_PARAMETER}=`);
  const found = pairs.find(isKey);
  if (found === undefined) return { key: undefined, rest: target };
  const others = pairs.filter(pair => !isKey(pair)).join('&');
  const path = target.slice(0, start);
  return {
    key: decode(found.slice(KEY_PARAMETER.length + 1)),
    rest: others === '' ? path : `${path}?${others}`,
  };
}

/** As forms encode it: `+` is a space. A value that is not encoded correctly is taken as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

/** Returns the key in the query, and removes it from the request's target and from its `Referer`. */
export function takeKey(request: HttpRequest): string | undefined {
  const { key, rest } = splitKey(readTarget(request));
  if (key !== undefined) request.url = rest;
  const { referer } = request.headers;
  // A page that could not be redirected, such as the answer to a form, keeps the key in its address.
  if (referer?.includes(KEY_PARAMETER)) {
    rewriteFields(request.rawHeaders, 'referer', value => splitKey(value).rest);
    request.headers.referer = splitKey(referer).rest;
  }
  return key;
}

/** The token of `Authorization: Bearer` (RFC 6750, 2.1), or undefined. */
export function readBearer(authorization: string): string | undefined {
  return /^bearer +(\S+) *$/i.exec(authorization)?.[1];
}

/** The value of `Authorization` with this token. */
export function renderBearer(token: string): string {
  return `Bearer ${token}`;
}

/** `user:password` of `Authorization: Basic` (RFC 7617), or undefined. */
export function readBasic(authorization: string): string | undefined {
  const encoded = /^basic +([\w+/=-]+) *$/i.exec(authorization)?.[1];
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8');
}

/** The value of `Authorization` with this `user:password`, as browsers and curl write it. */
export function renderBasic(credential: string): string {
  return `Basic ${Buffer.from(credential).toString('base64')}`;
}

/** Removes `Authorization`. To be called only if it contains a credential of the gateway. */
export function dropAuthorization(request: HttpRequest): void {
  rewriteFields(request.rawHeaders, 'authorization', () => '');
  request.headers.authorization = undefined;
}

/** Removes our cookies from the request, including those of other previews on the same host. */
export function dropOwnCookies(request: HttpRequest): void {
  const { cookie } = request.headers;
  if (!cookie?.includes(OWN_MARK)) return;
  const rest = withoutOwnCookies(cookie);
  rewriteFields(request.rawHeaders, 'cookie', value => (value === cookie ? rest : withoutOwnCookies(value)));
  request.headers.cookie = rest === '' ? undefined : rest;
}
