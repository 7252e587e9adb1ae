// The answer to CORS preflights that have no key. A browser sends one before a request of another origin that has a
// header such as `Authorization`, and never puts a credential into it (Fetch Standard, 4.8). So without this answer, no
// page could send the key to a preview at another address. Used by access.ts.
//
// The answer is constant and does not come from the app, so it tells nothing about it. It allows every request, but
// without cookies and passwords (`*`, and no Access-Control-Allow-Credentials). What a page can send then, everybody can
// send with curl, and it needs the key like any other request. The app's own fields decide whether the page may read
// the answer. Pages of the internet still may not reach a private network: Access-Control-Allow-Private-Network is
// missing.

import type { HttpRequest } from '../../shared/http-message.ts';
import type { Visit } from '../visit.ts';

/** How long browsers need not ask again; a preview that ends soon should not leave a permission behind for long. */
const MAX_AGE_S = 600;

/** Lets pages of any origin read an answer, if the request had no cookie and no password of the browser. */
export const READABLE_BY_ALL = { 'access-control-allow-origin': '*' };

/** A CORS preflight, as the Fetch Standard, 3.3.2 defines it. */
export function isPreflight({ method, headers }: HttpRequest): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  );
}

/** Closes the connection, as every answer to a visitor without the key does. */
export function sendPreflight({ response }: Visit): void {
  response.writeHead(204, {
    ...READABLE_BY_ALL,
    'access-control-allow-methods': '*',
    // `*` does not include Authorization (Fetch Standard, 4.8).
    'access-control-allow-headers': '*, Authorization',
    'access-control-max-age': String(MAX_AGE_S),
    'cache-control': 'no-store',
    connection: 'close',
  });
  response.end();
}
