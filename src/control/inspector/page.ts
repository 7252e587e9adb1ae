// Serves the inspector's page, to anybody: it holds no data. The page takes the key from the fragment of its URL, which
// browsers do not send, and reads the data with it. Used by api.ts.

import type { HttpRequest, HttpResponse } from '../../shared/http-message.ts';
import { readPageFiles } from './files.ts';

/** Only the files of the page itself run, and nothing that a stranger sent can become markup (Trusted Types). */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** Answers if the request is for a file of the page; otherwise returns false. */
export function sendPage(request: HttpRequest, response: HttpResponse, path: string): boolean {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const files = readPageFiles();
  const file = isRead && Object.hasOwn(files, path) ? files[path] : undefined;
  if (file === undefined) return false;
  response.writeHead(200, {
    'Content-Type': file.type,
    'Content-Length': Buffer.byteLength(file.text),
    'Cache-Control': 'no-store',
    'Content-Security-Policy': POLICY,
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
  });
  response.end(request.method === 'HEAD' ? undefined : file.text);
  return true;
}
