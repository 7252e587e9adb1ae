import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { type GitHubServer, startGitHubServer } from '../../../src/demo/github/server.ts';
import { WRONG_ON_PURPOSE } from '../../support/github-api.ts';

let server: GitHubServer;
afterEach(() => server.stop());

const HEAD = 'a'.repeat(40);
const authorization = 'token ghs_test';

const json = { authorization, 'content-type': 'application/json' };

function call(path: string, method = 'GET', body?: object, headers: object = {}): Promise<Response> {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  return fetch(server.url + path, { method, headers: { ...json, ...headers }, ...init });
}

describe('the server that plays GitHub', () => {
  it('keeps comments from creation to deletion', async () => {
    server = await startGitHubServer();
    const created = await call('/repos/octo/app/issues/7/comments', 'POST', { body: 'one' });
    expect(created.status).toBe(201);
    const { id, user } = (await created.json()) as { id: number; user: { login: string } };
    expect(user.login).toBe('github-actions[bot]');
    expect((await call(`/repos/octo/app/issues/comments/${id}`, 'PATCH', { body: 'two' })).status).toBe(200);
    expect(server.state.comments).toMatchObject([{ id, issue: 7, body: 'two' }]);
    expect((await call(`/repos/octo/app/issues/comments/${id}`, 'DELETE')).status).toBe(204);
    expect((await call(`/repos/octo/app/issues/comments/${id}`)).status).toBe(404);
  });

  it('links from page to page', async () => {
    const comments = [1, 2, 3].map(id => ({ id, issue: 7, login: 'a', body: `${id}` }));
    server = await startGitHubServer({ comments });
    const first = await call('/repos/octo/app/issues/7/comments?per_page=2');
    expect(await first.json()).toHaveLength(2);
    const next = /<(.*)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    const second = await fetch(next);
    expect(await second.json()).toMatchObject([{ id: 3 }]);
    expect(second.headers.get('link')).not.toContain('rel="next"');
    expect((await call('/repos/octo/app/issues/7/comments')).headers.get('link')).toBeNull();
  });

  it("refuses with GitHub's own messages", async () => {
    server = await startGitHubServer({ pullRequests: 'read' });
    const refused = await call('/repos/octo/app/issues/7/comments', 'POST', { body: 'x' });
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ message: 'Resource not accessible by integration' });
    const stranger = await fetch(`${server.url}/repos/octo/app`, { headers: { authorization: 'token no' } });
    expect(stranger.status).toBe(401);
  });

  it('fails as often as it is told to, and logs its answers', async () => {
    server = await startGitHubServer();
    server.state.faults.push({ path: /app$/, times: 1, status: 502, message: 'Bad Gateway' });
    expect((await call('/repos/octo/app')).status).toBe(502);
    expect((await call('/repos/octo/app')).status).toBe(200);
    expect(server.requests.map(({ path, status }) => `${path} ${status}`)).toEqual([
      '/repos/octo/app 502',
      '/repos/octo/app 200',
    ]);
  });

  it('hangs, or cuts the connection, from the request on that it is told', async () => {
    server = await startGitHubServer();
    server.state.faults.push({ path: /app$/, after: 1, times: 1, does: 'cut' });
    server.state.faults.push({ path: /app$/, after: 1, times: 1, does: 'cut body' });
    server.state.faults.push({ path: /app$/, after: 1, times: 1, does: 'hang' });
    const outcomes: string[] = [];
    for (let index = 0; index < 4; index += 1) {
      const signal = AbortSignal.timeout(2_000);
      const answer = await fetch(`${server.url}/repos/octo/app`, { signal }).then(
        response =>
          response.text().then(
            () => `${response.status}`,
            () => 'half an answer',
          ),
        (error: unknown) => (error instanceof Error ? error.name : 'no error'),
      );
      outcomes.push(answer);
    }
    expect(outcomes).toEqual(['200', 'TypeError', 'half an answer', 'TimeoutError']);
    expect(server.requests.map(({ status }) => status)).toEqual([200, 0, 0, 0]);
  });

  it('shows comments of people whose account is gone, and comments without text', async () => {
    const comments = [{ id: 1, issue: 7, login: null, body: '' }];
    server = await startGitHubServer({ comments });
    const list = await call('/repos/octo/app/issues/7/comments');
    expect(await list.json()).toMatchObject([{ user: null, body: '' }]);
  });

  it('refuses a comment on a locked pull request', async () => {
    const pulls = [{ number: 7, state: 'open', head: { sha: HEAD, repo: null }, locked: true }] as const;
    server = await startGitHubServer({ pulls: [...pulls] });
    const refused = await call('/repos/octo/app/issues/7/comments', 'POST', { body: 'x' });
    expect(refused.status).toBe(403);
    expect(await refused.text()).toContain('Unable to create comment because issue is locked.');
  });

  it('describes pull requests of forks, merged ones and their labels', async () => {
    const head = { sha: HEAD, ref: 'change', repo: { full_name: 'mallory/app' } };
    server = await startGitHubServer({
      pulls: [{ number: 7, state: 'closed', merged: true, head, labels: ['preview'] }],
    });
    const pull = await (await call('/repos/octo/app/pulls/7')).json();
    expect(pull).toMatchObject({ state: 'closed', merged: true, labels: [{ name: 'preview' }] });
    expect(pull).toMatchObject({ head: { label: 'mallory:change', repo: { fork: true } } });
    expect(await (await call('/repos/octo/app/pulls')).json()).toEqual([]);
    const found = await call('/repos/octo/app/pulls?state=all&head=mallory:change');
    expect(await found.json()).toMatchObject([{ number: 7 }]);
    expect(await (await call(`/repos/octo/app/commits/${HEAD}/pulls`)).json()).toMatchObject([{ number: 7 }]);
    expect(await (await call('/repos/octo/app/issues/7/labels')).json()).toMatchObject([{ name: 'preview' }]);
  });

  it('lists the runs that fit, the newest first', async () => {
    server = await startGitHubServer({
      runs: {
        '100': 2,
        '101': { headSha: HEAD, event: 'push', pullRequests: [7] },
        '102': { headSha: HEAD },
      },
    });
    const all = await (await call(`/repos/octo/app/actions/runs?head_sha=${HEAD}&event=push`)).json();
    expect(all).toMatchObject({
      total_count: 1,
      workflow_runs: [{ id: 101, pull_requests: [{ number: 7 }] }],
    });
    const attempt = await call('/repos/octo/app/actions/runs/100/attempts/1');
    expect(await attempt.json()).toMatchObject({ run_attempt: 1 });
    server.state.actions = 'none';
    expect((await call('/repos/octo/app/actions/runs')).status).toBe(403);
  });

  it('keeps deployments and their statuses', async () => {
    server = await startGitHubServer();
    const path = '/repos/octo/app/deployments';
    expect((await call(path, 'POST', { ref: HEAD })).status).toBe(409);
    const wanted = { ref: HEAD, auto_merge: false, required_contexts: [], transient_environment: true };
    const ids: number[] = [];
    for (const environment of ['preview/pr-7', 'preview/pr-7', 'preview/pr-8']) {
      const created = await call(path, 'POST', { ...wanted, environment });
      expect(created.status).toBe(201);
      ids.push(((await created.json()) as { id: number }).id);
    }
    const [first, second] = ids;
    expect(await (await call(`${path}?environment=preview/pr-7`)).json()).toMatchObject([
      { id: second, sha: HEAD },
      { id: first },
    ]);
    for (const state of ['in_progress', 'success'])
      expect((await call(`${path}/${first}/statuses`, 'POST', { state, log_url: 'http://x' })).status).toBe(
        201,
      );
    const wrong = { [WRONG_ON_PURPOSE]: '1' };
    expect((await call(`${path}/${first}/statuses`, 'POST', { state: 'live' }, wrong)).status).toBe(422);
    expect(await (await call(`${path}/${first}/statuses`)).json()).toMatchObject([
      { state: 'success', environment: 'preview/pr-7', log_url: 'http://x' },
      { state: 'in_progress' },
    ]);
    expect((await call(`${path}/${first}`, 'DELETE')).status).toBe(422);
    expect((await call(`${path}/${ids[2]}`, 'DELETE')).status).toBe(204);
    server.state.deployments = 'read';
    expect((await call(path, 'POST', wanted)).status).toBe(403);
  });

  it('redirects requests for a former name, so that writes stay writes', async () => {
    server = await startGitHubServer({ formerNames: ['octo/old'] });
    const moved = await fetch(`${server.url}/repos/octo/old`, { redirect: 'manual' });
    expect([moved.status, moved.headers.get('location')]).toEqual([
      301,
      expect.stringContaining('/repositories/'),
    ]);
    expect((await call('/repos/octo/old/issues/7/comments', 'POST', { body: 'one' })).status).toBe(201);
    expect(server.state.comments).toHaveLength(1);
  });

  it('gives an answer only to those who do not have it yet', async () => {
    server = await startGitHubServer();
    const first = await fetch(`${server.url}/repos/octo/app`);
    const etag = first.headers.get('etag') ?? '';
    const again = () => call('/repos/octo/app', 'GET', undefined, { 'if-none-match': etag });
    expect([(await again()).status, await (await again()).text()]).toEqual([304, '']);
    server.state.isPrivate = true;
    expect((await again()).status).toBe(200);
  });

  it('says what people may do, in the words that scripts compare', async () => {
    server = await startGitHubServer({ roles: { mona: 'maintain', helper: 'triage' } });
    const ask = async (login: string) => {
      const answer = await call(`/repos/octo/app/collaborators/${login}/permission`);
      return answer.ok ? ((await answer.json()) as { permission: string }).permission : answer.status;
    };
    expect([await ask('mona'), await ask('helper'), await ask('stranger')]).toEqual([
      'write',
      'read',
      'read',
    ]);
    server.state.isPrivate = true;
    expect(await ask('stranger')).toBe(404);
  });

  it('keeps one reaction of a kind for each comment and user', async () => {
    const comments = [{ id: 5, issue: 7, login: 'mona', body: '/preview' }];
    server = await startGitHubServer({ comments });
    const react = async (content: string) =>
      (await call('/repos/octo/app/issues/comments/5/reactions', 'POST', { content })).status;
    expect([await react('eyes'), await react('eyes'), await react('heart')]).toEqual([201, 200, 201]);
    expect(server.state.reactions).toMatchObject([
      { comment: 5, content: 'eyes' },
      { comment: 5, content: 'heart' },
    ]);
  });

  it('tells a stranger nothing about a private repository', async () => {
    server = await startGitHubServer({
      isPrivate: true,
      comments: [{ id: 1, issue: 7, login: 'a', body: 'link' }],
    });
    for (const path of [
      '/repos/octo/app',
      '/repos/octo/app/issues/7/comments',
      '/repos/octo/app/issues/comments/1',
    ])
      expect((await fetch(server.url + path)).status).toBe(404);
    expect((await call('/repos/octo/app/issues/7/comments')).status).toBe(200);
  });

  it('shows and changes its own state only where it was told to', async () => {
    server = await startGitHubServer();
    for (const [path, method] of [
      ['/_test/state', 'GET'],
      ['/_test/state', 'PATCH'],
      ['/_test/requests', 'GET'],
    ])
      expect((await call(path ?? '', method)).status).toBe(404);
  });

  it('goes on after a request whose path cannot be decoded', async () => {
    server = await startGitHubServer();
    for (const path of ['/users/%', '/repos/octo/app/commits/%zz', '/repos/octo/app/commits/%ff/pulls'])
      await expect(call(path)).rejects.toThrow('fetch failed');
    expect((await call('/repos/octo/app')).status).toBe(200);
  });

  it('runs as a script that prints its address and serves its state', async () => {
    server = await startGitHubServer();
    const script = fileURLToPath(new URL('../../support/github-server.ts', import.meta.url));
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const [line] = await once(child.stdout, 'data', { signal: AbortSignal.timeout(30_000) });
      const { url } = JSON.parse(String(line));
      await fetch(`${url}/_test/state`, { method: 'PATCH', body: '{"repository":"my/app"}' });
      expect((await fetch(`${url}/repos/my/app`)).status).toBe(200);
      expect(await (await fetch(`${url}/_test/requests`)).json()).toMatchObject([{ path: '/repos/my/app' }]);
    } finally {
      child.kill();
    }
  });
});
