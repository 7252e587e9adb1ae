// Sends a notice as HTML, JSON or plain text, whichever the visitor accepts. Used by the gateway's passes.

import type { Visit } from '../visit.ts';
import type { Notice } from './notice.ts';
import { renderJson, renderPage, renderPolicy, renderText } from './page.ts';

/** HTML only if `Accept` names it: for a browser's page, not for its scripts, styles and images, nor for curl. */
export function sendNotice(
  { request, response }: Visit,
  notice: Notice,
  headers: Record<string, string> = {},
): void {
  const [type, body] = render(request.headers.accept ?? '', notice);
  response.writeHead(notice.status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'content-security-policy': renderPolicy(notice),
    // The sign-in form needs the address of its page, to lead back there; nothing else needs a Referer.
    'referrer-policy': notice.keyForm === undefined ? 'no-referrer' : 'same-origin',
    ...(notice.retryAfterS !== undefined && { 'retry-after': String(notice.retryAfterS) }),
    vary: 'accept',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(body);
}

function render(accept: string, notice: Notice): [type: string, body: string] {
  if (/\btext\/html\b/i.test(accept)) return ['text/html; charset=utf-8', renderPage(notice)];
  if (/\bapplication\/(?:[\w.-]+\+)?json\b/i.test(accept)) return ['application/json', renderJson(notice)];
  return ['text/plain; charset=utf-8', renderText(notice)];
}
