// The job as the runner describes it. step/job-environment.ts reads it from the environment and passes it to this
// folder, which never reads the environment itself.

export interface Job {
  eventName: string;
  /** The event's payload as GitHub sent it; checked where it is used. */
  event: unknown;
  repository: { owner: string; name: string };
  /** The commit the run belongs to: for a pull request the merge commit, not its head. */
  sha: string;
  ref: string;
  /** Grows from run to run within a repository; together with the attempt it orders runs by age. */
  runId: string;
  runAttempt: number;
  serverUrl: string;
  apiUrl: string;
  /** Path of the workflow file, or '' if the runner does not set it; a trailing `@ref` is ignored. */
  workflowRef: string;
  jobId: string;
  /** GITHUB_ACTION: distinguishes steps of one job. */
  stepId: string;
  /** The leg's values; `null` or `{}` if the job has no matrix. */
  matrix: unknown;
  /** Login of the user who caused the run. */
  actor: string;
}

/** The page of this attempt of the run, with its logs. */
export function renderRunUrl(job: Job): string {
  return `${renderRepositoryUrl(job)}/actions/runs/${job.runId}/attempts/${job.runAttempt}`;
}

/** The page of a commit. */
export function renderCommitUrl(job: Job, sha: string): string {
  return `${renderRepositoryUrl(job)}/commit/${sha}`;
}

function renderRepositoryUrl({ serverUrl, repository }: Job): string {
  return `${serverUrl.replace(/\/+$/, '')}/${repository.owner}/${repository.name}`;
}
