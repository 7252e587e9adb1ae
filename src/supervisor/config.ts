// The one document a supervisor gets on its standard input: everything it needs, checked again on arrival.
// It is never in a file, an argument or the environment, because it contains the bore secret and the GitHub token.

import * as v from 'valibot';
import { ExposureConfigSchema } from '../exposure/config.ts';
import { LOG_LEVELS } from '../shared/log.ts';

/** What comment and summary show apart from the state. */
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

export const SupervisorConfigSchema = v.object({
  /** The session folder. */
  folder: v.string(),
  name: v.string(),
  controlToken: v.string(),
  logLevel: v.picklist(LOG_LEVELS),
  exposure: ExposureConfigSchema,
  /** The preview ends when this file appears; set only if the step holds. */
  continueFile: v.optional(v.string()),
  /** The runner's worker: the job is over when it is gone. */
  runner: v.optional(v.object({ pid: v.number(), startTime: v.string() })),
  /** Where the comment is written; absent without a pull request or a token, or with `comment: false`. */
  comment: v.optional(
    v.object({
      job: JobSchema,
      token: v.string(),
      pullRequest: v.number(),
      identity: v.object({ key: v.string(), name: v.string() }),
      preview: PreviewSchema,
    }),
  ),
});

export type SupervisorConfig = v.InferOutput<typeof SupervisorConfigSchema>;
