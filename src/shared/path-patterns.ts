// Patterns of request paths, such as `/webhooks/**`: of paths that need no key, and of paths whose requests are recorded.
// Used by gateway/, and by inputs/ to check the patterns.
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
  if (/[\s\\;%#]|\/\/|\/\.{1,2}(?:\/|$)/.test(pattern)) return 'is not a plain path';
  if (pattern.split('/').some(name => name !== '**' && name.split('*').length - 1 > MAX_STARS_IN_NAME))
    return 'has more than one * in a name';
  if (pattern.split('/').filter(name => name === '**').length > MAX_FOLDER_STARS)
    return 'has more than two **';
  if (/[()[\]{}!]/.test(pattern)) return 'has more than the signs *, ** and ?';
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

/** Returns a function: does a request's path match one of the patterns in any reading? */
export function compileLoosePatterns(patterns: readonly string[]): (path: string) => boolean {
  if (patterns.length === 0) return () => false;
  const matches = picomatch([...patterns], OPTIONS);
  return path => path.length <= MAX_LENGTH && listReadings(path).readings.some(reading => matches(reading));
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
