// What the server that plays GitHub knows: the shapes a test or the demo fills in, and what holds where they say
// nothing.

export interface FakeComment {
  id: number;
  /** Number of the issue or pull request. */
  issue: number;
  /** null: the author deleted the account, and GitHub shows nobody. */
  login: string | null;
  body: string;
  /** ISO 8601; the start of the server by default. */
  createdAt?: string;
  updatedAt?: string;
}

export interface FakePullRequest {
  number: number;
  state: 'open' | 'closed';
  /** `repo`: null if the fork is gone. */
  head: { sha: string; ref?: string; repo: { full_name: string } | null };
  base?: { sha: string; ref: string };
  title?: string;
  /** null: the author deleted the account. */
  login?: string | null;
  labels?: string[];
  draft?: boolean;
  /** Only together with `closed`. */
  merged?: boolean;
  /** Nobody may comment. */
  locked?: boolean;
  /** Commits on the branch apart from its head. */
  commits?: string[];
}

export interface FakeRun {
  attempt?: number;
  event?: string;
  /** Path of the workflow file. */
  path?: string;
  headSha?: string;
  headBranch?: string | null;
  headRepository?: string;
  /** Numbers; GitHub lists none for forks. */
  pullRequests?: number[];
  status?: 'queued' | 'in_progress' | 'completed' | 'waiting' | 'requested' | 'pending';
  conclusion?: 'success' | 'failure' | 'cancelled' | 'skipped' | 'timed_out' | 'neutral' | null;
  actor?: string;
  createdAt?: string;
}

export interface FakeDeployment {
  id: number;
  sha: string;
  ref: string;
  task: string;
  environment: string;
  description: string | null;
  payload: unknown;
  transient: boolean;
  production: boolean;
  login: string | null;
  createdAt: string;
  /** Oldest first. */
  statuses: FakeDeploymentStatus[];
}

export interface FakeDeploymentStatus {
  id: number;
  state: string;
  description: string;
  environmentUrl: string;
  logUrl: string;
  login: string | null;
  createdAt: string;
}

export interface FakeReaction {
  id: number;
  comment: number;
  login: string;
  content: string;
}

/** What happens instead of the real answer, for the requests it matches. */
export type Fault = FaultMatch & (FaultAnswer | FaultSilence);

interface FaultMatch {
  method?: string;
  /** Matches the path without the query. */
  path: RegExp;
  /** How many requests are answered normally before the first one it meets. */
  after?: number;
  /** How many requests it meets; forever where undefined. */
  times?: number;
}

interface FaultAnswer {
  status: number;
  /** GitHub's own words, in its usual JSON. */
  message: string;
  headers?: Record<string, string>;
  /** The whole body instead, for instance the HTML page of a load balancer. */
  body?: string;
}

/**
 * `hang`: no answer ever. `cut`: the connection ends without one; with `lose`, after the request was carried out. `cut
 * body`: it ends in the middle of the answer.
 */
interface FaultSilence {
  does: 'hang' | 'cut' | 'lose' | 'cut body';
}

/** Everything that may be looked at and changed; changes count from the next request on. */
export interface FakeState {
  repository: string;
  /** What the repository was called before: requests for these names are redirected, as GitHub does. */
  formerNames: string[];
  isPrivate: boolean;
  /** The token's user. */
  login: string;
  token: string;
  /** What the token may do with pull requests and their comments. */
  pullRequests: 'write' | 'read';
  deployments: 'write' | 'read';
  /** Whether the token may look at workflow runs. */
  actions: 'read' | 'none';
  comments: FakeComment[];
  pulls: FakePullRequest[];
  /** By run id; a number is the run's attempt. */
  runs: Record<string, number | FakeRun>;
  /** Oldest first. */
  deploymentList: FakeDeployment[];
  /** What users may do, by login: admin, maintain, write, triage or read. Others may read what is public. */
  roles: Record<string, string>;
  /** Oldest first. */
  reactions: FakeReaction[];
  faults: Fault[];
}

export function createState(changes: Partial<FakeState>): FakeState {
  return {
    repository: 'octo/app',
    formerNames: [],
    isPrivate: false,
    login: 'github-actions[bot]',
    token: 'ghs_test',
    pullRequests: 'write',
    deployments: 'write',
    actions: 'read',
    comments: [],
    pulls: [],
    runs: {},
    deploymentList: [],
    roles: {},
    reactions: [],
    faults: [],
    ...changes,
  };
}

/** Higher than all that are there. */
export function nextId(taken: readonly { id: number }[]): number {
  return Math.max(1000, ...taken.map(({ id }) => id)) + 1;
}
