// Keeps the reports on GitHub in step with the exposure: turns its states into views, and shows an outage only when it
// lasts. Used by supervision; post uses the same reporters when the supervisor is dead.

import type { Exposure } from '../exposure/exposure.ts';
import { CommentWriter } from '../github/comment/comment-writer.ts';
import { DeploymentWriter } from '../github/deployment/deployment-writer.ts';
import {
  describePreview,
  OUTAGE_SHOWN_AFTER_MS,
  type PreviewView,
  type ViewContext,
  viewOf,
} from '../github/view.ts';
import type { Logger } from '../shared/log.ts';
import type { ExposureState } from '../shared/state.ts';
import { describeState, type StateMessage } from '../shared/state-json.ts';
import type { ReportConfig, SupervisorConfig } from './config.ts';
import type { SupervisorGitHub } from './github.ts';

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

/** One place on GitHub that shows the preview. Its failures are its own warnings: no method rejects. */
export interface Reporter {
  /** Resolves when this view, or a newer one, is written or given up. */
  update(view: PreviewView): Promise<void>;
  /** Resolves when nothing is left to write. */
  flush(): Promise<void>;
}

export interface ReporterOptions {
  github: SupervisorGitHub;
  report: ReportConfig;
  logger: Logger;
  /** Tells the author of the workflow what to change. */
  warn: (message: string) => void;
  /** The supervisor was killed, and post reports the end. */
  isOrphan?: boolean | undefined;
  /** Ends all writing. */
  signal: AbortSignal;
}

/** Everything that shows the preview on GitHub. Nothing is written before the first update. */
export function openReporters(options: ReporterOptions): Reporter[] {
  const { report, warn, signal, isOrphan } = options;
  const { job, connection: github } = options.github;
  const logger = report.expectsRefusal ? { ...options.logger, warn: options.logger.info } : options.logger;
  const { identity, comment, deployment } = report;
  const { runId, runAttempt } = job;
  const reporters: Reporter[] = [];
  if (comment) {
    const target = { ...comment, identity };
    reporters.push(new CommentWriter({ github, job, target, logger, warn, signal }));
  }
  if (deployment) {
    const target = { ...deployment, preview: identity.key, runId, runAttempt };
    reporters.push(new DeploymentWriter({ github, job, target, logger, isOrphan, signal }));
  }
  return reporters;
}

/** Reports every change that people care about; does nothing if there is nothing to report to. */
export function startReporting(options: {
  config: SupervisorConfig;
  exposure: Exposure;
  github: SupervisorGitHub | undefined;
  logger: Logger;
}): Reporting {
  const { config, exposure, github, logger } = options;
  const { report } = config;
  if (github === undefined || report === undefined) return { announceEnd: () => {}, finish: async () => {} };
  const overdue = new AbortController();
  const reporters = openReporters({
    github,
    report,
    logger,
    warn: message => exposure.warn(message),
    signal: overdue.signal,
  });
  const { identity, preview: constant } = report;
  const facts = describePreview(github.job, {
    ...constant,
    name: identity.name,
    mode: exposure.state.mode,
  });
  const history = new History(config.exposure, constant);
  let timer: NodeJS.Timeout | undefined;
  let last = '';
  const write = (current: ExposureState) => {
    const now = new Date();
    const message = describeState(current);
    const state = viewOf(message, history.observe(message, now));
    const preview = { ...facts, warnings: [...facts.warnings, ...message.warnings] };
    const key = JSON.stringify([state, preview.warnings]);
    if (key !== last)
      for (const reporter of reporters) void reporter.update({ preview, state, updatedAt: now });
    last = key;
    clearTimeout(timer);
    const { outageSince } = history;
    if (outageSince === undefined || state.kind === 'reconnecting') return;
    const untilShown = OUTAGE_SHOWN_AFTER_MS - (now.getTime() - outageSince.getTime()) + 1;
    timer = setTimeout(() => write(exposure.state), untilShown);
  };
  let limit: NodeJS.Timeout | undefined;
  exposure.subscribe(current => {
    // While it ends, the exposure still counts as live.
    if (limit === undefined || isOver(current)) write(current);
  });
  write(exposure.state);
  return {
    announceEnd: last => {
      limit ??= setTimeout(
        () => overdue.abort(new DOMException('the end may not take longer', 'TimeoutError')),
        FINISH_TIMEOUT_MS,
      );
      write(last);
    },
    finish: async () => {
      clearTimeout(timer);
      await Promise.all(reporters.map(reporter => reporter.flush()));
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

  constructor(exposure: SupervisorConfig['exposure'], preview: ReportConfig['preview']) {
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
