// Users as GitHub describes them, and the route that shows one.

import { type Answer, type Call, idOf, nodeId, notFound, refuse } from './exchange.ts';
import type { FakeState } from './state.ts';

const API = 'https://api.github.com';

/** Accounts whose number is well known. */
const IDS: Readonly<Record<string, number>> = {
  'github-actions[bot]': 41_898_282,
  'dependabot[bot]': 49_699_333,
  ghost: 10_137,
};

export function describeUser(login: string) {
  const id = IDS[login] ?? idOf(login);
  const isBot = login.endsWith('[bot]');
  const url = `${API}/users/${encodeURIComponent(login)}`;
  return {
    login,
    id,
    node_id: nodeId('User', id),
    avatar_url: `https://avatars.githubusercontent.com/u/${id}?v=4`,
    gravatar_id: '',
    url,
    html_url: `https://github.com/${isBot ? `apps/${login.replace('[bot]', '')}` : login}`,
    followers_url: `${url}/followers`,
    following_url: `${url}/following{/other_user}`,
    gists_url: `${url}/gists{/gist_id}`,
    starred_url: `${url}/starred{/owner}{/repo}`,
    subscriptions_url: `${url}/subscriptions`,
    organizations_url: `${url}/orgs`,
    repos_url: `${url}/repos`,
    events_url: `${url}/events{/privacy}`,
    received_events_url: `${url}/received_events`,
    type: isBot ? 'Bot' : 'User',
    user_view_type: 'public',
    site_admin: false,
  };
}

/** null for somebody whose account is gone. */
export function describeAuthor(login: string | null | undefined): ReturnType<typeof describeUser> | null {
  return login === null ? null : describeUser(login ?? 'mona');
}

/** The routes outside of the repository; undefined where it is none of them. */
export function answerUsers(state: FakeState, { method, url }: Call): Answer | undefined {
  // A job's token belongs to an app's installation, not to a user.
  if (method === 'GET' && url.pathname === '/user')
    return refuse(403, 'Resource not accessible by integration');
  const login = /^\/users\/([^/]+)$/.exec(url.pathname)?.[1];
  if (method !== 'GET' || login === undefined) return undefined;
  const name = decodeURIComponent(login);
  const known = name === state.login || state.comments.some(comment => comment.login === name);
  if (!known) return notFound();
  const date = '2020-01-01T00:00:00Z';
  const zero = { public_repos: 0, public_gists: 0, followers: 0, following: 0 };
  const empty = {
    name: null,
    company: null,
    blog: '',
    location: null,
    email: null,
    hireable: null,
    bio: null,
  };
  return {
    status: 200,
    body: { ...describeUser(name), ...zero, ...empty, created_at: date, updated_at: date },
  };
}

/** The one query that a job's token needs: who am I? */
export function answerGraphql({ login }: FakeState, call: Call): Answer {
  if (call.token === '') return refuse(401, 'This endpoint requires you to be authenticated.');
  return { status: 200, body: { data: { viewer: { login } } } };
}
