// Clears what an earlier preview left in the visitor's browser under the same address: its service worker would keep
// serving that commit. Used by passes.ts and access.ts.

import { randomBytes } from 'node:crypto';
import type { HttpRequest } from '../../shared/http-message.ts';
import type { Visit } from '../visit.ts';
import { nameCookie, readCookies, renderCookie } from './session-cookie.ts';

/** Longer than any preview lasts. */
const SEEN_MAX_AGE_S = 7 * 24 * 60 * 60;

/** Service workers are part of storage; clearing `cache` as well can take a browser many seconds. */
const CLEAR = '"storage"';

/** `Sec-Fetch-Dest` of page loads, and of the check for a newer service worker, which the old one cannot intercept. */
const FIRST_REQUESTS: ReadonlySet<string> = new Set(['document', 'serviceworker']);

export class SiteData {
  /** Identifies this exposure in its visitors' browsers. */
  readonly #exposure = randomBytes(9).toString('base64url');

  /** Fields that clear the browser's storage, once for this exposure; browsers honour them only over https. */
  clearFor(request: HttpRequest, url: URL): [string, string][] {
    if (url.protocol !== 'https:' || this.#wasHere(request, url)) return [];
    const seen = renderCookie(url, nameCookie(url, 'seen'), this.#exposure, { maxAgeS: SEEN_MAX_AGE_S });
    return [
      ['clear-site-data', CLEAR],
      ['set-cookie', seen],
    ];
  }

  /** Adds the fields to the answer, if the request loads a page. */
  addFields({ request, address, ownHeaders }: Visit): void {
    if (address !== undefined && FIRST_REQUESTS.has(String(request.headers['sec-fetch-dest'])))
      ownHeaders.push(...this.clearFor(request, address.url));
  }

  #wasHere(request: HttpRequest, url: URL): boolean {
    return readCookies(request.headers.cookie, nameCookie(url, 'seen')).includes(this.#exposure);
  }
}
