// The hold: main follows the preview to its end, and says once a minute how it is. Used by preview.

import { readState } from '../control/client.ts';
import { renderCount } from '../shared/count.ts';
import { formatDuration, MAX_DURATION_MS } from '../shared/duration.ts';
import type { StateMessage } from '../shared/state-json.ts';
import type { Session } from '../supervisor/session-folder.ts';
import type { StepLog } from './log.ts';

/** How often a hold says how the preview is; annotations, with the link, are shown only after the step. */
const PROGRESS_MS = 60_000;

/** The next state that is wanted; undefined if there is none. */
export async function awaitState(
  states: AsyncGenerator<StateMessage>,
  isWanted: (state: StateMessage) => boolean,
): Promise<StateMessage | undefined> {
  for (let next = await states.next(); !next.done; next = await states.next())
    if (isWanted(next.value)) return next.value;
  return undefined;
}

export function isOver({ exposure: { phase } }: StateMessage): boolean {
  return phase === 'ended' || phase === 'failed';
}

export interface HoldOptions {
  session: Session;
  log: StepLog;
  /** Aborted when the end is overdue. */
  over: AbortController;
  /** How long after the preview's time the end is overdue. */
  endGraceMs: number;
}

/** Resolves with the last state; undefined if the end is overdue, or its process gone. */
export async function hold(
  states: AsyncGenerator<StateMessage>,
  live: StateMessage,
  { session, log, over, endGraceMs }: HoldOptions,
): Promise<StateMessage | undefined> {
  const endsAt = live.exposure.phase === 'live' ? live.exposure.expires_at : null;
  const progress = new Progress(live);
  const timer = setInterval(() => void progress.tell(session, log), PROGRESS_MS);
  const leftMs = endsAt === null ? undefined : Math.min(Date.parse(endsAt) - Date.now(), MAX_DURATION_MS);
  const deadline = leftMs === undefined ? undefined : setTimeout(() => over.abort(), leftMs + endGraceMs);
  try {
    // The supervisor itself logs what happens to tunnel and app.
    return await awaitState(states, isOver);
  } finally {
    clearInterval(timer);
    clearTimeout(deadline);
  }
}

/** The line a minute. */
export class Progress {
  #last: StateMessage;

  constructor(live: StateMessage) {
    this.#last = live;
  }

  /** Never rejects: if the supervisor does not answer, the hold itself ends soon. */
  async tell(session: Session, log: StepLog): Promise<void> {
    const now = await readState(session).catch(() => undefined);
    if (now?.exposure.phase === 'live') log.logger.info(this.render(now, new Date()));
  }

  /** `Preview: http://… · 24m left · 12 visits, 3 of them in the last minute · 2 reconnects` */
  render(now: StateMessage, at: Date): string {
    const { exposure } = now;
    const url = now.preview_url ?? this.#last.preview_url ?? '';
    const endsAt = exposure.phase === 'live' ? exposure.expires_at : null;
    const parts = [
      `Preview: ${url}`,
      ...(endsAt === null ? [] : [`${formatDuration(Date.parse(endsAt) - at.getTime())} left`]),
      describeVisits(now.visits, now.visits - this.#last.visits),
      ...describeAway(now),
      ...(now.reconnects > 0 ? [renderCount(now.reconnects, 'reconnect')] : []),
      ...(now.restarts > 0 ? [renderCount(now.restarts, 'app restart')] : []),
    ];
    this.#last = { ...now, preview_url: url };
    return parts.join(' · ');
  }
}

function describeVisits(all: number, recent: number): string {
  if (all === 0) return 'no visit yet';
  const visits = renderCount(all, 'visit');
  return recent === 0 ? `${visits}, none in the last minute` : `${visits}, ${recent} in the last minute`;
}

/** What a visitor would miss at the moment. */
function describeAway({ status, tunnel_reason: reason, app }: StateMessage): string[] {
  const tunnel =
    status === 'Connected'
      ? []
      : [`the tunnel is ${status.toLowerCase()}${reason === null ? '' : ` (${reason})`}`];
  return app.status === 'running' ? tunnel : [...tunnel, `the app is ${app.status}`];
}
