// Keeps the comment in step with the exposure: turns its states into views, and waits before it speaks of an outage.
// Used by the supervision; post uses the same pieces when the supervisor is dead.

import type { Exposure } from '../exposure/exposure.ts';
import { connectGitHub } from '../github/api.ts';
import { type StickyComment, startComment } from '../github/comment.ts';
import { describePreview, OUTAGE_SHOWN_AFTER_MS, type PreviewView, viewOf } from '../github/view.ts';
import type { Logger } from '../shared/log.ts';
import type { ProxyEnvironment } from '../shared/proxy.ts';
import type { AppMode, ExposureState } from '../shared/state.ts';
import type { SupervisorConfig } from './config.ts';

/** The last word must not keep the post step, which has 30 s in all. */
const FINISH_TIMEOUT_MS = 8_000;

export interface Reporting {
  /** Resolves when the last state is told, or was given up. */
  finish(): Promise<void>;
}

type CommentConfig = NonNullable<SupervisorConfig['comment']>;
type PreviewConfig = CommentConfig['preview'];

/** The comment of a preview, written through the proxy of `environment`; nothing is written before its first update. */
export function openComment(
  config: CommentConfig,
  environment: ProxyEnvironment,
  logger: Logger,
  signal?: AbortSignal,
): StickyComment {
  const { job, token, pullRequest, identity } = config;
  const github = connectGitHub({ token, apiUrl: job.apiUrl, logger, environment });
  const target = { pullRequest, identity, runId: job.runId, runAttempt: job.runAttempt };
  return startComment({ github, job, target, logger, signal });
}

/** The facts of a preview, as its comment and its summary show them. */
export function describeFacts(
  config: Pick<CommentConfig, 'job' | 'identity'>,
  preview: PreviewConfig,
  mode: AppMode,
): PreviewView['preview'] {
  const { openWarning, entry, showConsole: _, ...rest } = preview;
  return describePreview(config.job, {
    ...rest,
    name: config.identity.name,
    mode,
    ...(entry !== undefined && { entry }),
    ...(openWarning !== undefined && { openWarning }),
  });
}

/** Tells the pull request every change people care about; without one to tell, does nothing. */
export function startReporting(config: SupervisorConfig, exposure: Exposure, logger: Logger): Reporting {
  if (config.comment === undefined) return { finish: async () => {} };
  const given = new AbortController();
  const comment = openComment(config.comment, config.exposure.baseEnvironment, logger, given.signal);
  const facts = describeFacts(config.comment, config.comment.preview, exposure.state.mode);
  const memory = new Memory(config.exposure, config.comment.preview);
  let timer: NodeJS.Timeout | undefined;
  let last = '';
  const tell = () => {
    const now = new Date();
    const state = viewOf(exposure.state, memory.recall(exposure.state, now));
    const preview = { ...facts, warnings: [...facts.warnings, ...exposure.state.warnings] };
    const key = JSON.stringify([state, preview.warnings]);
    if (key !== last) void comment.update({ preview, state, updatedAt: now });
    last = key;
    clearTimeout(timer);
    if (memory.outageSince !== undefined && state.kind !== 'reconnecting')
      timer = setTimeout(tell, OUTAGE_SHOWN_AFTER_MS - (now.getTime() - memory.outageSince.getTime()) + 1);
  };
  exposure.subscribe(tell);
  tell();
  return {
    finish: async () => {
      clearTimeout(timer);
      const limit = setTimeout(() => given.abort(), FINISH_TIMEOUT_MS);
      await comment.flush();
      clearTimeout(limit);
    },
  };
}

/** What a view needs to know of the past. */
class Memory {
  outageSince: Date | undefined;
  #lastUrl: string | undefined;
  readonly #endsAt: Date | undefined;

  readonly #hideConsole: boolean;

  constructor(exposure: SupervisorConfig['exposure'], preview: PreviewConfig) {
    this.#hideConsole = !preview.showConsole;
    if (exposure.durationMs !== undefined)
      this.#endsAt = new Date(Date.now() + exposure.startupTimeoutMs + exposure.durationMs);
  }

  recall(state: ExposureState, now: Date) {
    const isUp = state.tunnel.status === 'Connected' && state.app.status === 'running';
    this.outageSince = isUp || state.phase.kind !== 'live' ? undefined : (this.outageSince ?? now);
    this.#lastUrl = state.url ?? this.#lastUrl;
    return {
      now,
      lastUrl: this.#lastUrl,
      endsAt: this.#endsAt,
      outageSince: this.outageSince,
      hideConsole: this.#hideConsole,
    };
  }
}
