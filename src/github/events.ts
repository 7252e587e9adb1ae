// Reads and checks the payloads of `issue_comment` and `workflow_run`, which name a pull request without describing it.
// Used by fork-rules and pull-request.

import * as v from 'valibot';
import type { Job } from './job.ts';

const IssueEvent = v.object({
  issue: v.object({ number: v.number(), pull_request: v.optional(v.object({})) }),
});

const Actor = v.nullish(v.object({ login: v.string() }));

const WorkflowRunEvent = v.object({
  workflow_run: v.object({
    event: v.string(),
    head_sha: v.string(),
    head_branch: v.nullish(v.string()),
    /** null: the repository is gone. */
    head_repository: v.nullable(v.object({ full_name: v.string() })),
    /** Empty for forks. */
    pull_requests: v.optional(v.array(v.object({ number: v.number() })), []),
    actor: Actor,
    triggering_actor: Actor,
  }),
});

/** `pull_request` is absent for a plain issue. */
export type Issue = v.InferOutput<typeof IssueEvent>['issue'];
export type WorkflowRun = v.InferOutput<typeof WorkflowRunEvent>['workflow_run'];

/** What an `issue_comment` event is about; undefined for other events. */
export function readIssue({ event }: Job): Issue | undefined {
  const result = v.safeParse(IssueEvent, event);
  return result.success ? result.output.issue : undefined;
}

/** The run that a `workflow_run` event waited for; undefined for other events. */
export function readWorkflowRun({ event }: Job): WorkflowRun | undefined {
  const result = v.safeParse(WorkflowRunEvent, event);
  return result.success ? result.output.workflow_run : undefined;
}
