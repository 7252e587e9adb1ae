// Which files wasmrun ships into its VM: the rules of wasmrun 1.0.0 (project_files.rs), which differ from git's. Used
// by staging.ts, which reports before the start what the VM will not see.

/** Left out wherever they are, files and folders alike. */
const IGNORED_NAMES = new Set([
  ...['.git', 'node_modules', 'target', 'dist', '__pycache__', '.venv', 'venv', '.DS_Store', '.idea'],
  ...['.vscode', '.cache', '.tox', '.mypy_cache', '.pytest_cache', '.eggs', '.cargo'],
]);
const IGNORED_SUFFIX = '.egg-info';
const IGNORED_EXTENSIONS = new Set(['pyc', 'pyo', 'o', 'so', 'dylib', 'dll', 'exe', 'class', 'jar', 'wasm']);

interface Pattern {
  text: string;
  tokens: readonly Token[];
  foldersOnly: boolean;
  negated: boolean;
}

/** One step of a pattern: a given character, any one character, any text without `/`, or any text. */
type Token = { kind: 'character'; character: string } | { kind: 'one' | 'segment' | 'anything' };

/** Returns the rule that leaves an entry out, or undefined; `path` is relative, with `/`. */
export type IgnoreRules = (path: string, isFolder: boolean) => string | undefined;

/** The rules of a project with this `.gitignore` in its root; others further down do not count. */
export function parseIgnoreRules(gitignore: string): IgnoreRules {
  const patterns = gitignore
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(parsePattern);
  return (path, isFolder) => findBuiltIn(path, isFolder) ?? findPattern(patterns, path, isFolder);
}

function parsePattern(line: string): Pattern {
  const negated = line.startsWith('!');
  const positive = negated ? line.slice(1) : line;
  const foldersOnly = positive.endsWith('/');
  const text = foldersOnly ? positive.slice(0, -1) : positive;
  return { text, tokens: parseTokens(text), foldersOnly, negated };
}

function parseTokens(pattern: string): Token[] {
  const pieces = pattern.match(/\*\*\/?|[\s\S]/gu) ?? [];
  return pieces.map((piece): Token => {
    if (piece.startsWith('**')) return { kind: 'anything' };
    if (piece === '*') return { kind: 'segment' };
    return piece === '?' ? { kind: 'one' } : { kind: 'character', character: piece };
  });
}

function findBuiltIn(path: string, isFolder: boolean): string | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (IGNORED_NAMES.has(name)) return name;
  if (name.endsWith(IGNORED_SUFFIX)) return `*${IGNORED_SUFFIX}`;
  const dot = name.lastIndexOf('.');
  const extension = name.slice(dot + 1);
  return !isFolder && dot > 0 && IGNORED_EXTENSIONS.has(extension) ? `*.${extension}` : undefined;
}

/** The last pattern that matches decides. */
function findPattern(patterns: readonly Pattern[], path: string, isFolder: boolean): string | undefined {
  const last = patterns.findLast(
    pattern => (isFolder || !pattern.foldersOnly) && matchesPath(pattern, path, isFolder),
  );
  return last === undefined || last.negated ? undefined : `.gitignore: ${last.text}`;
}

/**
 * A pattern with a slash is matched against the whole path, one without against the name (for files, every name in it).
 */
function matchesPath(pattern: Pattern, path: string, isFolder: boolean): boolean {
  if (pattern.text.includes('/')) return matchesTokens(pattern.tokens, path);
  const names = path.split('/');
  return (isFolder ? names.slice(-1) : names).some(name => matchesTokens(pattern.tokens, name));
}

/** Follows all paths through the pattern at once, so the time is bounded by the length of pattern times text. */
function matchesTokens(tokens: readonly Token[], text: string): boolean {
  let positions = skipRuns(tokens, new Set([0]));
  for (const character of text) {
    const next = new Set<number>();
    for (const at of positions) {
      const token = tokens[at];
      if (token === undefined) continue;
      if (token.kind === 'anything' || (token.kind === 'segment' && character !== '/')) next.add(at);
      else if (token.kind === 'one' || (token.kind === 'character' && token.character === character))
        next.add(at + 1);
    }
    positions = skipRuns(tokens, next);
  }
  return positions.has(tokens.length);
}

/** `*` and `**` may match nothing, so the token after them is a possible position, too. */
function skipRuns(tokens: readonly Token[], positions: Set<number>): Set<number> {
  for (const at of positions) {
    const kind = tokens[at]?.kind;
    if (kind === 'anything' || kind === 'segment') positions.add(at + 1);
  }
  return positions;
}
