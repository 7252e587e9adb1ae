import { beforeAll, expect, it } from 'vitest';
import type { Exchange } from '../../src/demo/github/exchange.ts';
import { type CheckExchange, createApiCheck } from './github-api.ts';
import { describeWithReal } from './real-parts.ts';

const COMMENTS = '/repos/octo/app/issues/7/comments';

function exchange(method: string, path: string, body?: unknown, answer?: Exchange['answer']): Exchange {
  const url = new URL(path, 'http://127.0.0.1');
  const headers = {
    'user-agent': 'test',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  return { call: { method, url, headers, token: '', body }, answer, fault: false };
}

describeWithReal(['github-api'], "the check against GitHub's description of its API", () => {
  let check: CheckExchange;
  beforeAll(() => {
    check = createApiCheck();
  });

  it.each([
    ['a list with its parameters', exchange('GET', `${COMMENTS}?per_page=100&page=2`)],
    ["a page of a list by the repository's id", exchange('GET', '/repositories/12/issues/7/comments?page=2')],
    ['a comment', exchange('POST', COMMENTS, { body: 'text' })],
    ['a branch whose name is a number', exchange('GET', '/repos/octo/app/deployments?ref=2026')],
    ['a query', exchange('POST', '/graphql', { query: 'query { viewer { login } }' })],
    [
      'a deployment',
      exchange('POST', '/repos/octo/app/deployments', {
        ref: 'a',
        required_contexts: [],
        payload: { any: 1 },
      }),
    ],
    [
      'an answer that is usual for a refused request',
      exchange('GET', COMMENTS, undefined, { status: 403, body: { message: 'no' } }),
    ],
  ])('accepts %s', (_, valid) => {
    expect(check(valid)).toEqual([]);
  });

  it.each([
    ['a route that does not exist', exchange('GET', '/repos/octo/app/comment'), /no such route/],
    ['a method that the route lacks', exchange('PUT', COMMENTS, { body: 'x' }), /no such route/],
    [
      'an unknown parameter',
      exchange('GET', `${COMMENTS}?perPage=3`),
      /query parameter `perPage` does not exist/,
    ],
    [
      'a parameter of another type',
      exchange('GET', `${COMMENTS}?per_page=many`),
      /`per_page` must be integer/,
    ],
    [
      'a part of the path of another type',
      exchange('GET', '/repos/octo/app/pulls/new'),
      /`pull_number` must be/,
    ],
    [
      'an unknown property',
      exchange('POST', COMMENTS, { body: 'x', text: 'y' }),
      /additional properties \(`text`\)/,
    ],
    ['a property of another type', exchange('POST', COMMENTS, { body: 7 }), /\/body must be string/],
    ['a missing property', exchange('POST', COMMENTS, {}), /required property 'body'/],
    ['a missing body', exchange('POST', COMMENTS), /the body is missing/],
    ['a body that the route does not have', exchange('GET', COMMENTS, { body: 'x' }), /a body is sent/],
    [
      'a state that does not exist',
      exchange('POST', '/repos/octo/app/deployments/1/statuses', { state: 'live' }),
      /must be equal to one of/,
    ],
    [
      'an unknown field beside a query',
      exchange('POST', '/graphql', { query: 'x', vars: 1 }),
      /`vars` does not/,
    ],
    [
      'an answer that lacks something',
      exchange('GET', COMMENTS, undefined, { status: 200, body: [{ id: 1 }] }),
      /answer 200: \/0 must have required property/,
    ],
    [
      'an answer with another status',
      exchange('POST', COMMENTS, { body: 'x' }, { status: 200, body: {} }),
      /200 is not among the answers/,
    ],
  ])('finds %s', (_, wrong, problem) => {
    expect(check(wrong)).toEqual(expect.arrayContaining([expect.stringMatching(problem)]));
  });

  it('finds a request without a user agent', () => {
    const request = exchange('GET', COMMENTS);
    expect(check({ ...request, call: { ...request.call, headers: {} } })).toEqual([
      expect.stringContaining('there is no user agent'),
    ]);
  });
});
