// Patterns of request paths, such as `/webhooks/**`: of paths that need no key, that need a signature, and whose requests
// are recorded. Used by gateway/, and by inputs/ to check the patterns.
//
// The app may read a path differently: decode it, even twice, treat `\` as `/`, or drop what follows a `;`. So a path
// is public only if every such reading of it matches. A path with dot segments is never public. A request is recorded if
// any reading matches: that opens nothing.

import picomatch from 'picomatch';

/** No app encodes its paths more often than this; a path that is encoded more often is not public. */
const MAX_DECODINGS = 4;

/**
 * Longer paths are not public. A pattern with several stars is matched by backtracking, whose time is a power of the
 * path's length. A visitor without a key could block the gateway for seconds with one long path. The number of stars is
 * limited for the same reason.
 */
const MAX_LENGTH = 1_024;
const MAX_STARS_IN_NAME = 1;
const MAX_FOLDER_STARS = 2;

/** `**` any number of folders, `*` any part of a name, `?` one character. Case-sensitive. */
const OPTIONS: picomatch.PicomatchOptions = {
  dot: true, // `/.well-known/x` is a path like any other
  nonegate: true,
  noextglob: true,
  nobracket: true,
  strictSlashes: true,
};

/** Why the pattern is not valid, as the end of "`public-paths` has 'x', which …"; undefined if it is valid. */
export function findPatternProblem(pattern: string): string | undefined {
  if (!pattern.startsWith('/')) return 'does not begin with /';
  if (/\?[^/?]*=/.test(pattern)) return 'has a query: write the path before the ? alone';
  if (/[\s\\;%#]|\/\/|\/\.{1,2}(?:\/|$)/.test(pattern)) return 'is not a plain path';
  if (pattern.split('/').some(name => name !== '**' && name.split('*').length - 1 > MAX_STARS_IN_NAME))
    return 'has more than one * in a name';
  if (pattern.split('/').filter(name => name === '**').length > MAX_FOLDER_STARS)
    return 'has more than two **';
  // With `|` picomatch would make two patterns of one.
  if (/[()[\]{}!|]/.test(pattern)) return 'has more than the signs *, ** and ?';
  return undefined;
}

/** Returns a function: does a request's path (target without query) match one of the patterns in every reading? */
export function compilePatterns(patterns: readonly string[]): (path: string) => boolean {
  if (patterns.length === 0) return () => false;
  const matches = picomatch([...patterns], OPTIONS);
  return path => {
    if (path.length > MAX_LENGTH) return false;
    const { readings, isDoubtful } = listReadings(path);
    return !isDoubtful && readings.every(reading => matches(reading));
  };
}

/** Returns a function: does a spelling, one of `listSpellings`, match one of the patterns? */
export function compileSpelling(patterns: readonly string[]): (names: readonly string[]) => boolean {
  const compiled = patterns.map(pattern => splitNames(pattern.toLowerCase()).map(compileName));
  return names => compiled.some(pattern => matchNames(pattern, names));
}

/** A path is rarely encoded twice; if it is still encoded after so many rounds, somebody is trying something. */
const MAX_LOOSE_DECODINGS = 8;

/** Of all readings of a path together: twice what a head may hold. More would take long to match. */
const MAX_READ_LENGTH = 32 * 1024;

/**
 * Every way in which an app could read a request's path (target without query), as lists of names. For paths that need a
 * signature, doubt must count against the request: another spelling of the path must not lead around the check. So letter
 * case, a slash at the end and the format that some frameworks take from the end of a path (`.json`) make no difference.
 *
 * Undefined if there are too many ways, or if it has dot segments: apps resolve them before or after they decode, and with
 * or without empty names. No client sends such a path.
 */
export function listSpellings(path: string): string[][] | undefined {
  const texts = [path.toLowerCase()];
  for (let round = 0; ; round += 1) {
    const decoded = decodeLeniently(texts.at(-1) ?? '').toLowerCase();
    if (decoded === texts.at(-1)) break;
    if (round === MAX_LOOSE_DECODINGS) return undefined;
    texts.push(decoded);
  }
  const readings = new Set(
    texts
      .flatMap(text => [text, cutEnd(text)])
      .flatMap(text => [text, text.replaceAll(/;[^/\\]*/g, '')])
      .flatMap(text => [text, mergeSlashes(text)]),
  );
  if ([...readings].reduce((length, text) => length + text.length, 0) > MAX_READ_LENGTH) return undefined;
  const spellings = [...readings].map(splitNames);
  if (spellings.some(names => names.includes('.') || names.includes('..'))) return undefined;
  return spellings.flatMap(names => [names, ...dropFormat(names)]);
}

/** Without what comes after a decoded end: `$` of many regular expressions matches before a line break, too. */
function cutEnd(text: string): string {
  return (text.split(/[?#\n\r\0]/, 1)[0] ?? '').trimEnd();
}

/** Decodes what can be decoded, and leaves the rest: some servers do. */
function decodeLeniently(text: string): string {
  return text.replaceAll(/(?:%[\da-f]{2})+/gi, run =>
    Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}

function splitNames(path: string): string[] {
  return path.split('/').filter(name => name !== '');
}

/** The same without a format at its end; nothing if it has none. */
function dropFormat(names: readonly string[]): string[][] {
  const last = names.at(-1) ?? '';
  const short = last.replace(/(?<=.)\.\w+$/, '');
  return short === last ? [] : [names.with(-1, short)];
}

/** A test for one name; undefined stands for `**`. */
type NamePattern = ((name: string) => boolean) | undefined;

function compileName(pattern: string): NamePattern {
  if (pattern === '**') return undefined;
  if (!/[*?]/.test(pattern)) return name => name === pattern;
  const source = pattern
    .replaceAll(/[.+^$|]/g, '\\$&')
    .replaceAll('?', '.')
    .replace('*', '.*');
  const wanted = new RegExp(`^${source}$`, 's');
  return name => wanted.test(name);
}

/** If a name does not match, the last `**` takes one more: no path takes more than its length times the pattern's. */
function matchNames(pattern: readonly NamePattern[], names: readonly string[]): boolean {
  let [next, from, taken] = [0, -1, 0];
  for (let index = 0; index < names.length; ) {
    const wanted = pattern[next];
    if (next < pattern.length && wanted === undefined) {
      next += 1;
      [from, taken] = [next, index];
    } else if (wanted?.(names[index] ?? '')) {
      next += 1;
      index += 1;
    } else if (from >= 0) {
      next = from;
      taken += 1;
      index = taken;
    } else return false;
  }
  return pattern.slice(next).every(one => one === undefined);
}

/** Returns a function: does a request's path match one of the patterns in any reading? */
export function compileLoosePatterns(patterns: readonly string[]): (path: string) => boolean {
  if (patterns.length === 0) return () => false;
  const matches = picomatch([...patterns], OPTIONS);
  return path => path.length <= MAX_LENGTH && listReadings(path).readings.some(reading => matches(reading));
}

/** Whether some path may match both patterns. */
export function canOverlap(one: string, other: string): boolean {
  return overlapNames(one.split('/'), other.split('/'));
}

/** The same for lists of names, where `**` stands for any number of them. */
function overlapNames(one: readonly string[], other: readonly string[]): boolean {
  const [[first, ...rest], [second, ...others]] = [one, other];
  if (first === '**') return overlapNames(rest, other) || (second !== undefined && overlapNames(one, others));
  if (second === '**') return overlapNames(other, one);
  if (first === undefined || second === undefined) return first === second;
  return overlapSigns(first, second) && overlapNames(rest, others);
}

/** The same within a name, where `*` stands for any number of characters. */
function overlapSigns(one: string, other: string): boolean {
  if (one.startsWith('*'))
    return overlapSigns(one.slice(1), other) || (other !== '' && overlapSigns(one, other.slice(1)));
  if (other.startsWith('*')) return overlapSigns(other, one);
  if (one === '' || other === '') return one === other;
  return (
    (one[0] === '?' || other[0] === '?' || one[0] === other[0]) && overlapSigns(one.slice(1), other.slice(1))
  );
}

/** Ways to read the path; doubtful if readers are too likely to disagree in yet other ways. */
function listReadings(path: string): { readings: string[]; isDoubtful: boolean } {
  const readings = [path];
  for (let decoded = path, round = 0; ; round += 1) {
    const variants = [decoded, decoded.replaceAll(/;[^/\\]*/g, '')].map(mergeSlashes);
    if (variants.some(hasDotSegment)) return { readings, isDoubtful: true };
    readings.push(...variants);
    const next = decode(decoded);
    if (next === decoded) return { readings, isDoubtful: false };
    if (next === undefined || round === MAX_DECODINGS) return { readings, isDoubtful: true };
    decoded = next;
  }
}

function decode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text);
    return decoded.includes('\0') ? undefined : decoded;
  } catch {
    return undefined;
  }
}

function mergeSlashes(path: string): string {
  return path.replaceAll(/[/\\]+/g, '/');
}

/** Apps resolve dot segments differently if empty folders or parameters are near; no webhook needs dot segments. */
function hasDotSegment(path: string): boolean {
  return /\/\.{1,2}(?:\/|$)/.test(path);
}
