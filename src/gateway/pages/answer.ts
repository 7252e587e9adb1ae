// Sends a notice in the form that the visitor accepts: HTML, JSON or plain text. Used by the gateway's passes.

import type { HttpRequest } from '../../shared/http-message.ts';
import type { Visit } from '../visit.ts';
import { type Notice, withoutReload } from './notice.ts';
import { renderJson, renderPage, renderPolicy, renderText } from './page.ts';

/** Whether `Accept` names HTML. Browsers name it for pages, not for scripts, styles and images; curl does not. */
export function wantsPage({ headers }: HttpRequest): boolean {
  return /\btext\/html\b/i.test(headers.accept ?? '');
}

export function sendNotice(
  { request, response }: Visit,
  notice: Notice,
  headers: Record<string, string> = {},
): void {
  const [type, body] = render(request, canRepeat(request) ? notice : withoutReload(notice));
  response.writeHead(notice.status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'content-security-policy': renderPolicy(notice),
    // The sign-in needs a Referer to lead back to the page with the form; no other page needs one.
    'referrer-policy': notice.keyForm === undefined ? 'no-referrer' : 'same-origin',
    ...(notice.retryAfterS !== undefined && { 'retry-after': String(notice.retryAfterS) }),
    vary: 'accept',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(body);
}

/** A page reloads itself with GET: it would lose what another method has sent. */
function canRepeat({ method }: HttpRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

function render(request: HttpRequest, notice: Notice): [type: string, body: string] {
  if (wantsPage(request)) return ['text/html; charset=utf-8', renderPage(notice)];
  if (/\bapplication\/(?:[\w.-]+\+)?json\b/i.test(request.headers.accept ?? ''))
    return ['application/json', renderJson(notice)];
  return ['text/plain; charset=utf-8', renderText(notice)];
}
