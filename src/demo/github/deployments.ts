// Deployments and their statuses.

import {
  type Answer,
  type Call,
  NO_ACCESS,
  nodeId,
  notFound,
  paginate,
  type Route,
  readBoolean,
  readField,
  readString,
  refuse,
  refuseField,
} from './exchange.ts';
import { API } from './repository.ts';
import { type FakeDeployment, type FakeDeploymentStatus, type FakeState, nextId } from './state.ts';
import { describeAuthor } from './users.ts';

const STATES = ['error', 'failure', 'inactive', 'in_progress', 'queued', 'pending', 'success'];

export const DEPLOYMENT_ROUTES: readonly Route[] = [
  [/^GET \/deployments$/, listDeployments],
  [/^POST \/deployments$/, createDeployment],
  [/^GET \/deployments\/(\d+)$/, showDeployment],
  [/^DELETE \/deployments\/(\d+)$/, deleteDeployment],
  [/^GET \/deployments\/(\d+)\/statuses$/, listStatuses],
  [/^POST \/deployments\/(\d+)\/statuses$/, createStatus],
  [/^GET \/deployments\/(\d+)\/statuses\/(\d+)$/, showStatus],
];

/** Newest first. */
function listDeployments(state: FakeState, call: Call): Answer {
  const found = state.deploymentList.filter(deployment =>
    (['sha', 'ref', 'task', 'environment'] as const).every(name => {
      const wanted = call.url.searchParams.get(name);
      return wanted === null || wanted === 'none' || deployment[name] === wanted;
    }),
  );
  return paginate(
    found.reverse().map(deployment => describeDeployment(state, deployment)),
    call,
    state,
  );
}

function createDeployment(state: FakeState, call: Call): Answer {
  const refusal = refuseWrite(state, call);
  if (refusal) return refusal;
  const ref = readString(call, 'ref') ?? '';
  if (ref === '') return refuseField('Deployment', 'ref');
  const sha = resolveRef(state, ref);
  if (sha === undefined) return refuse(422, `No ref found for: ${ref}`);
  // Without `required_contexts: []`, all commit statuses must be green; those of a running job never are.
  if (readField(call.body, 'required_contexts') === undefined)
    return refuse(409, `Conflict: Commit status checks failed for ${ref}.`);
  if (readBoolean(call, 'auto_merge') !== false && sha !== '0'.repeat(40))
    return refuse(409, `Conflict merging main into ${ref}.`);
  const environment = readString(call, 'environment') ?? 'production';
  const deployment: FakeDeployment = {
    id: nextId(state.deploymentList),
    sha,
    ref,
    task: readString(call, 'task') ?? 'deploy',
    environment,
    description: readString(call, 'description') ?? null,
    payload: readField(call.body, 'payload') ?? {},
    transient: readBoolean(call, 'transient_environment') ?? false,
    production: readBoolean(call, 'production_environment') ?? environment === 'production',
    login: state.login,
    createdAt: new Date().toISOString(),
    statuses: [],
  };
  state.deploymentList.push(deployment);
  return { status: 201, body: describeDeployment(state, deployment) };
}

/** Every commit exists, and every branch: only names that git forbids do not. */
function resolveRef({ pulls }: FakeState, ref: string): string | undefined {
  if (/^[0-9a-f]{40}$/.test(ref)) return ref;
  if (/[\s~^:?*[\\]|\.\.|\/$/.test(ref)) return undefined;
  const name = ref.replace(/^refs\/heads\//, '');
  return pulls.find(({ head }) => head.ref === name)?.head.sha ?? '0'.repeat(40);
}

function showDeployment(state: FakeState, _call: Call, id = ''): Answer {
  const deployment = findDeployment(state, id);
  return deployment ? { status: 200, body: describeDeployment(state, deployment) } : notFound();
}

function deleteDeployment(state: FakeState, call: Call, id = ''): Answer {
  const refusal = refuseWrite(state, call);
  if (refusal) return refusal;
  const deployment = findDeployment(state, id);
  if (deployment === undefined) return notFound();
  const isOnly =
    state.deploymentList.filter(({ environment }) => environment === deployment.environment).length === 1;
  const isActive = deployment.statuses.at(-1)?.state !== 'inactive';
  if (isActive && !isOnly)
    return refuse(
      422,
      'We cannot delete an active deployment unless it is the only deployment in a given environment.',
    );
  state.deploymentList.splice(state.deploymentList.indexOf(deployment), 1);
  return { status: 204 };
}

/** Newest first. */
function listStatuses(state: FakeState, call: Call, id = ''): Answer {
  const deployment = findDeployment(state, id);
  if (deployment === undefined) return notFound();
  const statuses = [...deployment.statuses].reverse();
  return paginate(
    statuses.map(status => describeStatus(state, deployment, status)),
    call,
    state,
  );
}

function showStatus(state: FakeState, _call: Call, id = '', statusId = ''): Answer {
  const deployment = findDeployment(state, id);
  const status = deployment?.statuses.find(candidate => candidate.id === Number(statusId));
  return deployment && status ? { status: 200, body: describeStatus(state, deployment, status) } : notFound();
}

function createStatus(state: FakeState, call: Call, id = ''): Answer {
  const refusal = refuseWrite(state, call);
  if (refusal) return refusal;
  const deployment = findDeployment(state, id);
  if (deployment === undefined) return notFound();
  const wanted = readString(call, 'state') ?? '';
  if (!STATES.includes(wanted)) return refuseField('DeploymentStatus', 'state', 'custom');
  const description = readString(call, 'description') ?? '';
  if (description.length > 140)
    return refuse(422, 'Validation Failed', [
      {
        resource: 'DeploymentStatus',
        code: 'custom',
        field: 'description',
        message: 'description is too long (maximum is 140 characters)',
      },
    ]);
  const status = addStatus(state, deployment, {
    state: wanted,
    description,
    environmentUrl: readString(call, 'environment_url') ?? '',
    logUrl: readString(call, 'log_url') ?? readString(call, 'target_url') ?? '',
  });
  if (wanted === 'success' && readBoolean(call, 'auto_inactive') !== false)
    deactivateOthers(state, deployment);
  return { status: 201, body: describeStatus(state, deployment, status) };
}

/** A success ends the earlier deployments of the environment, except transient and production ones (GitHub docs). */
function deactivateOthers(state: FakeState, current: FakeDeployment): void {
  for (const other of state.deploymentList) {
    const sameEnvironment = other.environment === current.environment && other.id < current.id;
    if (
      sameEnvironment &&
      !other.transient &&
      !other.production &&
      other.statuses.at(-1)?.state === 'success'
    )
      addStatus(state, other, { state: 'inactive', description: '', environmentUrl: '', logUrl: '' });
  }
}

function addStatus(
  state: FakeState,
  deployment: FakeDeployment,
  status: Omit<FakeDeploymentStatus, 'id' | 'login' | 'createdAt'>,
): FakeDeploymentStatus {
  const all = state.deploymentList.flatMap(({ statuses }) => statuses);
  const added = { ...status, id: nextId(all), login: state.login, createdAt: new Date().toISOString() };
  deployment.statuses.push(added);
  return added;
}

function findDeployment(state: FakeState, id: string): FakeDeployment | undefined {
  return state.deploymentList.find(candidate => candidate.id === Number(id));
}

function refuseWrite(state: FakeState, call: Call): Answer | undefined {
  if (call.token === '') return refuse(401, 'Requires authentication');
  return state.deployments === 'write' ? undefined : refuse(403, NO_ACCESS);
}

function describeDeployment({ repository }: FakeState, deployment: FakeDeployment) {
  const { id, sha, ref, task, environment, description, payload, login, createdAt } = deployment;
  const url = `${API}/repos/${repository}/deployments/${id}`;
  return {
    id,
    node_id: nodeId('Deployment', id),
    url,
    statuses_url: `${url}/statuses`,
    repository_url: `${API}/repos/${repository}`,
    sha,
    ref,
    task,
    environment,
    original_environment: environment,
    description,
    payload,
    creator: describeAuthor(login),
    created_at: createdAt,
    updated_at: deployment.statuses.at(-1)?.createdAt ?? createdAt,
    transient_environment: deployment.transient,
    production_environment: deployment.production,
    performed_via_github_app: null,
  };
}

function describeStatus({ repository }: FakeState, deployment: FakeDeployment, status: FakeDeploymentStatus) {
  const deploymentUrl = `${API}/repos/${repository}/deployments/${deployment.id}`;
  return {
    id: status.id,
    node_id: nodeId('DeploymentStatus', status.id),
    url: `${deploymentUrl}/statuses/${status.id}`,
    deployment_url: deploymentUrl,
    repository_url: `${API}/repos/${repository}`,
    state: status.state,
    description: status.description,
    environment: deployment.environment,
    environment_url: status.environmentUrl,
    log_url: status.logUrl,
    target_url: status.logUrl,
    creator: describeAuthor(status.login),
    created_at: status.createdAt,
    updated_at: status.createdAt,
    performed_via_github_app: null,
  };
}
