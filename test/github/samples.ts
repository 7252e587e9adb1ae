// A sample job, a sample preview and a recording logger. Used by the tests of the comment, the fork rules and the API.

import type { Job } from '../../src/github/job.ts';
import {
  describePreview,
  type PreviewFacts,
  type PreviewState,
  type PreviewView,
} from '../../src/github/view.ts';
import type { Logger } from '../../src/shared/log.ts';

export const HEAD = 'a1b2c3d4e5f60718293a4b5c6d7e8f9001122334';
export const MERGE = 'ffffffffffffffffffffffffffffffffffffffff';

export function sampleJob(changes: Partial<Job> = {}): Job {
  return {
    eventName: 'pull_request',
    event: { pull_request: samplePull('octo/app') },
    repository: { owner: 'octo', name: 'app' },
    sha: MERGE,
    ref: 'refs/pull/7/merge',
    runId: '100',
    runAttempt: 1,
    serverUrl: 'https://github.com',
    apiUrl: 'http://127.0.0.1:9',
    workflowRef: '.github/workflows/preview.yml',
    jobId: 'preview',
    stepId: '__wasmrun_expose-action',
    matrix: null,
    actor: 'mona',
    ...changes,
  };
}

export function samplePull(repository: string | null, sha = HEAD, state: 'open' | 'closed' = 'open') {
  const repo = repository === null ? null : { full_name: repository };
  return { number: 7, state, head: { sha, repo } };
}

/** The payload of a `workflow_run` event. */
export function sampleWorkflowRun(changes: object = {}) {
  const head_repository = { full_name: 'octo/app' };
  return { workflow_run: { event: 'pull_request', head_sha: HEAD, head_repository, ...changes } };
}

export function sampleView(
  state: PreviewState = { kind: 'starting' },
  changes: Partial<PreviewFacts> = {},
): PreviewView {
  const facts = { name: 'web', mode: 'os', commit: HEAD, warnings: [] } as const;
  const preview = { ...describePreview(sampleJob(), facts), ...changes };
  return { preview, state, updatedAt: new Date('2026-05-04T10:02:33Z') };
}

/** Keeps the messages, as `level: message`. */
export function recordLog(): Logger & { lines: string[] } {
  const lines: string[] = [];
  const say = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
  return { lines, debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
}
