// What the gateway answers itself under /__expose/, beside signing in (access.ts). Nothing there takes a cookie as
// authority: the app shares the origin.

import { PROBE_PATH, renderProof } from './probe.ts';
import { readPath, readTarget, type Visit } from './visit.ts';

const OWN_FOLDER = '/__expose';

/**
 * True for a challenge, which needs no key: it is our own way of finding out where an address leads. The connection ends
 * with it, for an unauthenticated visitor could else fill our buffers with answers it does not read.
 */
export function answerProbe(visit: Visit, proofKey: Buffer): boolean {
  const proof = readPath(visit.request) === PROBE_PATH ? readProof(visit, proofKey) : undefined;
  if (proof === undefined) return false;
  sendText(visit, 200, proof, { connection: 'close' });
  return true;
}

/** True for all else under /__expose, which never reaches the app. */
export function refuseOwnPath(visit: Visit): boolean {
  const path = readPath(visit.request);
  if (path !== OWN_FOLDER && !path.startsWith(`${OWN_FOLDER}/`)) return false;
  sendText(visit, 404, 'not found\n');
  return true;
}

function readProof({ request }: Visit, proofKey: Buffer): string | undefined {
  const query = new URLSearchParams(readTarget(request).slice(PROBE_PATH.length));
  return request.method === 'GET' ? renderProof(proofKey, query.get('challenge') ?? '') : undefined;
}

/** A short answer of the gateway's own, as plain text that nobody keeps. */
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
