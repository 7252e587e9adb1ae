// Whether another site made the browser send a request, and the answer to such a request. Used by access.ts.

import { sendNotice } from '../pages/answer.ts';
import { describeForeignRequest } from '../pages/notice.ts';
import type { Visit } from '../visit.ts';

/** Methods that only read (RFC 9110, 9.2.1): a page of any other site can make a browser send them. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Which page sent a request:
 * - `own`: a page of this preview, or a program that is not a browser. Or it makes no difference, because the request
 *   only reads.
 * - `foreign`: a page of another site, or of another port of the same host.
 * - `unnamed`: the browser does not say.
 */
type Sender = 'own' | 'foreign' | 'unnamed';

/** Whether the request may come from another site. */
export const isCrossSite = (visit: Visit): boolean => findSender(visit) !== 'own';

/** True if the request may come from another site: it has then been refused with 403. */
export function refuseCrossSite(visit: Visit): boolean {
  const sender = findSender(visit);
  if (sender === 'own') return false;
  sendNotice(visit, describeForeignRequest(sender), { connection: 'close' });
  return true;
}

/**
 * `SameSite` does not tell: another port of the same host is the same site. Every browser sends `Origin` with methods
 * that are not safe, and with WebSockets (Fetch Standard, 3.2).
 */
function findSender({ request, upgrade, address }: Visit): Sender {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin === undefined || (SAFE.has(request.method ?? '') && upgrade === undefined)) return 'own';
  if (address?.origins.has(origin.toLowerCase())) return 'own';
  // Forms of a page with `Referrer-Policy: no-referrer` send `null`, and so do sandboxed pages of any site. Over https
  // Sec-Fetch-Site tells them apart, and no script can set it (Fetch Metadata, 2.3; Fetch Standard, 2.2.2).
  if (origin !== 'null') return 'foreign';
  if (site === undefined) return 'unnamed';
  return site === 'same-origin' ? 'own' : 'foreign';
}
