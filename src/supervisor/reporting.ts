// Keeps the comment in step with the exposure: turns its states into views, and shows an outage only when it lasts.
// Used by supervision; post uses the same parts when the supervisor is dead.

import type { Exposure } from '../exposure/exposure.ts';
import { connectGitHub } from '../github/api.ts';
import { CommentWriter } from '../github/comment/comment-writer.ts';
import { describePreview, OUTAGE_SHOWN_AFTER_MS, type ViewContext, viewOf } from '../github/comment/view.ts';
import type { Logger } from '../shared/log.ts';
import type { ProxyEnvironment } from '../shared/proxy.ts';
import type { ExposureState } from '../shared/state.ts';
import { describeState, type StateMessage } from '../shared/state-json.ts';
import type { SupervisorConfig } from './config.ts';

/**
 * The last write must not hold up the post step, which has 30 s in all: it begins with the end, while the app stops.
 */
const FINISH_TIMEOUT_MS = 8_000;

export interface Reporting {
  /** Begins to write the state that the end will have; the time limit of the last write begins, too. */
  announceEnd(last: ExposureState): void;
  /** Resolves when the last state is written, or the time limit is reached. */
  finish(): Promise<void>;
}

type CommentConfig = NonNullable<SupervisorConfig['comment']>;
type PreviewConfig = CommentConfig['preview'];

/** The comment of a preview, written through the job's proxy; nothing is written before its first update. */
export function openComment(
  config: CommentConfig,
  proxy: ProxyEnvironment,
  logger: Logger,
  signal?: AbortSignal,
): CommentWriter {
  const { job, token, pullRequest, identity } = config;
  const github = connectGitHub({ token, apiUrl: job.apiUrl, logger, proxy });
  const target = { pullRequest, identity, runId: job.runId, runAttempt: job.runAttempt };
  return new CommentWriter({ github, job, target, logger, signal });
}

/** Writes every change that people care about to the comment; does nothing if there is no comment to write. */
export function startReporting(config: SupervisorConfig, exposure: Exposure, logger: Logger): Reporting {
  if (config.comment === undefined) return { announceEnd: () => {}, finish: async () => {} };
  const overdue = new AbortController();
  const comment = openComment(config.comment, config.exposure.baseEnvironment, logger, overdue.signal);
  const { job, identity, preview: constant } = config.comment;
  const facts = describePreview(job, { ...constant, name: identity.name, mode: exposure.state.mode });
  const history = new History(config.exposure, constant);
  let timer: NodeJS.Timeout | undefined;
  let last = '';
  const report = (current: ExposureState) => {
    const now = new Date();
    const message = describeState(current);
    const state = viewOf(message, history.observe(message, now));
    const preview = { ...facts, warnings: [...facts.warnings, ...message.warnings] };
    const key = JSON.stringify([state, preview.warnings]);
    if (key !== last) void comment.update({ preview, state, updatedAt: now });
    last = key;
    clearTimeout(timer);
    const { outageSince } = history;
    if (outageSince === undefined || state.kind === 'reconnecting') return;
    const untilShown = OUTAGE_SHOWN_AFTER_MS - (now.getTime() - outageSince.getTime()) + 1;
    timer = setTimeout(() => report(exposure.state), untilShown);
  };
  let limit: NodeJS.Timeout | undefined;
  exposure.subscribe(current => {
    // While it ends, the exposure still counts as live.
    if (limit === undefined || isOver(current)) report(current);
  });
  report(exposure.state);
  return {
    announceEnd: last => {
      limit ??= setTimeout(() => overdue.abort(), FINISH_TIMEOUT_MS);
      report(last);
    },
    finish: async () => {
      clearTimeout(timer);
      await comment.flush();
      clearTimeout(limit);
    },
  };
}

function isOver({ phase }: ExposureState): boolean {
  return phase.kind === 'ended' || phase.kind === 'failed';
}

/** What a view needs to know about earlier states. */
class History {
  outageSince: Date | undefined;
  #lastUrl: string | undefined;
  #lastLink: string | undefined;
  readonly #endsAt: Date | undefined;
  readonly #hideConsole: boolean;

  constructor(exposure: SupervisorConfig['exposure'], preview: PreviewConfig) {
    this.#hideConsole = !preview.showConsole;
    if (exposure.durationMs !== undefined)
      this.#endsAt = new Date(Date.now() + exposure.startupTimeoutMs + exposure.durationMs);
  }

  /** Records the state, and returns what a view of it needs to know about earlier ones. */
  observe(state: StateMessage, now: Date): ViewContext {
    const isUp = state.status === 'Connected' && state.app.status === 'running';
    this.outageSince = isUp || state.exposure.phase !== 'live' ? undefined : (this.outageSince ?? now);
    this.#lastUrl = state.public_url ?? this.#lastUrl;
    this.#lastLink = state.preview_url ?? this.#lastLink;
    return {
      now,
      lastUrl: this.#lastUrl,
      lastLink: this.#lastLink,
      endsAt: this.#endsAt,
      outageSince: this.outageSince,
      hideConsole: this.#hideConsole,
    };
  }
}
