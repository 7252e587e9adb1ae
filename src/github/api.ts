// The one connection to GitHub's REST API. A schema checks every answer, every request has a time limit, and the
// connection waits as long as a rate limit requires. Works with Enterprise servers through `apiUrl`. Used by step/ and
// supervisor/.
//
// Built on @octokit/core, not on @actions/github 9.1, which adds 1.08 MB to each of four bundles, with a method for
// every route and a second undici. @actions/github also reads the proxy from the environment when it is imported, so
// that we cannot pass one; it has no SOCKS, ignores HTTP_PROXY for https, and silently uses no proxy if the value is
// wrong.

import { Octokit } from '@octokit/core';
import { throttling } from '@octokit/plugin-throttling';
import * as v from 'valibot';
import { raceSignal } from '../shared/abort.ts';
import { describeError, hasCode, isTimeout } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { createFetch, type FetchOptions, type ProxyEnvironment, ProxyError } from '../shared/proxy.ts';
import { sanitise } from '../shared/sanitise.ts';
import { GitHubError } from './github-error.ts';
import { Pauses, readPauseMs } from './rate-limit.ts';
import { Answered, quoteRefusal } from './refusal.ts';

export { GitHubError } from './github-error.ts';

/** For a single request, from sending it to the last byte of the answer. GitHub itself gives up after 10 s. */
const REQUEST_TIMEOUT_MS = 15_000;

/** For all pages of a list, with pauses. 3,000 comments are 30 pages, which take about half a minute. */
const LIST_TIMEOUT_MS = 180_000;

/** Nobody has 20,000 comments; a server whose pages go round in a circle must not keep us busy. */
const MAX_PAGES = 200;

/** Parameters of a route: those named in its path, the others as query or body. */
export type Parameters = Record<string, string | number | boolean | readonly string[] | object>;

/** Requests reject with a GitHubError, also if the signal times out, or with the reason of a signal that is aborted. */
export interface GitHub {
  /** One request, for instance `GET /repos/{owner}/{repo}`; resolves with the checked body of the answer. */
  request<S extends Schema>(schema: S, route: string, options: RequestOptions): Promise<v.InferOutput<S>>;
  /**
   * Like `request`, but `unchanged` if the answer would be the one with this ETag. That does not count against the rate
   * limit (RFC 9110, 13.1.2; GitHub's "Best practices for using the REST API").
   */
  poll<S extends Schema>(
    schema: S,
    route: string,
    options: RequestOptions & { etag: string | undefined },
  ): Promise<Polled<v.InferOutput<S>> | 'unchanged'>;
  /** The items of all pages of a list. */
  list<S extends Schema>(schema: S, route: string, options: RequestOptions): Promise<v.InferOutput<S>[]>;
  /** Login of the token's user: the author of the comments that are made with the token. */
  readLogin(signal?: AbortSignal): Promise<string>;
}

export interface RequestOptions {
  parameters: Parameters;
  signal?: AbortSignal | undefined;
}

export interface Polled<T> {
  body: T;
  /** For the next poll. */
  etag: string | undefined;
}

type Schema = v.GenericSchema<unknown>;

interface ConnectionOptions {
  token: string;
  apiUrl: string;
  logger: Logger;
  /** The job's variables that name a proxy; without them requests go to GitHub directly. */
  proxy?: ProxyEnvironment;
}

/** Sends nothing yet. */
export function connectGitHub(options: ConnectionOptions): GitHub {
  const { apiUrl } = options;
  const octokit = createOctokit(options);
  return {
    async request(schema, route, { parameters, signal }) {
      const request = octokit.request(route, { ...parameters, request: signal ? { signal } : {} });
      const response: { data: unknown } = await awaitAnswer(request, route, signal);
      return check(schema, response.data, route);
    },
    async poll(schema, route, { parameters, signal, etag }) {
      const headers = etag === undefined ? {} : { 'if-none-match': etag };
      const request = octokit.request(route, { ...parameters, headers, request: signal ? { signal } : {} });
      // Octokit throws an answer without a body like a refusal.
      const answer = request.catch(error => (v.is(NotModified, error) ? undefined : Promise.reject(error)));
      const response: { data: unknown; headers: { etag?: string } } | undefined = await awaitAnswer(
        answer,
        route,
        signal,
      );
      if (response === undefined) return 'unchanged';
      return { body: check(schema, response.data, route), etag: response.headers.etag };
    },
    async list(schema, route, { parameters, signal }) {
      const limit = AbortSignal.timeout(LIST_TIMEOUT_MS);
      const request = { signal: signal ? AbortSignal.any([signal, limit]) : limit };
      const items: v.InferOutput<typeof schema>[] = [];
      let next = route;
      let given: Parameters = { ...parameters, per_page: 100 };
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const { data, headers } = await awaitAnswer(
          octokit.request(next, { ...given, request }),
          route,
          request.signal,
        );
        items.push(...check(v.array(schema), data, route));
        const address = readNextPage(headers.link, apiUrl);
        if (address === undefined) return items;
        next = `GET ${address}`;
        given = {};
      }
      throw new GitHubError(`GitHub's list has more than ${MAX_PAGES} pages (${route})`, {
        retryable: false,
      });
    },
    async readLogin(signal) {
      const query = 'query { viewer { login } }';
      const answer: unknown = await awaitAnswer(
        octokit.graphql(query, { request: signal ? { signal } : {} }),
        'POST /graphql',
        signal,
      );
      return check(Viewer, answer, 'POST /graphql').viewer.login;
    },
  };
}

/**
 * The address of a list's next page (RFC 8288), always at the API itself: the token goes with the request, and must reach
 * no other server, whatever the answer says.
 */
function readNextPage(link: string | undefined, apiUrl: string): string | undefined {
  const target = /<([^<>]+)>;\s*rel="next"/.exec(link ?? '')?.[1];
  const next = target === undefined ? null : URL.parse(target, apiUrl);
  return next === null ? undefined : new URL(apiUrl).origin + next.pathname + next.search;
}

const Viewer = v.object({ viewer: v.object({ login: v.string() }) });

const ThrottledOctokit = Octokit.plugin(throttling);

function createOctokit(options: ConnectionOptions) {
  const { token, apiUrl, logger, proxy = {} } = options;
  const octokit = new ThrottledOctokit({
    auth: token,
    baseUrl: apiUrl.replace(/\/+$/, ''),
    userAgent: 'expose-action',
    log: { debug: logger.debug, info: logger.debug, warn: logger.debug, error: logger.debug },
    request: { fetch: createFetchInTime(proxy) },
    // Spaces writes out: one queue for each connection, because the limits belong to the token. It does not know all
    // answers that ask for a pause, so it never tries again.
    throttle: { onRateLimit: () => false, onSecondaryRateLimit: () => false, id: crypto.randomUUID() },
  });
  const pauses = new Pauses(logger);
  octokit.hook.wrap('request', (send, request) =>
    pauses.send(async () => send(request), request.request?.signal),
  );
  return octokit;
}

/** The time limit starts when a request is sent, not while it waits in the queue. */
function createFetchInTime(proxy: ProxyEnvironment) {
  let opened: ReturnType<typeof createFetch> | undefined;
  return async (url: string, options: FetchOptions) => {
    opened ??= createFetch(proxy);
    const send = await opened;
    const limit = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit;
    return send(url, { ...options, signal });
  };
}

/** Resolves with the result, or rejects as `GitHub` documents. The signal also ends a pause for a rate limit. */
async function awaitAnswer<T>(work: Promise<T>, route: string, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await (signal ? raceSignal(work, signal) : work);
  } catch (error) {
    if (signal?.aborted) throw isTimeout(signal.reason) ? renderTimeout(route, signal.reason) : signal.reason;
    throw explainFailure(error, route);
  }
}

function renderTimeout(route: string, cause: unknown): GitHubError {
  return new GitHubError(`GitHub did not answer in time (${route})`, { retryable: false, cause });
}

function explainFailure(error: unknown, route: string): GitHubError {
  if (error instanceof GitHubError) return error;
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof ProxyError) return new GitHubError(cause.message, { retryable: false, cause });
  // Octokit sets status 500 if no answer came; only an error with a response has a real status.
  if (v.is(Answered, error)) return explainRefusal(error, route);
  const problem = isTimeout(cause)
    ? `GitHub did not answer within ${REQUEST_TIMEOUT_MS / 1000} s (${route})`
    : `GitHub could not be reached (${route}): ${sanitise(describeError(error))}`;
  if (!isUntrustedCertificate(error)) return new GitHubError(problem, { retryable: true, cause: error });
  const remedy = 'set NODE_EXTRA_CA_CERTS to a file with the certificate of its authority';
  return new GitHubError(`${problem}; ${remedy}`, { retryable: false, cause: error });
}

/** Whether Node.js does not know the authority of the server's certificate (Node.js docs, "X509 certificate error codes"). */
function isUntrustedCertificate(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return hasCode(error, ...UNKNOWN_AUTHORITY) || isUntrustedCertificate(error.cause);
}

const UNKNOWN_AUTHORITY = [
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];

/** Octokit's error for an answer without a body. */
const NotModified = v.object({ status: v.literal(304) });

/** GitHub's words for a missing permission; those of locked conversations, SAML or allow lists are different. */
const NO_PERMISSION =
  /resource not accessible|must have .*(access|rights|permission)|insufficient .*(scope|permission)/i;

function explainRefusal({ status, response }: v.InferOutput<typeof Answered>, route: string): GitHubError {
  const said = quoteRefusal(response.data);
  const retryAfterMs = readPauseMs({ status, headers: response.headers ?? {}, said });
  return new GitHubError(`GitHub answered ${status} to ${route}: ${said}`, {
    status,
    retryable: status >= 500 || status === 408 || retryAfterMs !== undefined,
    retryAfterMs,
    lacksPermission: status === 403 && NO_PERMISSION.test(said),
  });
}

/** An answer of another form may be cut off, or not be GitHub's: the next one may be right. */
function check<S extends Schema>(schema: S, data: unknown, route: string): v.InferOutput<S> {
  const result = v.safeParse(schema, data);
  if (result.success) return result.output;
  const problem =
    typeof data === 'string'
      ? `no JSON: ${quoteRefusal(data)}`
      : sanitise(v.summarize(result.issues).replaceAll('\n  ', ' ').replaceAll('\n', ' '));
  throw new GitHubError(`GitHub's answer to ${route} is not as documented: ${problem}`, { retryable: true });
}
