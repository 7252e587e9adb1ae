// Sends a notice in the form its reader asked for; used by the gateway's passes.

import type { Visit } from '../visit.ts';
import type { Notice } from './notice.ts';
import { renderJson, renderPage, renderPolicy, renderText } from './page.ts';

/** HTML only for those who name it: a browser's page, not its scripts, styles and images, nor curl. */
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
    // A form is told where its page was, so that it can lead back there; nobody else is told anything.
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
