// What the comment and the summary show: the exposure's two facts (tunnel, app) and its phase, as one state of the
// preview, with only what is valid in it.

import type { AppMode, Doubt, EndReason, ExposureState } from '../shared/state.ts';
import { type Job, renderCommitUrl, renderRunUrl } from './job.ts';

/** Shorter outages are not worth a write: most are over before anybody has read about them. */
export const OUTAGE_SHOWN_AFTER_MS = 15_000;

/** All texts are one sentence or a few; whatever in them is more than words and numbers is shown as code. */
export interface PreviewFacts {
  name: string;
  mode: AppMode;
  /** The pull request's head; for a run without one, the run's own commit. */
  commit: string;
  commitUrl: string;
  runUrl: string;
  /** How a visitor gets in, where the link alone does not do it. */
  entry?: string;
  /** Said where anyone with the link can open what is not known to be public. */
  openWarning?: string;
  warnings: readonly string[];
}

/** Why a preview that was live cannot be used just now. */
export type Outage = 'tunnel' | 'tunnel closed' | 'app';

/** `endsAt`: the latest time the preview can live; undefined where it ends with its job. */
export type PreviewState =
  | { kind: 'starting'; endsAt?: Date }
  | { kind: 'live'; url: string; endsAt?: Date; doubt?: Doubt }
  | { kind: 'reconnecting'; url?: string; outage: Outage; since: Date; endsAt?: Date }
  | { kind: 'ended'; url?: string; reason: EndReason; endedAt: Date }
  | {
      kind: 'failed';
      url?: string;
      reason: string;
      lastLines: readonly string[];
      advice?: string;
      endedAt: Date;
    };

export interface PreviewView {
  preview: PreviewFacts;
  state: PreviewState;
  updatedAt: Date;
}

/** Beside the exposure's own state. */
export interface ViewContext {
  now: Date;
  /** The address that was announced last, for the time when the state has none any more. */
  lastUrl?: string | undefined;
  /** Latest end while starting: now, plus the start's time limit, plus the duration. */
  endsAt?: Date | undefined;
  /** Since when tunnel or app have been away. */
  outageSince?: Date | undefined;
  /** Leaves the app's own lines out, which may hold what only the log masks. */
  hideConsole?: boolean | undefined;
  /** What to change after a failure. */
  advice?: string | undefined;
}

export function viewOf(exposure: ExposureState, context: ViewContext): PreviewState {
  const { phase } = exposure;
  const lastUrl = context.lastUrl ?? exposure.url;
  const url = lastUrl === undefined ? {} : { url: lastUrl };
  switch (phase.phase) {
    case 'starting':
      return { kind: 'starting', ...endOf(context.endsAt) };
    case 'live':
      return viewLive(exposure, phase.expiresAt, context);
    case 'ended':
      return { kind: 'ended', ...url, reason: phase.reason, endedAt: phase.endedAt };
    case 'failed': {
      const advice = context.advice === undefined ? {} : { advice: context.advice };
      const { reason, endedAt } = phase;
      const lastLines = context.hideConsole ? [] : phase.lastLines;
      return { kind: 'failed', ...url, reason, lastLines, ...advice, endedAt };
    }
  }
}

function viewLive(exposure: ExposureState, expiresAt: Date | undefined, context: ViewContext): PreviewState {
  const { now, outageSince: since, lastUrl } = context;
  const outage = readOutage(exposure);
  const url = exposure.url ?? lastUrl;
  const shown = since !== undefined && now.getTime() - since.getTime() >= OUTAGE_SHOWN_AFTER_MS;
  if (outage !== undefined && since !== undefined && (shown || url === undefined)) {
    return {
      kind: 'reconnecting',
      ...(url === undefined ? {} : { url }),
      outage,
      since,
      ...endOf(expiresAt),
    };
  }
  if (url === undefined) return { kind: 'starting', ...endOf(expiresAt) };
  const doubt = exposure.doubt === undefined ? {} : { doubt: exposure.doubt };
  return { kind: 'live', url: exposure.link ?? url, ...doubt, ...endOf(expiresAt) };
}

/** The tunnel comes first: without it nobody sees how the app is. */
function readOutage({ tunnel, app }: ExposureState): Outage | undefined {
  if (tunnel.status === 'Disconnected') return 'tunnel closed';
  if (tunnel.status !== 'Connected') return 'tunnel';
  return app.status === 'running' ? undefined : 'app';
}

function endOf(endsAt: Date | undefined): { endsAt?: Date } {
  return endsAt === undefined ? {} : { endsAt };
}

/** The facts that hold from start to end. */
export function describePreview(
  job: Job,
  facts: Pick<PreviewFacts, 'name' | 'mode' | 'commit' | 'entry' | 'openWarning' | 'warnings'>,
): PreviewFacts {
  return { ...facts, commitUrl: renderCommitUrl(job, facts.commit), runUrl: renderRunUrl(job) };
}
