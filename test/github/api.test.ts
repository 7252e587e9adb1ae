import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import * as v from 'valibot';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { connectGitHub, GitHubError } from '../../src/github/api.ts';
import { recordLog } from './samples.ts';

let server: GitHubServer;
beforeEach(async () => {
  server = await startGitHubServer();
});
afterEach(() => server.stop());

const connect = (apiUrl = server.url, token = 'ghs_test') =>
  connectGitHub({ token, apiUrl, logger: recordLog() });
const parameters = { owner: 'octo', repo: 'app' };
const route = 'GET /repos/{owner}/{repo}';

describe('the connection to GitHub', () => {
  it('returns what the schema allows', async () => {
    const answer = await connect(`${server.url}/`).request(v.object({ full_name: v.string() }), route, {
      parameters,
    });
    expect(answer).toEqual({ full_name: 'octo/app' });
  });

  it('rejects an answer that does not fit the schema', async () => {
    const request = connect().request(v.object({ full_name: v.number() }), route, { parameters });
    await expect(request).rejects.toThrow(
      /not as documented: × Invalid type: Expected number but received "octo\/app" → at full_name$/,
    );
  });

  it('reports a refusal in one line that cannot contain runner commands', async () => {
    server.state.faults.push({ path: /app/, status: 404, message: 'Not\n::error::Found ##[set-env]' });
    const error = await connect()
      .request(v.unknown(), route, { parameters })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(GitHubError);
    expect(error).toMatchObject({ status: 404, retryable: false });
    expect(String(error)).not.toMatch(/\n|##\[/);
  });

  it('distinguishes a server that cannot be reached from one that refuses', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const address = closed.address();
    closed.close();
    const port = typeof address === 'object' ? address?.port : 0;
    const request = connect(`http://127.0.0.1:${port}`).request(v.unknown(), route, { parameters });
    await expect(request).rejects.toMatchObject({ status: undefined, retryable: true });
    await expect(
      connect(server.url, 'wrong').request(v.unknown(), route, { parameters }),
    ).rejects.toMatchObject({
      status: 401,
      retryable: false,
    });
  });

  it('aborts a request with its signal', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const end = new AbortController();
    const sent = once(silent, 'connection');
    const request = connect(`http://127.0.0.1:${port}`).request(v.unknown(), route, {
      parameters,
      signal: end.signal,
    });
    const outcome = expect(request).rejects.toThrow('enough');
    await sent;
    end.abort(new Error('enough'));
    await outcome;
    silent.close();
  });

  it('reports a time-out when the signal is a time limit', async () => {
    const signal = AbortSignal.abort(new DOMException('over', 'TimeoutError'));
    const request = connect().request(v.unknown(), route, { parameters, signal });
    await expect(request).rejects.toThrow('GitHub did not answer in time');
    await expect(connect().list(v.unknown(), route, { parameters, signal })).rejects.toBeInstanceOf(
      GitHubError,
    );
  });

  it('gives up at once when a rate limit lasts longer than there is time, and sends nothing until it is over', async () => {
    const headers = { 'retry-after': '3600' };
    server.state.faults.push({ path: /app/, times: 1, status: 429, message: 'slow down', headers });
    const github = connect();
    const request = github.request(v.unknown(), route, { parameters });
    await expect(request).rejects.toMatchObject({ status: 429, retryable: true, retryAfterMs: 3_600_000 });
    const next = github.request(v.unknown(), 'GET /repos/{owner}/{repo}/pulls', { parameters });
    await expect(next).rejects.toMatchObject({
      message: expect.stringMatching(/^GitHub wants no request before .* UTC: slow down$/),
      retryable: true,
    });
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ['a secondary rate limit', 403, 'You have exceeded a secondary rate limit.', { 'retry-after': '1' }],
    ['the abuse detection of Enterprise servers', 403, 'abuse detection mechanism', { 'retry-after': '1' }],
    ['too many requests', 429, 'Too Many Requests', { 'retry-after': '1' }],
    ['maintenance', 503, 'Service Unavailable', { 'retry-after': '1' }],
    [
      "the hour's requests being used up",
      403,
      'API rate limit exceeded',
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' },
    ],
  ])('waits as long as GitHub asks for: %s', async (_, status, message, headers) => {
    server.state.faults.push({ path: /app/, times: 1, status, message, headers });
    await connect().request(v.unknown(), route, { parameters });
    expect(server.requests.map(request => request.status)).toEqual([status, 200]);
  });

  it.each([
    ['a missing permission', 'Resource not accessible by integration', true],
    ['a locked conversation', 'Unable to create comment because issue is locked.', false],
    ['single sign-on', 'Resource protected by organization SAML enforcement.', false],
    ['an allow list', 'the `octo` organization has an IP allow list enabled', false],
  ])('knows whether a refusal is about a permission: %s', async (_, message, lacksPermission) => {
    server.state.faults.push({ path: /app/, status: 403, message });
    const request = connect().request(v.unknown(), route, { parameters });
    await expect(request).rejects.toMatchObject({
      message: `GitHub answered 403 to GET /repos/{owner}/{repo}: ${message}`,
      lacksPermission,
      retryable: false,
    });
    expect(server.requests).toHaveLength(1);
  });

  it.each([
    ['an answer that is cut off', { does: 'cut body' }],
    ['a page instead of JSON', { status: 200, message: '', body: '<html><title>Oops</title></html>' }],
    ['an empty answer', { status: 200, message: '', body: '' }],
    ['a conflict', { status: 409, message: 'Conflict' }],
  ] as const)('never takes %s for an empty list', async (_, fault) => {
    server.state.faults.push({ path: /pulls/, ...fault });
    const list = connect().list(v.unknown(), 'GET /repos/{owner}/{repo}/pulls', { parameters });
    await expect(list).rejects.toBeInstanceOf(GitHubError);
  });

  it('reads all pages of a list, also of a repository that has another name by now', async () => {
    server.state.formerNames = ['octo/old'];
    server.state.comments = Array.from({ length: 250 }, (_, id) => ({ id, issue: 7, login: 'a', body: '' }));
    const path = 'GET /repos/{owner}/{repo}/issues/{issue_number}/comments';
    const old = { owner: 'octo', repo: 'old', issue_number: 7 };
    const all = await connect().list(v.object({ id: v.number() }), path, { parameters: old });
    expect(all.map(({ id }) => id)).toEqual(server.state.comments.map(({ id }) => id));
    const create = path.replace('GET', 'POST');
    await connect().request(v.object({ id: v.number() }), create, { parameters: { ...old, body: 'new' } });
    expect(server.state.comments.at(-1)?.body).toBe('new');
  });

  it('asks only the API for the next page of a list, whatever server the answer names', async () => {
    const asked: string[] = [];
    const other = createHttpServer(({ headers, url }, response) => {
      asked.push(`${url} ${headers.authorization}`);
      response.setHeader('content-type', 'application/json').end('[]');
    }).listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const address = other.address();
    const port = typeof address === 'object' ? address?.port : 0;
    server.state.comments = [1, 2].map(id => ({ id, issue: 7, login: 'a', body: '' }));
    const path = '/repos/octo/app/issues/7/comments';
    const link = (host: string) => `<${host}${path}?per_page=1&page=2>; rel="next"`;
    for (const host of [`http://127.0.0.1:${port}`, `//127.0.0.1:${port}`]) {
      server.state.faults = [
        {
          path: /comments$/,
          times: 1,
          status: 200,
          message: '',
          headers: { 'content-type': 'application/json', link: link(host) },
          body: '[{"id":1}]',
        },
      ];
      const list = connect().list(v.object({ id: v.number() }), `GET ${path}`, { parameters: {} });
      expect(await list).toEqual([{ id: 1 }, { id: 2 }]);
    }
    expect(asked).toEqual([]);
  });

  it('sends the token to no server that an answer redirects to', async () => {
    const tokens: (string | undefined)[] = [];
    const other = createHttpServer(({ headers }, response) => {
      tokens.push(headers.authorization);
      response.setHeader('content-type', 'application/json').end('{}');
    }).listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const address = other.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const location = `http://127.0.0.1:${port}/`;
    for (const status of [301, 302, 307, 308]) {
      server.state.faults = [{ path: /./, times: 1, status, message: 'Moved', headers: { location } }];
      await connect().request(v.unknown(), route, { parameters });
    }
    expect(tokens).toEqual([undefined, undefined, undefined, undefined]);
  });

  it("reads the login of the token's user", async () => {
    server.state.login = 'preview-app[bot]';
    expect(await connect().readLogin()).toBe('preview-app[bot]');
  });
});
