// One request to the server that plays GitHub and its answer; pages, refusals and the headers that GitHub sends with
// everything. Used by all routes.

import type { IncomingHttpHeaders } from 'node:http';
import type { FakeState } from './state.ts';

export interface Call {
  method: string;
  /** As the client sent it, with the server's own address. */
  url: URL;
  headers: IncomingHttpHeaders;
  /** '' without one. */
  token: string;
  /** Parsed JSON; undefined without a body. */
  body: unknown;
}

export interface Answer {
  status: number;
  /** Sent as JSON; undefined for none. */
  body?: unknown;
  headers?: Record<string, string>;
}

/** A request and its answer. `fault`: the server was told what to answer, if anything: it need not be GitHub's. */
export interface Exchange {
  call: Call;
  answer: Answer | undefined;
  fault: boolean;
}

/** Called with every exchange of every server in this process: the tests check them all here. */
export const exchangeListeners = new Set<(exchange: Exchange) => void>();

export function publish(exchange: Exchange): void {
  for (const listener of exchangeListeners) listener(exchange);
}

/** What a route gets: its path's variable parts in order, percent-decoded. */
export type Handler = (state: FakeState, call: Call, ...parts: string[]) => Answer;

/** `GET /pulls/(\d+)`, below the repository's path. */
export type Route = readonly [pattern: RegExp, handle: Handler];

export const NO_ACCESS = 'Resource not accessible by integration';

export function refuse(status: number, message: string, errors?: readonly object[]): Answer {
  const documentation_url = 'https://docs.github.com/rest';
  return {
    status,
    body: { message, ...(errors && { errors }), documentation_url, status: String(status) },
  };
}

export const notFound = (): Answer => refuse(404, 'Not Found');

/** A field of the body that is missing or wrong, in GitHub's words. */
export function refuseField(resource: string, field: string, code = 'missing_field'): Answer {
  return refuse(422, 'Validation Failed', [{ resource, field, code }]);
}

/** A field of the body; undefined where it is not there or of another type. */
export function readString({ body }: Call, name: string): string | undefined {
  const value = readField(body, name);
  return typeof value === 'string' ? value : undefined;
}

export function readBoolean({ body }: Call, name: string): boolean | undefined {
  const value = readField(body, name);
  return typeof value === 'boolean' ? value : undefined;
}

export function readField(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined;
}

const DEFAULT_PAGE_SIZE = 30;
const MAX_PAGE_SIZE = 100;

export interface Page<T> {
  items: T[];
  headers: Record<string, string>;
}

/** One page, with the `Link` header of GitHub's lists if there are others. Links use the repository's id, as GitHub's do. */
export function takePage<T>(items: readonly T[], { url }: Call, state: FakeState): Page<T> {
  const size = Math.min(readPositive(url, 'per_page') ?? DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE);
  const page = readPositive(url, 'page') ?? 1;
  const last = Math.max(1, Math.ceil(items.length / size));
  const link = (rel: string, number: number) => {
    const target = new URL(url);
    target.pathname = url.pathname.replace(`/repos/${state.repository}`, repositoryPath(state.repository));
    target.searchParams.set('page', String(number));
    return `<${target}>; rel="${rel}"`;
  };
  const links = [
    ...(page > 1 ? [link('prev', page - 1)] : []),
    ...(page < last ? [link('next', page + 1), link('last', last)] : []),
    ...(page > 1 ? [link('first', 1)] : []),
  ];
  return {
    items: items.slice((page - 1) * size, page * size),
    headers: links.length === 0 ? {} : { link: links.join(', ') },
  };
}

export function paginate(items: readonly object[], call: Call, state: FakeState): Answer {
  const page = takePage(items, call, state);
  return { status: 200, body: page.items, headers: page.headers };
}

function readPositive(url: URL, name: string): number | undefined {
  const value = Number(url.searchParams.get(name) ?? Number.NaN);
  return Number.isInteger(value) && value > 0 ? value : undefined;
}

/** The path that stays the same when the repository is renamed. */
export function repositoryPath(fullName: string): string {
  return `/repositories/${idOf(fullName.toLowerCase())}`;
}

/** A number for a name: the same each time, and hardly ever that of another name. */
export function idOf(name: string): number {
  let id = 5381;
  for (const character of name) id = (id * 33 + (character.codePointAt(0) ?? 0)) % 900_000_000;
  return id + 1;
}

/** GitHub's opaque ids. */
export function nodeId(kind: string, id: number): string {
  return Buffer.from(`${kind}${id}`).toString('base64');
}
