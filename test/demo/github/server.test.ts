import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { type GitHubServer, startGitHubServer } from '../../../src/demo/github/server.ts';

let server: GitHubServer;
afterEach(() => server.stop());

const authorization = 'token ghs_test';

function call(path: string, method = 'GET', body?: object): Promise<Response> {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  return fetch(server.url + path, { method, headers: { authorization }, ...init });
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
    expect(second.headers.get('link')).toBeNull();
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
