// The path that a web app was built for, like /repo/ on GitHub Pages: found in what its page loads, and taken off the
// paths that visitors ask for. Used by page-check.ts and web.ts.

import { decodeSegment, hasFile } from './files.ts';

/** The base path of an app that was built for the root of a host. */
export const NO_BASE = '/';

/** Below the base path, the path of the file in the folder, which begins with a slash; otherwise undefined. */
export function stripBase(base: string, path: string): string | undefined {
  if (base === NO_BASE) return path;
  const expected = base.slice(1, -1).split('/');
  const [, ...segments] = path.split('/');
  if (segments.length <= expected.length) return undefined;
  const isBelow = expected.every(
    (segment, index) => decodeSegment(segment) === decodeSegment(segments[index] ?? ''),
  );
  return isBelow ? `/${segments.slice(expected.length).join('/')}` : undefined;
}

/** Whether `path` leads to a file of the folder, if the app is served below `base`. */
export function isServed(root: string, base: string, path: string): boolean {
  const below = stripBase(base, path);
  return isThere(root, path) || (below !== undefined && isThere(root, below));
}

/** Compressed only, a file is served, too. */
function isThere(root: string, path: string): boolean {
  return ['', '.br', '.gz'].some(ending => hasFile(root, path + ending));
}

/**
 * The base path that makes the most of `paths` lead to files, if not more of them do without one. `documentBase` is the
 * path of `<base href>`. The first of several equally good ones is returned.
 */
export function findBasePath(root: string, paths: readonly string[], documentBase: string): string {
  const votes = new Map<string, number>();
  const missing = paths.filter(path => !isThere(root, path));
  for (const base of missing.flatMap(path => findBaseOf(root, path) ?? []))
    votes.set(base, (votes.get(base) ?? 0) + 1);
  const [best] = [...votes].sort(([, one], [, other]) => other - one);
  if (best !== undefined && best[1] >= paths.length - missing.length) return best[0];
  // A page without files of its own: only its links say where it belongs.
  return paths.every(path => !isThere(root, path)) && !hasFile(root, `${documentBase}index.html`)
    ? documentBase
    : NO_BASE;
}

/** The shortest beginning of `path` without which it is the path of a file. */
function findBaseOf(root: string, path: string): string | undefined {
  const segments = path.split('/').slice(1);
  const length = segments.findIndex(
    (_, index) => index > 0 && isThere(root, `/${segments.slice(index).join('/')}`),
  );
  return length < 0 ? undefined : `/${segments.slice(0, length).join('/')}/`;
}
