import { once } from 'node:events';
import { createServer } from 'node:net';
import * as v from 'valibot';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
    await expect(request).rejects.toThrow(/not as documented.*full_name/);
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

  it('gives up at once when a rate limit lasts longer than there is time', async () => {
    const headers = { 'retry-after': '3600' };
    server.state.faults.push({ path: /app/, status: 429, message: 'secondary rate limit', headers });
    const request = connect().request(v.unknown(), route, { parameters });
    await expect(request).rejects.toMatchObject({ status: 429, retryable: true });
    expect(server.requests).toHaveLength(1);
  });

  it("reads the login of the token's user", async () => {
    server.state.login = 'preview-app[bot]';
    expect(await connect().readLogin()).toBe('preview-app[bot]');
  });
});
