// What comment, deployment and summary show: turns the states of the tunnel, the app and the exposure into one state of
// the preview. Used by all three, by the supervisor's reports, and by the step for its summary and the last report.

import type { AppMode, EndReason, UnverifiedReason } from '../shared/state.ts';
import type { StateMessage } from '../shared/state-json.ts';
import { type Job, renderCommitUrl, renderRunUrl } from './job.ts';

/** Shorter outages are not written: most are over before anybody could read about them. */
export const OUTAGE_SHOWN_AFTER_MS = 15_000;

/** The texts are one or a few sentences; anything in them other than words and numbers is shown as code. */
export interface PreviewFacts {
  name: string;
  mode: AppMode;
  /** The pull request's head; for a run without one, the run's own commit. */
  commit: string;
  commitUrl: string;
  runUrl: string;
  /** What a visitor needs apart from the link. */
  entry?: string | undefined;
  /** The warning if anyone with the link can open a preview whose repository may not be public. */
  openWarning?: string | undefined;
  warnings: readonly string[];
}

/** Why a preview that was live cannot be used at the moment. */
export type Outage = 'tunnel' | 'tunnel closed' | 'app';

/** `endsAt`: the latest time the preview can live; undefined if it ends with its job. */
export type PreviewState =
  | { kind: 'starting'; endsAt?: Date }
  | { kind: 'live'; url: string; inspectorUrl?: string; endsAt?: Date; unverifiedReason?: UnverifiedReason }
  | { kind: 'reconnecting'; url?: string; outage: Outage; since: Date; endsAt?: Date }
  | { kind: 'ended'; url?: string; reason: EndReason; endedAt: Date }
  | { kind: 'failed'; url?: string; reason: string; lastLines: readonly string[]; endedAt: Date };

export interface PreviewView {
  preview: PreviewFacts;
  state: PreviewState;
  updatedAt: Date;
}

/** What a view needs and the state does not contain. */
export interface ViewContext {
  now: Date;
  /** The address that was published last, for a state without one. */
  lastUrl?: string | undefined;
  /** The link to that address, with its key. */
  lastLink?: string | undefined;
  /** Latest end while starting: now, plus the start's time limit, plus the duration. */
  endsAt?: Date | undefined;
  /** Since when tunnel or app have been away. */
  outageSince?: Date | undefined;
  /** Leaves out the app's own lines, because they may contain secrets, which only the log masks. */
  hideConsole?: boolean | undefined;
}

export function viewOf(state: StateMessage, context: ViewContext): PreviewState {
  const { exposure } = state;
  const lastUrl = context.lastUrl ?? state.public_url ?? undefined;
  const url = lastUrl === undefined ? {} : { url: lastUrl };
  switch (exposure.phase) {
    case 'starting':
      return { kind: 'starting', ...endOf(context.endsAt) };
    case 'live':
      return viewLive(state, exposure.expires_at, context);
    case 'ended':
      return { kind: 'ended', ...url, reason: exposure.reason, endedAt: new Date(exposure.ended_at) };
    case 'failed': {
      const { reason, ended_at, last_lines } = exposure;
      const lastLines = context.hideConsole ? [] : last_lines;
      return { kind: 'failed', ...url, reason, lastLines, endedAt: new Date(ended_at) };
    }
  }
}

function viewLive(state: StateMessage, expiresAt: string | null, context: ViewContext): PreviewState {
  const { now, outageSince: since, lastUrl, lastLink } = context;
  const endsAt = endOf(expiresAt === null ? undefined : new Date(expiresAt));
  const outage = readOutage(state);
  const url = state.public_url ?? lastUrl;
  const isShown = since !== undefined && now.getTime() - since.getTime() >= OUTAGE_SHOWN_AFTER_MS;
  if (outage !== undefined && since !== undefined && (isShown || url === undefined))
    return { kind: 'reconnecting', ...(url === undefined ? {} : { url }), outage, since, ...endsAt };
  if (url === undefined) return { kind: 'starting', ...endsAt };
  const unverified = state.doubt === null ? {} : { unverifiedReason: state.doubt };
  const inspector = state.inspector_url === null ? {} : { inspectorUrl: state.inspector_url };
  return { kind: 'live', url: state.preview_url ?? lastLink ?? url, ...inspector, ...unverified, ...endsAt };
}

/** The tunnel comes first: without it, visitors cannot reach the app, whatever its state is. */
function readOutage({ status, app }: StateMessage): Outage | undefined {
  if (status === 'Disconnected') return 'tunnel closed';
  if (status !== 'Connected') return 'tunnel';
  return app.status === 'running' ? undefined : 'app';
}

function endOf(endsAt: Date | undefined): { endsAt?: Date } {
  return endsAt === undefined ? {} : { endsAt };
}

/** The facts that do not change during the preview. */
export function describePreview(job: Job, facts: Omit<PreviewFacts, 'commitUrl' | 'runUrl'>): PreviewFacts {
  const { name, mode, commit, entry, openWarning, warnings } = facts;
  const [commitUrl, runUrl] = [renderCommitUrl(job, commit), renderRunUrl(job)];
  return { name, mode, commit, commitUrl, runUrl, entry, openWarning, warnings };
}
