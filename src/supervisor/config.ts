// The one document a supervisor gets on its standard input: everything it needs, checked again on arrival.
// It is never in a file, an argument or the environment, because it contains the bore secret and the GitHub token.

import * as v from 'valibot';
import { ExposureConfigSchema } from '../exposure/config.ts';
import { WatchedPullRequestSchema } from '../github/pull-request-watch.ts';
import { MAX_DURATION_MS } from '../shared/duration.ts';
import { LOG_LEVELS } from '../shared/log.ts';

/** What comment, deployment and summary show apart from the state. */
export const PreviewSchema = v.object({
  commit: v.string(),
  /** What visitors need apart from the link; absent if the link is enough. */
  entry: v.optional(v.string()),
  openWarning: v.optional(v.string()),
  warnings: v.array(v.string()),
  /**
   * Whether comment and summary may show the app's own lines. Not if the app was given values through `env`: the runner
   * masks secrets in logs only.
   */
  showConsole: v.boolean(),
});

const JobSchema = v.object({
  eventName: v.string(),
  event: v.unknown(),
  repository: v.object({ owner: v.string(), name: v.string() }),
  sha: v.string(),
  ref: v.string(),
  runId: v.string(),
  runAttempt: v.number(),
  serverUrl: v.string(),
  apiUrl: v.string(),
  workflowRef: v.string(),
  jobId: v.string(),
  stepId: v.string(),
  matrix: v.unknown(),
  actor: v.string(),
});

/** Where the preview is reported, and as what. post needs the same if the supervisor dies. */
export const ReportSchema = v.object({
  identity: v.object({ key: v.string(), name: v.string() }),
  preview: PreviewSchema,
  /** Absent without a pull request, or with `comment: false`. `instance`: hex digits that no other step has. */
  comment: v.optional(v.object({ pullRequest: v.number(), instance: v.string() })),
  /** Absent without `deployment: true`. `id`: tells this preview's deployment from all others. */
  deployment: v.optional(v.object({ environment: v.string(), sha: v.string(), id: v.string() })),
  /** Whether the token is likely to be read-only, as in a fork's job, so that a refusal needs no warning. */
  expectsRefusal: v.optional(v.boolean()),
});

/** What ends the preview from outside; nothing does if all are absent. */
const EndsSchema = v.object({
  /** The preview ends when nobody has used it for so long. */
  idleTimeoutMs: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(MAX_DURATION_MS))),
  /** The preview ends when this file appears; set only if the step holds. */
  continueFile: v.optional(v.string()),
  /** The preview ends with what happens to it; only with `github`. */
  pullRequest: v.optional(WatchedPullRequestSchema),
  /** The runner's worker: the job is over when it is gone. */
  runner: v.optional(v.object({ pid: v.number(), startTime: v.string() })),
});

export const SupervisorConfigSchema = v.object({
  /** The session folder. */
  folder: v.string(),
  name: v.string(),
  controlToken: v.string(),
  logLevel: v.picklist(LOG_LEVELS),
  exposure: ExposureConfigSchema,
  ends: v.optional(EndsSchema),
  /** Access to GitHub, for the reports and the ends; absent outside of a job, or without a token. */
  github: v.optional(v.object({ job: JobSchema, token: v.string() })),
  /** What is reported to GitHub; absent without `github`. */
  report: v.optional(ReportSchema),
});

export type SupervisorConfig = v.InferOutput<typeof SupervisorConfigSchema>;
export type EndsConfig = v.InferOutput<typeof EndsSchema>;
export type ReportConfig = v.InferOutput<typeof ReportSchema>;
