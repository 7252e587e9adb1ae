// Whether the proxy passes on an upload of 2 MB, and as it comes.

import type { ClientRequest } from 'node:http';
import { raceSignal } from '../../shared/abort.ts';
import { type Check, type Finding, fault, ok, warning } from '../check.ts';
import { NoVisit, visit } from '../visit.ts';

/** More than nginx takes without `client_max_body_size`: 1 MB. */
const UPLOAD_BYTES = 2 * 1024 * 1024;
/** Sent at first. */
const FIRST_BYTES = 64 * 1024;
/** Twice 2 MB over a line of 10 Mbit/s, and to spare. */
const WAIT_MS = 8_000;
/** How long the rest waits for the first part to arrive. */
const HOLD_MS = 1_000;

export const upload: Check = {
  name: 'upload',
  title: 'Upload',
  needs: ['proxy'],
  applies: subject => subject.isProxied,
  deadlineMs: 14_000,
  async run(subject, signal) {
    const { target, app, limit } = await subject.beginVisit(WAIT_MS, signal);
    const path = app.pathOf('upload');
    let isHeld = false;
    const hold = await subject.limit(HOLD_MS, signal);
    const send = async (request: ClientRequest) => {
      request.write(Buffer.alloc(FIRST_BYTES));
      await raceSignal(app.uploadBegins(path), hold).catch(() => {
        isHeld = true;
      });
      request.end(Buffer.alloc(UPLOAD_BYTES - FIRST_BYTES));
    };
    const headers = { 'Content-Length': UPLOAD_BYTES, 'Content-Type': 'application/octet-stream' };
    try {
      const { status, body } = await visit(target, path, limit, { method: 'POST', headers, send });
      return [describeAnswer(status, body === app.proof, isHeld)];
    } catch (error) {
      if (!(error instanceof NoVisit)) throw error;
      if (error.kind === 'silent')
        return [
          warning(
            `an upload of 2 MB took longer than ${WAIT_MS / 1_000} s, so it could not be checked: the line is slow, or the proxy holds it back`,
          ),
        ];
      return [
        fault(
          `an upload of 2 MB does not pass the proxy (${error.message}): raise its limit, and its time limits`,
        ),
      ];
    }
  },
};

function describeAnswer(status: number, isOurs: boolean, isHeld: boolean): Finding {
  if (status === 413)
    return fault(
      'the proxy refuses an upload of 2 MB with 413: raise its limit (nginx: client_max_body_size 0; the preview has `max-body`)',
    );
  if (!isOurs)
    return fault(`an upload of 2 MB does not pass the proxy (the answer was ${status}): see its log`);
  if (!isHeld) return ok('2 MB pass, as they come');
  return warning(
    'the proxy keeps an upload until it is complete: the app sees no progress, and the proxy needs disk space for it (nginx: proxy_request_buffering off)',
  );
}
