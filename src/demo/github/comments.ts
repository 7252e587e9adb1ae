// The comments of issues and pull requests.

import {
  type Answer,
  type Call,
  NO_ACCESS,
  nodeId,
  notFound,
  paginate,
  type Route,
  readString,
  refuse,
} from './exchange.ts';
import { API } from './repository.ts';
import { type FakeComment, type FakeState, nextId } from './state.ts';
import { describeAuthor } from './users.ts';

const MAX_BODY_LENGTH = 65_536;
const LONG_AGO = '2026-01-01T00:00:00Z';

export const COMMENT_ROUTES: readonly Route[] = [
  [/^GET \/issues\/(\d+)\/comments$/, listComments],
  [/^POST \/issues\/(\d+)\/comments$/, createComment],
  [/^GET \/issues\/comments\/(\d+)$/, showComment],
  [/^PATCH \/issues\/comments\/(\d+)$/, editComment],
  [/^DELETE \/issues\/comments\/(\d+)$/, deleteComment],
];

function listComments(state: FakeState, call: Call, issue = ''): Answer {
  const since = Date.parse(call.url.searchParams.get('since') ?? LONG_AGO);
  const found = state.comments.filter(
    comment => comment.issue === Number(issue) && Date.parse(comment.updatedAt ?? LONG_AGO) >= since,
  );
  return paginate(
    found.map(comment => describeComment(state, comment)),
    call,
    state,
  );
}

function createComment(state: FakeState, call: Call, issue = ''): Answer {
  const refusal = refuseWrite(state, call);
  if (refusal) return refusal;
  const pull = state.pulls.find(({ number }) => number === Number(issue));
  if (pull?.locked) return refuse(403, 'Unable to create comment because issue is locked.');
  const now = new Date().toISOString();
  const comment: FakeComment = {
    id: nextId(state.comments),
    issue: Number(issue),
    login: state.login,
    body: readString(call, 'body') ?? '',
    createdAt: now,
    updatedAt: now,
  };
  state.comments.push(comment);
  const described = describeComment(state, comment);
  return { status: 201, body: described, headers: { location: described.url } };
}

function showComment(state: FakeState, _call: Call, id = ''): Answer {
  const comment = findComment(state, id);
  return comment ? { status: 200, body: describeComment(state, comment) } : notFound();
}

function editComment(state: FakeState, call: Call, id = ''): Answer {
  const comment = findComment(state, id);
  if (comment === undefined) return notFound();
  const refusal = refuseWrite(state, call);
  if (refusal) return refusal;
  comment.body = readString(call, 'body') ?? '';
  comment.updatedAt = new Date().toISOString();
  return { status: 200, body: describeComment(state, comment) };
}

function deleteComment(state: FakeState, call: Call, id = ''): Answer {
  const comment = findComment(state, id);
  if (comment === undefined) return notFound();
  const refusal = refuseAccess(state, call);
  if (refusal) return refusal;
  state.comments.splice(state.comments.indexOf(comment), 1);
  return { status: 204 };
}

function findComment(state: FakeState, id: string): FakeComment | undefined {
  return state.comments.find(candidate => candidate.id === Number(id));
}

function refuseAccess(state: FakeState, call: Call): Answer | undefined {
  if (call.token === '') return refuse(401, 'Requires authentication');
  return state.pullRequests === 'write' ? undefined : refuse(403, NO_ACCESS);
}

function refuseWrite(state: FakeState, call: Call): Answer | undefined {
  const refusal = refuseAccess(state, call);
  if (refusal) return refusal;
  const text = readString(call, 'body') ?? '';
  const invalid = (message: string) =>
    refuse(422, 'Validation Failed', [
      { resource: 'IssueComment', code: 'unprocessable', field: 'data', message },
    ]);
  if (text.trim() === '') return invalid('Body cannot be blank');
  return text.length > MAX_BODY_LENGTH
    ? invalid('Body is too long (maximum is 65536 characters)')
    : undefined;
}

function describeComment({ repository }: FakeState, comment: FakeComment) {
  const { id, issue, login, body, createdAt = LONG_AGO, updatedAt = createdAt } = comment;
  const url = `${API}/repos/${repository}/issues/comments/${id}`;
  return {
    id,
    node_id: nodeId('IssueComment', id),
    url,
    html_url: `https://github.com/${repository}/pull/${issue}#issuecomment-${id}`,
    issue_url: `${API}/repos/${repository}/issues/${issue}`,
    body,
    user: describeAuthor(login),
    created_at: createdAt,
    updated_at: updatedAt,
    author_association: login?.endsWith('[bot]') ? 'NONE' : 'CONTRIBUTOR',
    performed_via_github_app: null,
  };
}
