// What people may do in the repository, and their reactions to comments.

import {
  type Answer,
  type Call,
  NO_ACCESS,
  nodeId,
  notFound,
  type Route,
  readString,
  refuse,
  refuseField,
} from './exchange.ts';
import { type FakeState, nextId } from './state.ts';
import { describeUser } from './users.ts';

export const PEOPLE_ROUTES: readonly Route[] = [
  [/^GET \/collaborators\/([^/]+)\/permission$/, showPermission],
  [/^POST \/issues\/comments\/(\d+)\/reactions$/, createReaction],
];

const REACTIONS = ['+1', '-1', 'laugh', 'confused', 'heart', 'hooray', 'rocket', 'eyes'];

/** The old names of roles, which scripts compare: `maintain` shows as `write`, `triage` as `read`. */
const PERMISSIONS: Readonly<Record<string, string>> = {
  admin: 'admin',
  maintain: 'write',
  write: 'write',
  triage: 'read',
  read: 'read',
};

function showPermission({ roles, isPrivate }: FakeState, call: Call, login = ''): Answer {
  if (call.token === '') return refuse(401, 'Requires authentication');
  const role = roles[login] ?? (isPrivate ? undefined : 'read');
  if (role === undefined) return notFound();
  const user = { ...describeUser(login), role_name: role };
  return { status: 200, body: { permission: PERMISSIONS[role] ?? 'none', role_name: role, user } };
}

function createReaction(state: FakeState, call: Call, comment = ''): Answer {
  if (call.token === '') return refuse(401, 'Requires authentication');
  if (state.pullRequests !== 'write') return refuse(403, NO_ACCESS);
  if (!state.comments.some(({ id }) => id === Number(comment))) return notFound();
  const content = readString(call, 'content') ?? '';
  if (!REACTIONS.includes(content)) return refuseField('Reaction', 'content', 'invalid');
  const wanted = { comment: Number(comment), login: state.login, content };
  const known = state.reactions.find(
    other => other.comment === wanted.comment && other.login === wanted.login && other.content === content,
  );
  const { id, login } = known ?? { id: nextId(state.reactions), ...wanted };
  if (known === undefined) state.reactions.push({ id, ...wanted });
  const created_at = new Date().toISOString();
  const body = { id, node_id: nodeId('Reaction', id), user: describeUser(login), content, created_at };
  return { status: known === undefined ? 201 : 200, body };
}
