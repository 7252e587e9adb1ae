// The one connection to GitHub's REST API. A schema checks every answer, every request has a time limit, and the
// connection waits as long as a rate limit requires. Works with Enterprise servers through `apiUrl`. Used by step/ and
// supervisor/.
//
// Built on @octokit/core, not on @actions/github 9.1, which adds 1.08 MB to each of four bundles, with a method for
// every route and a second undici. @actions/github also reads the proxy from the environment when it is imported, so
// that we cannot pass one; it has no SOCKS, ignores HTTP_PROXY for https, and silently uses no proxy if the value is
// wrong.

import { Octokit } from '@octokit/core';
import { paginateRest } from '@octokit/plugin-paginate-rest';
import { throttling } from '@octokit/plugin-throttling';
import * as v from 'valibot';
import { raceSignal } from '../shared/abort.ts';
import { describeError, isTimeout } from '../shared/errors.ts';
import type { Logger } from '../shared/log.ts';
import { createFetch, type FetchOptions, type ProxyEnvironment, ProxyError } from '../shared/proxy.ts';
import { sanitise } from '../shared/sanitise.ts';

/** For a single request, from sending it to the last byte of the answer. GitHub itself gives up after 10 s. */
const REQUEST_TIMEOUT_MS = 15_000;

/** The longest pause that we accept from `Retry-After`; secondary rate limits ask for a minute. */
const LONGEST_PAUSE_MS = 60_000;

/** How many more times a request is tried after it met the rate limit. */
const MAX_RATE_LIMIT_RETRIES = 2;

/** Parameters of a route: those named in its path, the others as query or body. */
export type Parameters = Record<string, string | number | boolean | readonly string[]>;

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

/** GitHub refused, could not be reached, or answered with something unexpected. */
export class GitHubError extends Error {
  /** HTTP status; undefined if there was no answer. */
  readonly status: number | undefined;
  /** Whether a later request may succeed. */
  readonly retryable: boolean;
  /** How long GitHub asks us to wait before the next request; undefined if it does not. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: ErrorOptions & { status?: number; retryable: boolean; retryAfterMs?: number | undefined },
  ) {
    super(message, options);
    this.name = 'GitHubError';
    this.status = options.status;
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
  }
}

interface ConnectionOptions {
  token: string;
  apiUrl: string;
  logger: Logger;
  /** The job's variables that name a proxy; without them requests go to GitHub directly. */
  proxy?: ProxyEnvironment;
}

/** Sends nothing yet. */
export function connectGitHub(options: ConnectionOptions): GitHub {
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
      const items: unknown[] = [];
      const pages = octokit.paginate.iterator<unknown>(route, { ...parameters, per_page: 100 });
      const collect = async () => {
        for await (const { data } of pages) {
          signal?.throwIfAborted();
          items.push(...(Array.isArray(data) ? data : [data]));
        }
      };
      await awaitAnswer(collect(), route, signal);
      return items.map(item => check(schema, item, route));
    },
    async readLogin(signal) {
      const query = 'query { viewer { login } }';
      const answer: unknown = await awaitAnswer(octokit.graphql(query), 'POST /graphql', signal);
      return check(Viewer, answer, 'POST /graphql').viewer.login;
    },
  };
}

const Viewer = v.object({ viewer: v.object({ login: v.string() }) });

const ThrottledOctokit = Octokit.plugin(paginateRest, throttling);

function createOctokit(options: ConnectionOptions) {
  const { token, apiUrl, logger, proxy = {} } = options;
  const retry = (seconds: number, _request: object, _octokit: object, tries: number): boolean => {
    const wanted = tries < MAX_RATE_LIMIT_RETRIES && seconds * 1000 <= LONGEST_PAUSE_MS;
    logger.info(`GitHub's rate limit is reached; ${wanted ? `trying again in ${seconds} s` : 'giving up'}`);
    return wanted;
  };
  return new ThrottledOctokit({
    auth: token,
    baseUrl: apiUrl.replace(/\/+$/, ''),
    userAgent: 'expose-action',
    log: { debug: logger.debug, info: logger.debug, warn: logger.debug, error: logger.debug },
    request: { fetch: createFetchInTime(proxy) },
    // One queue for each connection, because the limits belong to the token.
    throttle: { onRateLimit: retry, onSecondaryRateLimit: retry, id: crypto.randomUUID() },
  });
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
  if (error instanceof Error && error.cause instanceof ProxyError)
    return new GitHubError(error.cause.message, { retryable: false, cause: error.cause });
  const message = sanitise(describeError(error));
  // Octokit sets status 500 if no answer came; only an error with a response has a real status.
  const answered = v.safeParse(Answered, error);
  if (!answered.success) {
    return new GitHubError(`GitHub could not be reached (${route}): ${message}`, {
      retryable: true,
      cause: error,
    });
  }
  const { status, response } = answered.output;
  const retryable = status >= 500 || status === 429 || /rate limit/i.test(message);
  return new GitHubError(`GitHub answered ${status} to ${route}: ${message}`, {
    status,
    retryable,
    retryAfterMs: readRetryAfter(response.headers),
    cause: error,
  });
}

const Answered = v.object({
  status: v.number(),
  response: v.object({ status: v.number(), headers: v.optional(v.record(v.string(), v.unknown()), {}) }),
});
const NotModified = v.object({ status: v.literal(304) });

/** From `Retry-After`, or from the time at which a limit that is used up begins again. */
function readRetryAfter(headers: Record<string, unknown>): number | undefined {
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  if (seconds > 0) return seconds * 1000;
  const reset = Number(headers['x-ratelimit-reset'] ?? Number.NaN);
  if (headers['x-ratelimit-remaining'] !== '0' || Number.isNaN(reset)) return undefined;
  return Math.max(0, reset * 1000 - Date.now());
}

function check<S extends Schema>(schema: S, data: unknown, route: string): v.InferOutput<S> {
  const result = v.safeParse(schema, data);
  if (result.success) return result.output;
  const problem = sanitise(v.summarize(result.issues));
  throw new GitHubError(`GitHub's answer to ${route} is not as documented: ${problem}`, { retryable: false });
}
