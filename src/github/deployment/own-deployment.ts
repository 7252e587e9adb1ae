// Our one deployment: creates it, finds it again, gives it a status, and ends those that killed runs of the same preview
// left active. Used by deployment-writer.ts, which decides what the status says.

import * as v from 'valibot';
import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/log.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { type GitHub, GitHubError, type Parameters } from '../api.ts';
import { compareRuns, LONGEST_JOB_MS, type Run, readRunState } from '../run.ts';

/** Which deployment, of which run and preview. */
export interface DeploymentTarget extends Run {
  environment: string;
  /** The commit; the pull request's head, if there is one. */
  sha: string;
  /** Key of the preview's identity, the same in every run. */
  preview: string;
  /** A random text: two previews of one run may have the same identity, and must not end each other's deployment. */
  id: string;
}

/** `environmentUrl`: where the preview is. */
export interface DeploymentStatus {
  state: 'in_progress' | 'success' | 'failure' | 'inactive';
  /** At most 140 characters. */
  description: string;
  environmentUrl?: string;
  logUrl: string;
}

export interface OwnDeploymentOptions {
  github: GitHub;
  repository: { owner: string; name: string };
  target: DeploymentTarget;
  logger: Logger;
  signal?: AbortSignal | undefined;
}

/** What we write into a deployment, to find it again. Only who can push can create one, so it need not be proved. */
const PayloadSchema = v.object({
  preview: v.string(),
  run: v.pipe(v.string(), v.digits()),
  attempt: v.number(),
  id: v.string(),
  /** The latest time the preview can live, if that is known (ISO 8601). */
  ends: v.optional(v.string()),
});

/** GitHub returns the payload as it was sent, or as JSON text. */
const DeploymentSchema = v.object({
  id: v.number(),
  payload: v.optional(v.unknown()),
  created_at: v.optional(v.string(), ''),
});

/** The answer 202: GitHub has merged the base branch into the head instead, which we forbid. */
const CreatedSchema = v.union([DeploymentSchema, v.object({ message: v.string() })]);
const StatusSchema = v.object({ state: v.string() });
const StatusesSchema = v.array(StatusSchema);

/** One of our deployments in the list. */
interface Known extends Run {
  /** GitHub's own id. */
  deployment: number;
  createdAt: string;
  payload: v.InferOutput<typeof PayloadSchema>;
}

const ALL = '/repos/{owner}/{repo}/deployments';
const STATUSES = `${ALL}/{deployment_id}/statuses`;

/** How many deployments of an environment are read, the newest first: ours is among them. */
const LIST_LENGTH = 50;
/** How many earlier deployments are looked at. Each run does so, so that there are rarely more to end. */
const MAX_EARLIER = 5;
/** Less than the time for the last status of a preview (reporting.ts). */
const TIDY_TIMEOUT_MS = 5_000;
/** Other states mean that the deployment is not, or no longer, in use. */
const ACTIVE_STATES = ['success', 'in_progress', 'queued', 'pending', 'waiting'];

export class OwnDeployment {
  readonly #options: OwnDeploymentOptions;
  /** GitHub's id, once it is known. */
  #deployment: number | undefined;
  #earlier: Known[] = [];

  constructor(options: OwnDeploymentOptions) {
    this.#options = options;
  }

  /**
   * Gives the deployment a status, and creates it first if there is none and `endsAt` is given. Can be repeated after a
   * failure: it finds a deployment that the failed attempt created. Rejects with a GitHubError.
   */
  async write(status: DeploymentStatus, creation: { endsAt: Date | undefined } | undefined): Promise<void> {
    this.#deployment ??= await this.#find();
    if (this.#deployment !== undefined && (await this.#addStatus(this.#deployment, status))) return;
    this.#deployment = undefined;
    if (creation === undefined) return;
    this.#deployment = await this.#create(creation.endsAt);
    await this.#sendStatus(this.#deployment, status);
  }

  /**
   * Ends earlier deployments of this preview whose runs are over: they were killed. Never rejects, and gives up after a
   * moment: the next status of our own deployment waits for it.
   */
  async endEarlier(status: DeploymentStatus): Promise<void> {
    const earlier = this.#earlier.slice(0, MAX_EARLIER);
    this.#earlier = [];
    const limit = AbortSignal.timeout(TIDY_TIMEOUT_MS);
    const { signal } = this.#options;
    const tidy = new OwnDeployment({
      ...this.#options,
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    try {
      for (const known of earlier)
        if ((await tidy.#isActive(known)) && (await tidy.#isOver(known)))
          await tidy.#addStatus(known.deployment, status);
    } catch (error) {
      this.#options.logger.debug(`earlier deployments were not ended: ${describeError(error)}`);
    }
  }

  /** GitHub's id of our deployment; undefined if there is none. Notes those of earlier runs. */
  async #find(): Promise<number | undefined> {
    const { target } = this.#options;
    const parameters = { environment: target.environment, per_page: LIST_LENGTH };
    const all = await this.#request(v.array(DeploymentSchema), `GET ${ALL}`, parameters);
    const known = all
      .flatMap(item => readKnown(item))
      .filter(({ payload }) => payload.preview === target.preview);
    this.#earlier = known.filter(one => compareRuns(one, target) !== 0);
    return known.find(({ payload }) => payload.id === target.id)?.deployment;
  }

  async #create(endsAt: Date | undefined): Promise<number> {
    const { environment, sha, preview, id, runId, runAttempt } = this.#options.target;
    const ends = endsAt === undefined ? {} : { ends: endsAt.toISOString() };
    const created = await this.#request(CreatedSchema, `POST ${ALL}`, {
      ref: sha,
      environment,
      description: 'A preview from the runner, for as long as its job allows',
      payload: { preview, run: runId, attempt: runAttempt, id, ...ends },
      transient_environment: true,
      production_environment: false,
      // GitHub would merge the base branch into the head first, and refuse if some check has not passed yet, as that of
      // this job.
      auto_merge: false,
      required_contexts: [],
    });
    if ('id' in created) return created.id;
    throw new GitHubError(`GitHub created no deployment: ${sanitise(created.message)}`, { retryable: false });
  }

  /** False if the deployment is gone. */
  async #addStatus(deployment: number, status: DeploymentStatus): Promise<boolean> {
    try {
      await this.#sendStatus(deployment, status);
      return true;
    } catch (error) {
      if (error instanceof GitHubError && error.status === 404) return false;
      throw error;
    }
  }

  async #sendStatus(deployment: number, status: DeploymentStatus): Promise<void> {
    const { state, description, environmentUrl, logUrl } = status;
    await this.#request(StatusSchema, `POST ${STATUSES}`, {
      deployment_id: deployment,
      state,
      description,
      log_url: logUrl,
      ...(environmentUrl === undefined ? {} : { environment_url: environmentUrl }),
      // Otherwise a success ends the earlier deployments of the environment, also those of other tools.
      auto_inactive: false,
    });
  }

  async #isActive({ deployment }: Known): Promise<boolean> {
    const parameters = { deployment_id: deployment, per_page: 1 };
    const [newest] = await this.#request(StatusesSchema, `GET ${STATUSES}`, parameters);
    return newest === undefined || ACTIVE_STATES.includes(newest.state);
  }

  /** Whether the run's attempt has ended. A run that may still be alive keeps its deployment. */
  async #isOver(known: Known): Promise<boolean> {
    const { target } = this.#options;
    // A run is repeated only after it has ended.
    if (known.runId === target.runId) return known.runAttempt < target.runAttempt;
    const state = await readRunState({ ...this.#options, run: known }).catch(error => {
      if (error instanceof GitHubError) return 'hidden';
      throw error;
    });
    if (state === 'over' || state === 'alive') return state === 'over';
    if (compareRuns(known, target) > 0) return false;
    // Somebody has deleted an unknown run, which is possible only after its end.
    return state === 'unknown' || isPast(known);
  }

  #request = <S extends v.GenericSchema<unknown>>(schema: S, route: string, parameters: Parameters) => {
    const { github, repository, signal } = this.#options;
    const { owner, name: repo } = repository;
    return github.request(schema, route, { parameters: { owner, repo, ...parameters }, signal });
  };
}

function isPast({ payload, createdAt }: Known): boolean {
  const ends = Date.parse(payload.ends ?? '');
  const latest = Number.isNaN(ends) ? Date.parse(createdAt) + LONGEST_JOB_MS : ends;
  return latest < Date.now();
}

function readKnown({ id, payload, created_at }: v.InferOutput<typeof DeploymentSchema>): Known[] {
  const read = v.safeParse(PayloadSchema, parsePayload(payload));
  if (!read.success) return [];
  const { run, attempt } = read.output;
  return [{ deployment: id, createdAt: created_at, payload: read.output, runId: run, runAttempt: attempt }];
}

function parsePayload(payload: unknown): unknown {
  if (typeof payload !== 'string') return payload;
  try {
    return JSON.parse(payload);
  } catch {
    return undefined;
  }
}
