// Finds the route of a request by its method and path. Used by api.ts.

import type { Route } from './call.ts';

interface Found {
  route: Route;
  /** What stands in the place of each `{name}`, percent-decoded. */
  path: Readonly<Record<string, string>>;
}

interface Entry {
  method: string;
  segments: readonly string[];
  route: Route;
}

/** `routes`: `METHOD /path/{name}` → route. A path without names wins over one with names. */
export class Router {
  readonly #entries: readonly Entry[];

  constructor(routes: Readonly<Record<string, Route>>) {
    this.#entries = Object.entries(routes)
      .map(([name, route]) => {
        const [method = '', path = ''] = name.split(' ');
        return { method, segments: path.split('/'), route };
      })
      .sort((a, b) => countNames(a) - countNames(b));
  }

  /** The route, or the methods that the path has; none if there is no such path. */
  find(method: string, path: string): Found | { allowed: readonly string[] } {
    const segments = path.split('/');
    const fitting = this.#entries.flatMap(entry => {
      const names = matchSegments(entry.segments, segments);
      return names === undefined ? [] : [{ ...entry, path: names }];
    });
    return (
      fitting.find(entry => entry.method === method) ?? {
        allowed: [...new Set(fitting.map(one => one.method))],
      }
    );
  }
}

const isName = (segment: string) => segment.startsWith('{');

function countNames({ segments }: Entry): number {
  return segments.filter(isName).length;
}

function matchSegments(
  pattern: readonly string[],
  given: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== given.length) return undefined;
  const names: Record<string, string> = {};
  for (const [index, segment] of pattern.entries()) {
    const text = given[index] ?? '';
    if (!isName(segment)) {
      if (segment !== text) return undefined;
      continue;
    }
    const value = decode(text);
    if (value === undefined) return undefined;
    names[segment.slice(1, -1)] = value;
  }
  return names;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
