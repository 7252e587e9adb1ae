// The repository and its commits as GitHub describes them.

import { type Answer, type Call, idOf, nodeId, type Route, refuse, repositoryPath } from './exchange.ts';
import type { FakeState } from './state.ts';
import { describeUser } from './users.ts';

export const API = 'https://api.github.com';

/** Names of `…_url` and what follows the repository's own address. */
const ADDRESSES: Readonly<Record<string, string>> = {
  archive: '/{archive_format}{/ref}',
  assignees: '/assignees{/user}',
  blobs: '/git/blobs{/sha}',
  branches: '/branches{/branch}',
  collaborators: '/collaborators{/collaborator}',
  comments: '/comments{/number}',
  commits: '/commits{/sha}',
  compare: '/compare/{base}...{head}',
  contents: '/contents/{+path}',
  contributors: '/contributors',
  deployments: '/deployments',
  downloads: '/downloads',
  events: '/events',
  forks: '/forks',
  git_commits: '/git/commits{/sha}',
  git_refs: '/git/refs{/sha}',
  git_tags: '/git/tags{/sha}',
  hooks: '/hooks',
  issue_comment: '/issues/comments{/number}',
  issue_events: '/issues/events{/number}',
  issues: '/issues{/number}',
  keys: '/keys{/key_id}',
  labels: '/labels{/name}',
  languages: '/languages',
  merges: '/merges',
  milestones: '/milestones{/number}',
  notifications: '/notifications{?since,all,participating}',
  pulls: '/pulls{/number}',
  releases: '/releases{/id}',
  stargazers: '/stargazers',
  statuses: '/statuses/{sha}',
  subscribers: '/subscribers',
  subscription: '/subscription',
  tags: '/tags',
  teams: '/teams',
  trees: '/git/trees{/sha}',
};

const DATE = '2026-01-01T00:00:00Z';

/** Has all that GitHub's `full-repository`, `repository` and `minimal-repository` require. */
export function describeRepository(fullName: string, isPrivate: boolean, isFork = false) {
  const [owner = '', name = ''] = fullName.split('/');
  const url = `${API}/repos/${fullName}`;
  const addresses = Object.entries(ADDRESSES).map(([key, rest]) => [`${key}_url`, url + rest]);
  const counts = ['forks', 'forks_count', 'open_issues', 'open_issues_count', 'watchers', 'watchers_count'];
  return {
    ...Object.fromEntries(addresses),
    ...Object.fromEntries(counts.map(key => [key, 0])),
    id: idOf(fullName.toLowerCase()),
    node_id: nodeId('Repository', idOf(fullName.toLowerCase())),
    name,
    full_name: fullName,
    private: isPrivate,
    visibility: isPrivate ? 'private' : 'public',
    owner: describeUser(owner),
    html_url: `https://github.com/${fullName}`,
    description: null,
    fork: isFork,
    url,
    git_url: `git://github.com/${fullName}.git`,
    ssh_url: `git@github.com:${fullName}.git`,
    clone_url: `https://github.com/${fullName}.git`,
    svn_url: `https://github.com/${fullName}`,
    mirror_url: null,
    homepage: null,
    language: 'TypeScript',
    license: null,
    size: 108,
    default_branch: 'main',
    stargazers_count: 0,
    network_count: 0,
    subscribers_count: 0,
    has_issues: true,
    has_projects: true,
    has_wiki: true,
    has_pages: false,
    has_downloads: true,
    has_discussions: false,
    archived: false,
    disabled: false,
    pushed_at: DATE,
    created_at: DATE,
    updated_at: DATE,
  };
}

/** A commit in the short form that runs carry. */
export function describeHeadCommit(sha: string) {
  const person = { name: 'Mona', email: 'mona@example.com' };
  return {
    id: sha,
    tree_id: sha,
    message: 'Change the app',
    timestamp: DATE,
    author: person,
    committer: person,
  };
}

export const REPOSITORY_ROUTES: readonly Route[] = [
  [
    /^GET $/,
    ({ repository, isPrivate }) => ({ status: 200, body: describeRepository(repository, isPrivate) }),
  ],
  [/^GET \/commits\/([^/]+)$/, showCommit],
];

/** Every full commit id exists; of names, only those of the pull requests' branches and the default branch do. */
function showCommit(state: FakeState, _call: Call, ref: string): Answer {
  const pull = state.pulls.find(({ head }) => head.ref === ref);
  const sha = /^[0-9a-f]{40}$/.test(ref) ? ref : (pull?.head.sha ?? (ref === 'main' ? '0'.repeat(40) : ''));
  if (sha === '') return refuse(422, `No commit found for SHA: ${ref}`);
  const url = `${API}/repos/${state.repository}/commits/${sha}`;
  const person = { name: 'Mona', email: 'mona@example.com', date: DATE };
  const tree = { sha, url: `${API}/repos/${state.repository}/git/trees/${sha}` };
  const commit = {
    author: person,
    committer: person,
    message: 'Change the app',
    comment_count: 0,
    tree,
    url,
  };
  const mona = describeUser('mona');
  return {
    status: 200,
    body: {
      sha,
      node_id: nodeId('Commit', idOf(sha)),
      url,
      html_url: `https://github.com/${state.repository}/commit/${sha}`,
      comments_url: `${url}/comments`,
      commit,
      author: mona,
      committer: mona,
      parents: [],
    },
  };
}

/**
 * Where a request for a former name goes: 301, and for writes 307, after which clients repeat the method and the body
 * (GitHub docs, "Follow redirects").
 */
export function redirectFormerName(state: FakeState, { method, url }: Call): Answer | undefined {
  const former = state.formerNames.find(name => isBelow(url.pathname, `/repos/${name}`));
  if (former === undefined) return undefined;
  const target = new URL(url);
  target.pathname = url.pathname.replace(`/repos/${former}`, repositoryPath(state.repository));
  const [status, message] = method === 'GET' ? [301, 'Moved Permanently'] : [307, 'Temporary Redirect'];
  const documentation_url =
    'https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects';
  return {
    status: Number(status),
    headers: { location: String(target) },
    body: { message, url: String(target), documentation_url },
  };
}

export function isBelow(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(`${prefix}/`);
}
