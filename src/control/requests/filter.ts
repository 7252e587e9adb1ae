// Chooses among the captured requests by path, method and id: the parameters that listing and waiting have in common.
// Used by routes.ts, events.ts and wait/.

import { METHODS } from 'node:http';
import type { CapturedRequest } from '../../shared/captured-request.ts';
import { InputError } from '../../shared/errors.ts';
import { cutQuery } from '../../shared/http-message.ts';
import { splitItems } from '../../shared/lines.ts';
import { compileLoosePatterns, findPatternProblem } from '../../shared/path-patterns.ts';

export const FILTER_PARAMETERS = ['path', 'method', 'since'] as const;

export interface RequestFilter {
  /** Patterns as in `capture`; undefined: every path. */
  readonly patterns: readonly string[] | undefined;
  /** In capitals; undefined: every method. */
  readonly methods: readonly string[] | undefined;
  /** Only requests with a larger id. */
  readonly since: number;
  hasPath(request: Pick<CapturedRequest, 'target'>): boolean;
  hasMethod(request: Pick<CapturedRequest, 'method'>): boolean;
}

/** Throws an InputError if a parameter is malformed, or if `since` is an id that no request has yet. */
export function readFilter(query: URLSearchParams, lastId: number): RequestFilter {
  const patterns = readList(query, 'path');
  for (const pattern of patterns ?? []) {
    const problem = findPatternProblem(pattern);
    if (problem !== undefined) throw new InputError(`\`path\` has '${pattern}', which ${problem}`);
  }
  const methods = readList(query, 'method')?.map(method => method.toUpperCase());
  for (const method of methods ?? [])
    if (!METHODS.includes(method))
      throw new InputError(
        `\`method\` has '${method}', which is not a method of HTTP: write POST, or PUT,POST`,
      );
  const matches = patterns && compileLoosePatterns(patterns);
  return {
    patterns,
    methods,
    since: readSince(query, lastId),
    hasPath: request => matches?.(cutQuery(request.target)) ?? true,
    hasMethod: request => methods?.includes(request.method.toUpperCase()) ?? true,
  };
}

/** The id of a request, as an input. `name` is the parameter. */
export function parseId(text: string, name: string): number {
  const id = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  if (id === undefined)
    throw new InputError(`\`${name}\` is '${text}', which is not the id of a request: they are 1, 2, 3 …`);
  return id;
}

function readSince(query: URLSearchParams, lastId: number): number {
  const since = parseId(query.get('since') ?? '0', 'since');
  if (since > lastId)
    throw new InputError(
      `\`since\` is ${since}, but ${lastId === 0 ? 'no request has come yet' : `the newest request is ${lastId}`}`,
    );
  return since;
}

/** One item, or several with commas or new lines between them. */
function readList(query: URLSearchParams, name: string): string[] | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const items = splitItems(text);
  if (items.length === 0) throw new InputError(`\`${name}\` is empty: leave it out`);
  return items;
}
