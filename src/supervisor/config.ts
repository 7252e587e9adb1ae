// The one document a supervisor gets on its standard input: everything it needs, checked again on arrival.
// It never lies in a file, an argument or the environment, for it holds the bore secret and the GitHub token.

import * as v from 'valibot';
import { ExposureConfigSchema } from '../exposure/config.ts';
import { LOG_LEVELS } from '../shared/log.ts';

/** What comment and summary say beside the state. */
export const PreviewSchema = v.object({
  commit: v.string(),
  /** How visitors get in, where the link alone does not do it. */
  entry: v.optional(v.string()),
  openWarning: v.optional(v.string()),
  warnings: v.array(v.string()),
  /**
   * Whether the app's own lines may stand in comment and summary. Not where `env` handed it values: the runner masks
   * secrets in logs, and nowhere else.
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
  /** A file whose appearing ends a hold. */
  continueFile: v.optional(v.string()),
  /** The runner's worker: when it is gone, so is the job. */
  runner: v.optional(v.object({ pid: v.number(), startTime: v.string() })),
  /** Whom to tell on GitHub; absent where there is no pull request, no token, or no wish for a comment. */
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
