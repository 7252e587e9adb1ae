// The answer to plain HTTP on a port that speaks TLS; used by gateway.ts. The app never hears of such a request.

import { sendText } from './own-pages.ts';
import { readTarget, type Visit } from './visit.ts';

/**
 * A redirect to the same path of the public address, never to a host the visitor named. Only for GET and HEAD: whatever
 * has a body was sent in the clear already, and is to fail visibly.
 */
export function sendToHttps(visit: Visit): boolean {
  const { request, upgrade, address } = visit;
  const publicUrl = address?.url;
  const mayRepeat = upgrade === undefined && (request.method === 'GET' || request.method === 'HEAD');
  const close = { connection: 'close' };
  if (!mayRepeat || publicUrl?.protocol !== 'https:') {
    sendText(visit, 403, 'only https is spoken here\n', close);
    return true;
  }
  const location = `${publicUrl.origin}${readTarget(request)}`;
  sendText(visit, 308, `only https is spoken here: ${location}\n`, { ...close, location });
  return true;
}
