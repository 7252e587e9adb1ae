// The two passes that decide who may send a request to the app: by key or password, and on the paths of `verify` by
// signature. Used by passes.ts.

import { sendNotice } from '../pages/answer.ts';
import { NOT_CHECKED, NOT_SIGNED } from '../pages/notice.ts';
import type { PassContext } from '../pass.ts';
import { describeVisit, hasBody, readPath, type Visit } from '../visit.ts';
import { describeAccessRefusal } from '../webhooks/record/refusals.ts';
import type { SignedPaths } from '../webhooks/verify/signed-paths.ts';

/**
 * Refuses with 401 a request without the key or password, and with 403 one that another site has caused. Answers the
 * sign-in. Removes the key and the password from requests that are let in.
 */
export function checkAccess(visit: Visit, context: PassContext): boolean | Promise<boolean> {
  const decision = context.access.check(visit);
  if (decision === 'let in') return false;
  if (decision === 'refused' && context.signedPaths !== undefined)
    return refuseLikeSigned(visit, context, context.signedPaths);
  if (decision === 'refused') context.access.refuse(visit);
  recordAccessRefusal(visit, context);
  return true;
}

/**
 * On the paths of `verify`, refuses with 401 what is neither signed nor a handshake that a rule lets through, also if it
 * has the key. A visitor without the key gets the same answer as on any other path.
 */
export function verifySignature(visit: Visit, context: PassContext): boolean | Promise<boolean> {
  const { signedPaths } = context;
  if (signedPaths?.covers(readPath(visit.request)) !== true) return false;
  return verifyPath(visit, context, signedPaths);
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
