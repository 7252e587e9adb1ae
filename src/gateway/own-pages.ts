// The gateway's own paths under /__expose/, apart from the sign-in (access.ts), and its short answers in plain text. No
// page there accepts a cookie as authorization, because the app shares the origin. Used by passes.ts, and `sendText` by
// others.

import type { HttpRequest } from '../shared/http-message.ts';
import { FORWARDED_FOR_QUESTION, type ForwardedForAnswer, PROBE_PATH, renderProof } from './probe.ts';
import { readPath, readTarget, type Visit } from './visit.ts';

const OWN_FOLDER = '/__expose';

/** The answer to a probe (see probe.ts); undefined if the request is not a probe. */
export function readProof(
  request: HttpRequest,
  proofKey: Buffer,
  readForwardedFor: () => ForwardedForAnswer | undefined = () => undefined,
): string | undefined {
  if (request.method !== 'GET' || readPath(request) !== PROBE_PATH) return undefined;
  const query = new URLSearchParams(readTarget(request).slice(PROBE_PATH.length));
  const forwardedFor = query.has(FORWARDED_FOR_QUESTION) ? readForwardedFor() : undefined;
  return renderProof(proofKey, query.get('challenge') ?? '', forwardedFor);
}

/** Whether the gateway answers this path itself. */
export function isOwnPath(path: string): boolean {
  return path === OWN_FOLDER || path.startsWith(`${OWN_FOLDER}/`);
}

/** Sends a short answer in plain text, which is not cached. */
export function sendText(
  { response }: Visit,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(text);
}
