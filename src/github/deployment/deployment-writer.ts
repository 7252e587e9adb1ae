// Shows the preview as a GitHub deployment, which the page of the pull request then links to: turns views into statuses,
// and names the environment. Used by the supervisor's reports, by post, and by step/report-target.

import type { Logger } from '../../shared/log.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { renderTime } from '../../shared/utc.ts';
import type { GitHub } from '../api.ts';
import { ENDINGS, OUTAGES } from '../comment/markdown.ts';
import type { Job } from '../job.ts';
import { ReportQueue, type WriteResult } from '../report-queue.ts';
import type { PreviewFacts, PreviewState, PreviewView } from '../view.ts';
import { type DeploymentStatus, type DeploymentTarget, OwnDeployment } from './own-deployment.ts';

/** GitHub refuses longer ones. */
const MAX_DESCRIPTION_LENGTH = 140;
/** GitHub refuses longer names of environments. */
const MAX_ENVIRONMENT_LENGTH = 255;

export interface DeploymentWriterOptions {
  github: GitHub;
  job: Job;
  target: DeploymentTarget;
  logger: Logger;
  /** The supervisor was killed: its deployment is ended, and none is created. */
  isOrphan?: boolean | undefined;
  /** Ends all writing, also a wait for a rate limit. */
  signal?: AbortSignal | undefined;
}

export class DeploymentWriter {
  readonly #deployment: OwnDeployment;
  readonly #isOrphan: boolean;
  readonly #queue: ReportQueue;
  /** The last status that was written. */
  #last = '';

  /** Nothing is written before the first `update`. */
  constructor({ github, job, target, logger, isOrphan = false, signal }: DeploymentWriterOptions) {
    this.#deployment = new OwnDeployment({ github, repository: job.repository, target, logger, signal });
    this.#isOrphan = isOrphan;
    this.#queue = new ReportQueue({
      feature: 'deployment',
      write: view => this.#write(view),
      logger,
      signal,
    });
  }

  /** Never rejects. Resolves when this view, or a newer one, is written or given up. */
  update(view: PreviewView): Promise<void> {
    return this.#queue.update(view);
  }

  /** Resolves when nothing is left to write. */
  flush(): Promise<void> {
    return this.#queue.flush();
  }

  async #write(view: PreviewView): Promise<WriteResult> {
    const described = describeStatus(view);
    const status: DeploymentStatus = this.#isOrphan ? { ...described, state: 'inactive' } : described;
    const text = JSON.stringify(status);
    if (text === this.#last) return 'unchanged';
    const isOver = this.#isOrphan || view.state.kind === 'ended';
    await this.#deployment.write(status, isOver ? undefined : { endsAt: readEnd(view.state) });
    this.#last = text;
    if (!isOver) await this.#deployment.endEarlier(describeReplaced(view));
    return 'written';
  }
}

/** The status that shows a view. A deployment of a preview that is away for long counts as in progress again. */
export function describeStatus({ preview, state }: PreviewView): DeploymentStatus {
  const logUrl = preview.runUrl;
  const describe = (text: string) => sanitise(text, MAX_DESCRIPTION_LENGTH);
  switch (state.kind) {
    case 'starting':
      return { state: 'in_progress', description: describe(`Starting. ${renderEnd(state.endsAt)}`), logUrl };
    case 'live':
      return {
        state: 'success',
        description: describe(renderLive(preview, state)),
        ...linkTo(state.url),
        logUrl,
      };
    case 'reconnecting':
      return {
        state: 'in_progress',
        description: describe(`${OUTAGES[state.outage]} since ${renderTime(state.since)}.`),
        logUrl,
      };
    case 'ended':
      return {
        state: 'inactive',
        description: describe(`${ENDINGS[state.reason]} at ${renderTime(state.endedAt)}.`),
        logUrl,
      };
    case 'failed':
      return { state: 'failure', description: describe(`It failed: ${state.reason}`), logUrl };
  }
}

/** GitHub refuses addresses of other schemes than http and https. */
function linkTo(url: string): { environmentUrl?: string } {
  return /^https?:/i.test(url) ? { environmentUrl: url } : {};
}

function renderLive({ entry }: PreviewFacts, { url, endsAt }: PreviewState & { kind: 'live' }): string {
  const address = linkTo(url).environmentUrl === undefined ? `Live at ${url}.` : 'Live.';
  return [address, renderEnd(endsAt), ...(entry === undefined ? [] : [entry])].join(' ');
}

function renderEnd(endsAt: Date | undefined): string {
  return endsAt === undefined ? 'It ends with its job.' : `It ends at ${renderTime(endsAt)} at the latest.`;
}

function readEnd(state: PreviewState): Date | undefined {
  return 'endsAt' in state ? state.endsAt : undefined;
}

function describeReplaced({ preview, updatedAt }: PreviewView): DeploymentStatus {
  const description = `Its run had ended when a newer one began, at ${renderTime(updatedAt)}.`;
  return { state: 'inactive', description, logUrl: preview.runUrl };
}

/**
 * `preview/pr-7`, or `preview/main` without a pull request, and below it the preview's name if several may exist.
 * Letters and digits of all scripts stay, and `.`, `_`, `-` and `/`; everything else becomes `-`.
 */
export function nameEnvironment(subject: number | string, name: string | undefined): string {
  const about = typeof subject === 'number' ? `pr-${subject}` : renderRef(subject);
  const parts = ['preview', about, ...(name === undefined ? [] : [clean(name).replaceAll('/', '-')])];
  const whole = parts.filter(part => part !== '').join('/');
  return [...whole].slice(0, MAX_ENVIRONMENT_LENGTH).join('');
}

/** The name of a branch or tag. Each entry of a merge queue has a branch of its own, which soon is gone. */
function renderRef(ref: string): string {
  const name = ref.replace(/^refs\/(?:heads|tags|pull)\//, '');
  return name.startsWith('gh-readonly-queue/') ? 'merge-queue' : clean(name);
}

function clean(text: string): string {
  return text.replaceAll(/[^\p{L}\p{N}._/-]+/gu, '-').replaceAll(/^[-/]+|[-/]+$/g, '');
}
