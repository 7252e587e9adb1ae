// A connection to the server that plays GitHub, without the pauses between writes that api.ts makes out of politeness,
// so that a test can play hundreds of runs. Used by the tests of the comment.

import * as v from 'valibot';
import { type GitHub, GitHubError } from '../../../src/github/api.ts';

export function connectQuickly(apiUrl: string): GitHub {
  const send = async (
    method: string,
    path: string,
    signal?: AbortSignal,
    body?: object,
  ): Promise<unknown> => {
    const response = await fetch(apiUrl + path, {
      method,
      headers: { authorization: 'token ghs_test', ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
    const text = await response.text();
    if (!response.ok)
      throw new GitHubError(`GitHub answered ${response.status}: ${text}`, {
        status: response.status,
        retryable: response.status >= 500,
      });
    return text === '' ? undefined : JSON.parse(text);
  };
  const github: GitHub = {
    async request(schema, route, { parameters, signal }) {
      const rest = new Map(Object.entries(parameters));
      const [method = '', template = ''] = route.split(' ');
      const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
        const value = String(rest.get(name));
        rest.delete(name);
        return value;
      });
      if (method !== 'GET') {
        const body = rest.size === 0 ? undefined : Object.fromEntries(rest);
        return v.parse(schema, await send(method, path, signal, body));
      }
      const query = new URLSearchParams(
        [...rest].map(([name, value]): [string, string] => [name, String(value)]),
      );
      return v.parse(schema, await send(method, `${path}?${query}`, signal));
    },
    poll: async (schema, route, options) => ({
      body: await github.request(schema, route, options),
      etag: undefined,
    }),
    list: () => Promise.reject(new Error('the comment does not list anything')),
    async readLogin(signal) {
      const answer = await send('POST', '/graphql', signal, { query: 'query { viewer { login } }' });
      return v.parse(Viewer, answer).data.viewer.login;
    },
  };
  return github;
}

const Viewer = v.object({ data: v.object({ viewer: v.object({ login: v.string() }) }) });
