// Reads and checks the payloads of `issue_comment` and `workflow_run`, which name a pull request without describing it.
// Used by fork-rules and pull-request.

import * as v from 'valibot';
import type { Job } from './job.ts';

const IssueEvent = v.object({
  issue: v.object({ number: v.number(), pull_request: v.optional(v.object({})) }),
});

const Actor = v.nullish(v.object({ login: v.string() }));

const Id = v.optional(v.number());

/** A pull request as a run lists it: without the names of the repositories. */
const ListedPullRequest = v.object({
  number: v.number(),
  head: v.optional(v.object({ sha: v.string() })),
  base: v.optional(v.object({ repo: v.object({ id: Id }) })),
});

const WorkflowRunEvent = v.object({
  workflow_run: v.object({
    event: v.string(),
    head_sha: v.string(),
    head_branch: v.nullish(v.string()),
    /** null: the repository is gone. */
    head_repository: v.nullable(v.object({ full_name: v.string(), id: Id })),
    /** Empty for forks (actions/runner 3444). May list pull requests of another repository, or with a newer head. */
    pull_requests: v.nullish(v.array(ListedPullRequest), []),
    actor: Actor,
    triggering_actor: Actor,
  }),
  repository: v.optional(v.object({ id: Id })),
});

/** `pull_request` is absent for a plain issue. */
export type Issue = v.InferOutput<typeof IssueEvent>['issue'];
export interface WorkflowRun
  extends Omit<v.InferOutput<typeof WorkflowRunEvent>['workflow_run'], 'pull_requests'> {
  /** The pull requests of this repository that had the run's commit as their head, oldest first. */
  pullRequests: readonly number[];
  /** Whether the head repository is this one, by its id; undefined if the event has no ids. */
  isOwnHead: boolean | undefined;
}

/** What an `issue_comment` event is about; undefined for other events. */
export function readIssue({ event }: Job): Issue | undefined {
  const result = v.safeParse(IssueEvent, event);
  return result.success ? result.output.issue : undefined;
}

/** The run that a `workflow_run` event waited for; undefined for other events. */
export function readWorkflowRun({ event }: Job): WorkflowRun | undefined {
  const result = v.safeParse(WorkflowRunEvent, event);
  if (!result.success) return undefined;
  const { workflow_run, repository } = result.output;
  const { pull_requests, ...run } = workflow_run;
  const pullRequests = pull_requests
    .filter(
      ({ head, base }) => head?.sha === run.head_sha && compareIds(base?.repo.id, repository?.id) !== false,
    )
    .map(({ number }) => number)
    .sort((a, b) => a - b);
  return { ...run, pullRequests, isOwnHead: compareIds(run.head_repository?.id, repository?.id) };
}

/** Whether two repositories are the same one; undefined if an id is missing. A repository keeps its id when renamed. */
export function compareIds(a: number | undefined, b: number | undefined): boolean | undefined {
  return a === undefined || b === undefined ? undefined : a === b;
}
