// Everything that happens to a request. Each step is one function, a pass; two lists give their order. Run by
// gateway.ts.

import type { Duplex } from 'node:stream';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import type { ResponseTimes } from '../shared/response-times.ts';
import { sanitise } from '../shared/sanitise.ts';
import type { AppState } from '../shared/state.ts';
import type { AccessControl } from './access/access.ts';
import { dropOwnCookies } from './access/credentials.ts';
import type { SiteData } from './access/site-data.ts';
import { BodyTooLarge, sendTooLarge } from './body-limit.ts';
import { findRefusal } from './guard.ts';
import { HiddenRequest, hasRequestLine, sendHiddenRequest } from './hidden-request.ts';
import { sendToHttps } from './https-only.ts';
import { isOwnPath, readProof, sendText } from './own-pages.ts';
import { sendNotice } from './pages/answer.ts';
import {
  describeAway,
  describeFile,
  describeNoAnswer,
  NOT_CHECKED,
  NOT_SIGNED,
  withoutReload,
} from './pages/notice.ts';
import { judgeAddress } from './probe.ts';
import type { AppLink } from './upstream/app-link.ts';
import type { Compression } from './upstream/compression.ts';
import { forwardRequest, type Route } from './upstream/proxy.ts';
import { forwardUpgrade } from './upstream/upgrade.ts';
import { hasBody, readPath, type Visit } from './visit.ts';
import { cutHostPart, type VisitorAddresses } from './visitor-address.ts';
import { keepForLater, mayKeep } from './webhooks/queue/pass.ts';
import type { DeliveryQueue } from './webhooks/queue/queue.ts';
import type { RequestRecorder } from './webhooks/record/recorder.ts';
import {
  APP_AWAY,
  BEHIND_MALFORMED,
  describeAccessRefusal,
  describeMalformed,
  describeRefusedBody,
  PLAIN_HTTP,
} from './webhooks/record/refusals.ts';
import { isUnreached } from './webhooks/sending.ts';
import type { SignedPaths } from './webhooks/verify/signed-paths.ts';

/** What the passes of one gateway share. */
export interface PassContext {
  readonly readApp: () => AppState;
  readonly access: AccessControl;
  readonly siteData: SiteData;
  readonly link: AppLink;
  /** Connections that sent a malformed request: no later request on them is served. */
  readonly rejectedConnections: WeakSet<Duplex>;
  readonly proofKey: Buffer;
  readonly maxBodyBytes: number;
  /** Undefined with `compress: false`. */
  readonly compression: Compression | undefined;
  /** Undefined without `verify`. */
  readonly signedPaths: SignedPaths | undefined;
  /** Undefined if nothing is recorded. */
  readonly recorder: RequestRecorder | undefined;
  /** Undefined with `queue: false`. */
  readonly queue: DeliveryQueue | undefined;
  readonly logger: Logger;
  readonly tally: Tally;
  /** Reads visitors' addresses; undefined without `trusted-proxy`. */
  readonly addresses: VisitorAddresses | undefined;
}

/** Counts the requests that were let in, without those to the gateway's own paths. */
export interface Tally {
  visits: number;
  /** Those that are not over yet: an upload, an answer, an event stream, a WebSocket. */
  open: number;
  /** Without WebSockets and event streams, which last as long as their page is open. */
  readonly times: ResponseTimes;
}

/** A page that takes longer is work, not a click. */
const LONG_WORK_MS = 10_000;

/**
 * One step. Returns true if it has answered the request, or will: no later pass sees the request. A pass that must wait,
 * for instance for the body, returns a promise of that.
 */
export type Pass = (visit: Visit, context: PassContext) => boolean | Promise<boolean>;

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
  const proof = readProof(visit.request, proofKey, () => addresses && judgeAddress(visit.visitorAddress));
  if (proof === undefined) return false;
  sendText(visit, 200, proof, { connection: 'close' });
  return true;
}

/**
 * Refuses with 401 a request without the key or password, and with 403 one that another site has caused. Answers the
 * sign-in. Removes the key and the password from requests that are let in.
 */
function checkAccess(visit: Visit, context: PassContext): boolean | Promise<boolean> {
  const decision = context.access.check(visit);
  if (decision === 'let in') return false;
  if (decision === 'refused' && context.signedPaths !== undefined)
    return refuseLikeSigned(visit, context, context.signedPaths);
  if (decision === 'refused') context.access.refuse(visit);
  recordAccessRefusal(visit, context);
  return true;
}

function recordAccessRefusal(visit: Visit, { access, logger }: PassContext): void {
  const { statusCode } = visit.response;
  if (statusCode >= 400) logger.debug(`refused ${describeVisit(visit)}: no access (${statusCode})`);
  if (visit.recording === undefined) return;
  access.removeCredentials(visit.request);
  visit.recording.refuse(describeAccessRefusal(statusCode));
}

/** Before the body is awaited: if its sender leaves, the request is recorded as it is then. */
function hideCredentials({ request, recording }: Visit, { access }: PassContext): void {
  if (recording !== undefined && hasBody(request)) access.removeCredentials(request);
}

/** As on a path of `verify`, so that nobody can find out which paths these are. */
async function refuseLikeSigned(
  visit: Visit,
  context: PassContext,
  signedPaths: SignedPaths,
): Promise<boolean> {
  hideCredentials(visit, context);
  const { kind } = await signedPaths.examine(visit);
  if (kind === 'left') return true;
  if (kind === 'busy') sendNotice(visit, NOT_CHECKED, { connection: 'close' });
  else context.access.refuse(visit);
  recordAccessRefusal(visit, context);
  return true;
}

async function verifyPath(visit: Visit, context: PassContext, signedPaths: SignedPaths): Promise<boolean> {
  hideCredentials(visit, context);
  const examined = await signedPaths.examine(visit);
  switch (examined.kind) {
    case 'admitted':
      visit.recording?.identify(examined.identity);
      return false;
    case 'left':
      return true;
    case 'busy':
      visit.recording?.refuse(examined.reason);
      sendNotice(visit, NOT_CHECKED, { connection: 'close' });
      return true;
    case 'refused':
      if (visit.recording !== undefined) context.access.removeCredentials(visit.request);
      visit.recording?.refuse(examined.reason);
      if (visit.isPublicOnly) context.access.refuse(visit);
      else sendNotice(visit, NOT_SIGNED, { connection: 'close', 'www-authenticate': 'Signature' });
      return true;
  }
}

/**
 * On the paths of `verify`, refuses with 401 what is neither signed nor a handshake that a rule lets through, also if it
 * has the key. A visitor without the key gets the same answer as on any other path.
 */
function verifySignature(visit: Visit, context: PassContext): boolean | Promise<boolean> {
  const { signedPaths } = context;
  if (signedPaths?.covers(readPath(visit.request)) !== true) return false;
  return verifyPath(visit, context, signedPaths);
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
  whole.once('close', () => {
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

/** Answers 502 or 503, with `Retry-After`, while the app is not running. */
function answerWhileAway(visit: Visit, { link }: PassContext): boolean {
  if (visit.app.status === 'running') return false;
  void link.forget();
  visit.recording?.refuse(APP_AWAY);
  sendNotice(visit, describeAway(visit.app));
  return true;
}

/** Forwards the request, or the upgrade to WebSocket, to the app; answers 502 or 504 if the app gives no answer. */
function forwardToApp(visit: Visit, context: PassContext): boolean {
  if (visit.app.status !== 'running') return false;
  const { upstream } = visit.app;
  if (
    upstream.kind === 'address' &&
    upstream.leavesBodies &&
    visit.isPublicOnly &&
    hasRequestLine(visit.body)
  ) {
    visit.recording?.refuse('its body contains the first line of another request');
    sendHiddenRequest(visit);
    return true;
  }
  if (visit.body !== undefined || !hasBody(visit.request)) visit.recording?.complete();
  if (upstream.kind === 'handler') {
    recordUnread(visit);
    for (const [name, value] of visit.ownHeaders) visit.response.appendHeader(name, value);
    upstream.handle(visit.request, visit.response, status => sendNotice(visit, describeFile(status)));
    return true;
  }
  const { link, maxBodyBytes, compression } = context;
  const begun = performance.now();
  const onNoAnswer = (error: Error) => answerForApp(visit, context, error, performance.now() - begun);
  const route: Route = { link, address: upstream, maxBodyBytes, compression, onNoAnswer };
  if (visit.upgrade === undefined) forwardRequest(visit, route);
  else forwardUpgrade(visit, visit.upgrade, route);
  return true;
}

/** Reads a body that nobody reads: the handler answers at once, without it. */
function recordUnread({ request, recording, body }: Visit): void {
  if (recording === undefined || body !== undefined || !hasBody(request)) return;
  request.on('data', chunk => recording.take(chunk));
  request.once('end', () => recording.complete());
}

/** Redirects GET and HEAD to https, and refuses anything else with 403. */
function redirectToHttps(visit: Visit, { access }: PassContext): boolean {
  sendToHttps(visit);
  if (visit.recording !== undefined) access.removeCredentials(visit.request);
  visit.recording?.refuse(PLAIN_HTTP);
  return true;
}

/**
 * Acts for an app that gave no answer: keeps the request if nothing of it was sent and it may wait, and otherwise sends
 * the gateway's own answer.
 */
function answerForApp(visit: Visit, context: PassContext, error: Error, workedMs: number): void {
  const { queue, maxBodyBytes, logger } = context;
  if (queue === undefined || queue.isClosed || !isUnreached(error) || !mayKeep(visit)) {
    answerAlone(visit, context, error, workedMs);
    return;
  }
  visit.releaseBody?.();
  const isKept = keepForLater(visit, { queue, maxBodyBytes, isStillNeeded: () => !queue.isClosed });
  isKept.then(
    yes => yes || answerAlone(visit, context, error, workedMs),
    bug => {
      logger.warn(`${describeVisit(visit)} could not be kept: ${sanitise(describeError(bug))}`);
      answerAlone(visit, context, error, workedMs);
    },
  );
}

/**
 * If the app has worked on the request for long, the page does not reload by itself: that would start the work again,
 * which may have ended the app.
 */
function answerAlone(
  visit: Visit,
  { readApp, maxBodyBytes, logger }: PassContext,
  error: Error,
  workedMs: number,
): void {
  if (error instanceof BodyTooLarge) {
    sendTooLarge(visit, maxBodyBytes);
    return;
  }
  if (error instanceof HiddenRequest) {
    sendHiddenRequest(visit);
    return;
  }
  const reason = sanitise(describeError(error));
  logger.debug(`no answer to ${describeVisit(visit)}: ${reason}`);
  visit.recording?.note(`the app gave no answer: ${reason}`);
  const app = readApp();
  const notice = app.status === 'running' ? describeNoAnswer(error) : describeAway(app);
  sendNotice(visit, workedMs < LONG_WORK_MS ? notice : withoutReload(notice));
}

/** Method and path, and the visitor's address if it is known, fit for a log. */
export function describeVisit({ request, visitorAddress }: Visit): string {
  const what = sanitise(`${request.method} ${readPath(request)}`);
  return visitorAddress === undefined ? what : `${what} from ${visitorAddress}`;
}
