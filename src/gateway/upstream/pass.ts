// The last passes: forward a request to the app, and answer for an app that is away or gives no answer. Used by passes.ts.

import { describeError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { BodyTooLarge, sendTooLarge } from '../body-limit.ts';
import { HiddenRequest, hasRequestLine, sendHiddenRequest } from '../hidden-request.ts';
import { sendNotice } from '../pages/answer.ts';
import { describeAway, describeFile, describeNoAnswer, withoutReload } from '../pages/notice.ts';
import type { PassContext } from '../pass.ts';
import { describeVisit, hasBody, type Visit } from '../visit.ts';
import { keepForLater, mayKeep } from '../webhooks/queue/pass.ts';
import { APP_AWAY } from '../webhooks/record/refusals.ts';
import { isUnreached } from '../webhooks/sending.ts';
import { forwardRequest, type Route } from './proxy.ts';
import { forwardUpgrade } from './upgrade.ts';

/** A page that takes longer is work, not a click. */
const LONG_WORK_MS = 10_000;

/** Answers 502 or 503, with `Retry-After`, while the app is not running. */
export function answerWhileAway(visit: Visit, { link }: PassContext): boolean {
  if (visit.app.status === 'running') return false;
  void link.forget();
  visit.recording?.refuse(APP_AWAY);
  sendNotice(visit, describeAway(visit.app));
  return true;
}

/** Forwards the request, or the upgrade to WebSocket, to the app; answers 502 or 504 if the app gives no answer. */
export function forwardToApp(visit: Visit, context: PassContext): boolean {
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
