// Runs of workflows: which of two is newer, and whether one is over. Comment and deployment ask this about the run that
// wrote them last.

import * as v from 'valibot';
import { type GitHub, GitHubError } from './api.ts';

/** One attempt of one workflow run. `runId` is a decimal number that may outgrow a double. */
export interface Run {
  runId: string;
  runAttempt: number;
}

/** No job lasts longer, not even on a self-hosted runner (GitHub's documented limit). */
export const LONGEST_JOB_MS = 5 * 24 * 3_600_000;

/** `unknown`: GitHub has no such run. `hidden`: the token may not look, because it lacks `actions: read`. */
export type RunState = 'alive' | 'over' | 'unknown' | 'hidden';

const RunSchema = v.object({ run_attempt: v.optional(v.number(), 1), status: v.nullish(v.string(), null) });

/** Negative if `a` is the older run, positive if it is the newer one, 0 if both are the same attempt. */
export function compareRuns(a: Run, b: Run): number {
  const [idA, idB] = [BigInt(a.runId), BigInt(b.runId)];
  if (idA !== idB) return idA < idB ? -1 : 1;
  return a.runAttempt - b.runAttempt;
}

/** Asks GitHub. Rejects with a GitHubError for every other refusal, or with the reason of the signal. */
export async function readRunState(options: {
  github: GitHub;
  repository: { owner: string; name: string };
  run: Run;
  signal?: AbortSignal | undefined;
}): Promise<RunState> {
  const { github, repository, run, signal } = options;
  const parameters = { owner: repository.owner, repo: repository.name, run_id: run.runId };
  try {
    const route = 'GET /repos/{owner}/{repo}/actions/runs/{run_id}';
    const now = await github.request(RunSchema, route, { parameters, signal });
    if (now.run_attempt < run.runAttempt) return 'unknown';
    return now.run_attempt > run.runAttempt || now.status === 'completed' ? 'over' : 'alive';
  } catch (error) {
    if (!(error instanceof GitHubError)) throw error;
    if (error.status === 404) return 'unknown';
    if (error.status === 403) return 'hidden';
    throw error;
  }
}
