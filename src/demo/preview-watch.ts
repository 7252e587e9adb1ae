// Follows the preview of a run through its control API: its states and the requests that it records. Used by the demo's
// story.

import { setTimeout as delay } from 'node:timers/promises';
import * as v from 'valibot';
import { openEvents } from '../control/client.ts';
import { type RequestMessage, RequestMessageSchema } from '../shared/request-json.ts';
import { type StateMessage, StateMessageSchema } from '../shared/state-json.ts';
import { listSessions, type Session } from '../supervisor/session-folder.ts';

/** How often the session is looked for while the action starts. */
const LOOK_MS = 100;

export interface PreviewListener {
  onSession(session: Session): void;
  onState(state: StateMessage): void;
  onRequest(request: RequestMessage): void;
}

/** Waits for the job's session in its temp folder and follows it. Ends with the preview, or with the signal. */
export async function watchPreview(
  temp: string,
  listener: PreviewListener,
  signal: AbortSignal,
): Promise<void> {
  const session = await findSession(temp, signal);
  if (session === undefined) return;
  listener.onSession(session);
  try {
    for await (const { type, data } of openEvents(session, 'GET /api/events?types=state,request', signal)) {
      if (type === 'state') listener.onState(v.parse(StateMessageSchema, JSON.parse(data)));
      else if (type === 'request') listener.onRequest(v.parse(RequestMessageSchema, JSON.parse(data)));
    }
  } catch {
    // The stream breaks off with the preview.
  }
}

async function findSession(temp: string, signal: AbortSignal): Promise<Session | undefined> {
  while (!signal.aborted) {
    const [found] = listSessions(temp);
    if (found !== undefined) return found.session;
    await delay(LOOK_MS, undefined, { signal }).catch(() => {});
  }
  return undefined;
}
