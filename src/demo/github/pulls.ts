// Pull requests: one, those with a head, those of a commit, and their labels.

import { type Answer, type Call, idOf, nodeId, notFound, paginate, type Route } from './exchange.ts';
import { API, describeRepository } from './repository.ts';
import type { FakePullRequest, FakeState } from './state.ts';
import { describeAuthor, describeUser } from './users.ts';

const DATE = '2026-01-01T00:00:00Z';

export const PULL_ROUTES: readonly Route[] = [
  [/^GET \/pulls\/(\d+)$/, showPullRequest],
  [/^GET \/pulls$/, listPullRequests],
  [/^GET \/commits\/([^/]+)\/pulls$/, listPullRequestsOfCommit],
  [/^GET \/issues\/(\d+)\/labels$/, listLabels],
];

function showPullRequest(state: FakeState, _call: Call, number = ''): Answer {
  const pull = findPull(state, number);
  if (pull === undefined) return notFound();
  const counts = { additions: 1, deletions: 1, changed_files: 1, commits: 1, review_comments: 0 };
  const comments = state.comments.filter(({ issue }) => issue === pull.number).length;
  return {
    status: 200,
    body: {
      ...describePull(state, pull),
      ...counts,
      comments,
      mergeable: null,
      mergeable_state: 'unknown',
      merged: pull.merged ?? false,
      merged_by: pull.merged ? describeUser('mona') : null,
      maintainer_can_modify: false,
    },
  };
}

/** `head` is `owner:branch`. */
function listPullRequests(state: FakeState, call: Call): Answer {
  const { searchParams } = call.url;
  const wanted = searchParams.get('state') ?? 'open';
  const head = searchParams.get('head');
  const found = state.pulls.filter(
    pull =>
      (wanted === 'all' || pull.state === wanted) &&
      (head === null || renderHead(state, pull).label === head),
  );
  return paginate(
    found.map(pull => describePull(state, pull)),
    call,
    state,
  );
}

function listPullRequestsOfCommit(state: FakeState, call: Call, sha = ''): Answer {
  const found = state.pulls.filter(({ head, commits = [] }) => head.sha === sha || commits.includes(sha));
  return paginate(
    found.map(pull => describePull(state, pull)),
    call,
    state,
  );
}

function listLabels(state: FakeState, call: Call, number = ''): Answer {
  const labels = findPull(state, number)?.labels ?? [];
  return paginate(
    labels.map(name => describeLabel(state, name)),
    call,
    state,
  );
}

function findPull(state: FakeState, number: string): FakePullRequest | undefined {
  return state.pulls.find(candidate => candidate.number === Number(number));
}

function renderHead(state: FakeState, { head, number }: FakePullRequest) {
  const [owner = 'unknown'] = (head.repo?.full_name ?? 'unknown').split('/');
  const ref = head.ref ?? `change-${number}`;
  const name = head.repo?.full_name;
  return {
    label: `${owner}:${ref}`,
    ref,
    sha: head.sha,
    user: name === undefined ? null : describeUser(owner),
    repo: name === undefined ? null : describeRepository(name, state.isPrivate, name !== state.repository),
  };
}

/** The form of a list; `GET /pulls/{number}` adds to it. */
export function describePull(state: FakeState, pull: FakePullRequest) {
  const { number, merged = false } = pull;
  const { repository, isPrivate } = state;
  const [owner = ''] = repository.split('/');
  const base = pull.base ?? { ref: 'main', sha: '0'.repeat(40) };
  const api = `${API}/repos/${repository}`;
  const url = `${api}/pulls/${number}`;
  const page = `https://github.com/${repository}/pull/${number}`;
  const closedAt = pull.state === 'closed' ? DATE : null;
  const links = {
    html: page,
    self: url,
    issue: `${api}/issues/${number}`,
    comments: `${api}/issues/${number}/comments`,
    commits: `${url}/commits`,
    statuses: `${api}/statuses/${pull.head.sha}`,
    review_comments: `${url}/comments`,
    review_comment: `${api}/pulls/comments{/number}`,
  };
  return {
    id: idOf(`${repository}#${number}`),
    node_id: nodeId('PullRequest', number),
    number,
    state: pull.state,
    locked: pull.locked ?? false,
    active_lock_reason: null,
    title: pull.title ?? `Change ${number}`,
    body: null,
    user: describeAuthor(pull.login),
    labels: (pull.labels ?? []).map(name => describeLabel(state, name)),
    milestone: null,
    draft: pull.draft ?? false,
    assignee: null,
    assignees: [],
    requested_reviewers: [],
    requested_teams: [],
    head: renderHead(state, pull),
    base: {
      ...base,
      label: `${owner}:${base.ref}`,
      user: describeUser(owner),
      repo: describeRepository(repository, isPrivate),
    },
    author_association: 'CONTRIBUTOR',
    auto_merge: null,
    created_at: DATE,
    updated_at: DATE,
    closed_at: closedAt,
    merged_at: merged ? closedAt : null,
    merge_commit_sha: null,
    url,
    html_url: page,
    diff_url: `${page}.diff`,
    patch_url: `${page}.patch`,
    issue_url: links.issue,
    comments_url: links.comments,
    commits_url: links.commits,
    statuses_url: links.statuses,
    review_comments_url: links.review_comments,
    review_comment_url: links.review_comment,
    _links: Object.fromEntries(Object.entries(links).map(([name, href]) => [name, { href }])),
  };
}

function describeLabel({ repository }: FakeState, name: string) {
  const url = `${API}/repos/${repository}/labels/${encodeURIComponent(name)}`;
  const id = idOf(name);
  return { id, node_id: nodeId('Label', id), url, name, description: '', color: 'ededed', default: false };
}
