// The path patterns of `_redirects` and `_headers`: `/blog/:year/*`. Used by host-files.ts.

import { decodeSegment } from './files.ts';

/** What the placeholders of a pattern stand for, as it was in the path; `splat` for `*`. */
export type Placeholders = Readonly<Record<string, string>>;

export interface PathPattern {
  /** Undefined if the path does not match. A slash at the end makes no difference. */
  match(path: string): Placeholders | undefined;
}

const PLACEHOLDER = /^:([A-Za-z]\w*)$/;

/** Undefined for what is not a path, and for a `*` that is not the last segment: only Cloudflare knows that one. */
export function parsePattern(text: string): PathPattern | undefined {
  const segments = splitPath(text);
  const isOpen = segments.at(-1) === '*';
  const fixed = isOpen ? segments.slice(0, -1) : segments;
  if (!text.startsWith('/') || fixed.some(segment => segment.includes('*'))) return undefined;
  return { match: path => matchSegments(fixed, isOpen, splitPath(path)) };
}

function matchSegments(
  pattern: readonly string[],
  isOpen: boolean,
  segments: readonly string[],
): Placeholders | undefined {
  if (segments.length < pattern.length || (segments.length > pattern.length && !isOpen)) return undefined;
  const found: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] ?? '';
    const name = PLACEHOLDER.exec(expected)?.[1];
    if (name !== undefined) found[name] = segment;
    else if (decodeSegment(expected) !== decodeSegment(segment)) return undefined;
  }
  return isOpen ? { ...found, splat: segments.slice(pattern.length).join('/') } : found;
}

function splitPath(path: string): string[] {
  return path.split('/').filter(segment => segment !== '');
}

/** Puts the values of the placeholders into a path or an address. */
export function fillIn(text: string, values: Placeholders): string {
  return text.replace(/:([A-Za-z]\w*)/g, (written, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? written) : written,
  );
}
