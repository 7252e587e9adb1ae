// The answer to plain HTTP on a port that speaks TLS. Used by passes.ts; such a request never reaches the app.

import { sendText } from './own-pages.ts';
import { readTarget, type Visit } from './visit.ts';

/**
 * Redirects to the same path of the public address, never to a host that the request names. Only GET and HEAD are
 * redirected: any other request may already have sent a body unencrypted, and should fail visibly.
 */
export function sendToHttps(visit: Visit): void {
  const { request, upgrade, address } = visit;
  const publicUrl = address?.url;
  const mayRepeat = upgrade === undefined && (request.method === 'GET' || request.method === 'HEAD');
  const close = { connection: 'close' };
  if (!mayRepeat || publicUrl?.protocol !== 'https:') {
    sendText(visit, 403, 'only https is supported here\n', close);
    return;
  }
  const location = `${publicUrl.origin}${readTarget(request)}`;
  sendText(visit, 308, `only https is supported here: ${location}\n`, { ...close, location });
}
