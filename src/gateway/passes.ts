// Everything that happens to a request. Each step is one function, a pass; two lists give their order. Run by
// gateway.ts.

import { dropOwnCookies } from './access/credentials.ts';
import { checkAccess, verifySignature } from './access/pass.ts';
import { BodyTooLarge, sendTooLarge } from './body-limit.ts';
import { findRefusal } from './guard.ts';
import { sendToHttps } from './https-only.ts';
import { isOwnPath, readProof, sendText } from './own-pages.ts';
import type { Pass, PassContext } from './pass.ts';
import { classifyAddress } from './probe.ts';
import { answerWhileAway, forwardToApp } from './upstream/pass.ts';
import { describeVisit, readPath, type Visit } from './visit.ts';
import { cutHostPart } from './visitor-address.ts';
import { keepForLater, mayKeep } from './webhooks/queue/pass.ts';
import {
  BEHIND_MALFORMED,
  describeMalformed,
  describeRefusedBody,
  PLAIN_HTTP,
} from './webhooks/record/refusals.ts';

/** The passes for each request: over TLS if the gateway has a certificate, otherwise over plain HTTP. */
export const PASSES: readonly Pass[] = [
  readVisitorAddress,
  startRecording,
  refuseMalformed,
  answerProbe,
  checkAccess,
  verifySignature,
  clearSiteData,
  removeOwnCookies,
  refuseOwnPath,
  countVisit,
  refuseLargeBody,
  queueWhileAway,
  answerWhileAway,
  forwardToApp,
];

/** The passes for each request over plain HTTP if the gateway has a certificate. */
export const PLAIN_PASSES: readonly Pass[] = [
  readVisitorAddress,
  startRecording,
  refuseMalformed,
  redirectToHttps,
];

/** Before all others: whatever happens to the request, record and log say where it came from. */
function readVisitorAddress(visit: Visit, { addresses }: PassContext): boolean {
  if (addresses === undefined) return false;
  const address = addresses.read(visit.request);
  visit.visitorAddress = address;
  visit.nameVisitor(address && cutHostPart(address));
  return false;
}

/** From here on, a request on a captured path is recorded, whatever happens to it. */
function startRecording(visit: Visit, { recorder }: PassContext): boolean {
  visit.recording = recorder?.start(visit);
  return false;
}

/**
 * Refuses with 4xx or 5xx what two HTTP implementations could read differently (see guard.ts), and closes the
 * connection. Drops the requests behind it in the same packet, because Node still emits them.
 */
function refuseMalformed(visit: Visit, { access, rejectedConnections, logger }: PassContext): boolean {
  const { request, recording } = visit;
  const { socket } = request;
  const isBehind = rejectedConnections.has(socket);
  const refusal = isBehind ? undefined : findRefusal(visit);
  if (!isBehind && refusal === undefined) return false;
  if (recording !== undefined) access.removeCredentials(request);
  recording?.refuse(refusal === undefined ? BEHIND_MALFORMED : describeMalformed(refusal));
  if (refusal === undefined) return true;
  rejectedConnections.add(socket);
  logger.debug(`refused ${describeVisit(visit)}: ${refusal.reason}`);
  const allow = refusal.status === 405 ? { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' } : {};
  sendText(visit, refusal.status, `${refusal.reason}\n`, { connection: 'close', ...allow });
  return true;
}

/**
 * Answers the address check of exposure/, which needs no key. Closes the connection after the answer: otherwise an
 * unauthenticated visitor could fill our buffers with answers that it does not read.
 */
function answerProbe(visit: Visit, { proofKey, addresses }: PassContext): boolean {
  const proof = readProof(visit.request, proofKey, () => addresses && classifyAddress(visit.visitorAddress));
  if (proof === undefined) return false;
  sendText(visit, 200, proof, { connection: 'close' });
  return true;
}

/**
 * Adds `Clear-Site-Data` to the first page of a browser over https, because an earlier preview may have had the
 * address.
 */
function clearSiteData(visit: Visit, { siteData }: PassContext): boolean {
  siteData.addFields(visit);
  return false;
}

/** Removes the gateway's own cookies from the request. */
function removeOwnCookies({ request }: Visit): boolean {
  dropOwnCookies(request);
  return false;
}

/** Answers 404 for any other path under /__expose; none of these requests reaches the app. */
function refuseOwnPath(visit: Visit): boolean {
  if (!isOwnPath(readPath(visit.request))) return false;
  sendText(visit, 404, 'not found\n');
  return true;
}

/** Counts the request; never answers it. */
function countVisit({ request, response, upgrade }: Visit, { tally }: PassContext): boolean {
  tally.visits += 1;
  // The response of a WebSocket is detached from its connection, and then does not close with it.
  const whole = upgrade?.socket ?? response;
  if (whole.destroyed) return false;
  tally.open += 1;
  const begun = performance.now();
  // Not `once`, which costs more: a stream closes only once.
  whole.on('close', () => {
    tally.open -= 1;
    if (upgrade !== undefined || !response.writableFinished || isForEvents(request)) return;
    tally.times.add(performance.now() - begun, () => ({
      method: request.method ?? '',
      path: readPath(request),
      status: response.statusCode,
    }));
  });
  return false;
}

/** EventSource says so (HTML, 9.2.2). */
function isForEvents({ headers }: Visit['request']): boolean {
  return headers.accept?.startsWith('text/event-stream') === true;
}

/** Refuses with 413 a `Content-Length` above `max-body`, before a 100 (Continue). upload.ts counts chunked bodies. */
function refuseLargeBody(visit: Visit, { maxBodyBytes }: PassContext): boolean {
  // Node's parser accepts only digits.
  const announced = Number(visit.request.headers['content-length'] ?? 0);
  if (Math.max(announced, visit.body?.length ?? 0) <= maxBodyBytes) return false;
  visit.recording?.refuse(describeRefusedBody(new BodyTooLarge(maxBodyBytes)));
  sendTooLarge(visit, maxBodyBytes);
  return true;
}

/**
 * Keeps a request on a captured path while the app is away, and as long as others wait before it; answers 202. The queue
 * sends it to the app later.
 */
function queueWhileAway(
  visit: Visit,
  { queue, readApp, maxBodyBytes }: PassContext,
): boolean | Promise<boolean> {
  if (queue?.isNeeded(visit.app) !== true || !mayKeep(visit)) return false;
  return keepForLater(visit, { queue, maxBodyBytes, isStillNeeded: () => queue.isNeeded(readApp()) });
}

/** Redirects GET and HEAD to https, and refuses anything else with 403. */
function redirectToHttps(visit: Visit, { access }: PassContext): boolean {
  sendToHttps(visit);
  if (visit.recording !== undefined) access.removeCredentials(visit.request);
  visit.recording?.refuse(PLAIN_HTTP);
  return true;
}
