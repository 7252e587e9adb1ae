import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canOverlap,
  compilePatterns,
  compileSpelling,
  findPatternProblem,
  listSpellings,
} from '../../src/shared/path-patterns.ts';

const isPublic = compilePatterns(['/webhooks/**', '/hook-*', '/exact', '/v?/in']);

describe('a path pattern', () => {
  it.each([
    ['/webhooks/**', '/webhooks/', true],
    ['/webhooks/**', '/webhooks/github', true],
    ['/webhooks/**', '/webhooks/a/b.c', true],
    ['/webhooks/**', '/webhooks/.well-known/x', true],
    ['/webhooks/**', '/webhooks/a%20b', true],
    ['/webhooks/**', '/webhooksx', false],
    ['/webhooks/**', '/Webhooks/a', false],
    ['/webhooks/**', '/a/webhooks/b', false],
    ['/hook-*', '/hook-github', true],
    ['/hook-*', '/hook-a/b', false],
    ['/exact', '/exact', true],
    ['/exact', '/exact/', false],
    ['/exact', '/exac%74', false],
    ['/v?/in', '/v1/in', true],
    ['/v?/in', '/v12/in', false],
    ['/**', '/anything/at?all', true],
  ])('matches exactly the paths that it describes: %s and %s', (pattern, path, expected) => {
    expect(compilePatterns([pattern])(path.replace(/\?.*/, ''))).toBe(expected);
  });

  it('is required: without one, no path is public', () => {
    expect(compilePatterns([])('/')).toBe(false);
  });
});

describe('a path that an app could read differently (path tricks)', () => {
  it.each([
    '/webhooks/../admin',
    '/webhooks/..',
    '/webhooks/%2e%2e/admin',
    '/webhooks/%2E./admin',
    '/webhooks/..%2fadmin',
    '/webhooks/..%2Fadmin',
    '/webhooks/%252e%252e/admin',
    '/webhooks/%25252e%25252e%25252fadmin',
    '/webhooks\\..\\admin',
    '/webhooks/..\\admin',
    '/webhooks/..%5cadmin',
    '/webhooks/..;/admin',
    '/webhooks/..;x=y/admin',
    '/webhooks/.%00./admin',
    '/webhooks/%zz',
    '/webhooks/%c0%ae%c0%ae/admin',
    '/webhooks/a/../../admin',
    '/admin/..;/webhooks/x/../../admin',
    '/%2e%2e/admin',
    '/admin%2f..%2fwebhooks',
  ])('needs a key: %s', path => {
    expect(isPublic(path)).toBe(false);
  });

  it('is public only if every reading of it is public', () => {
    const piece = fc.constantFrom(
      ...[
        '/',
        '%2f',
        '%252f',
        '\\',
        '%5c',
        ';',
        ';a',
        '.',
        '..',
        '%2e',
        '%252e',
        'webhooks',
        'admin',
        'a',
        '%00',
      ],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), pieces => {
        const path = `/webhooks/${pieces.join('')}`;
        if (!isPublic(path)) return;
        for (const reading of readLikeAnApp(path)) expect(reading).toMatch(/^\/webhooks(\/|$)/);
      }),
      { numRuns: 20_000 },
    );
  });
});

/** How servers resolve a path: decoded up to three times, `\` as `/`, parameters cut off before or after. */
function readLikeAnApp(path: string): string[] {
  const readings: string[] = [];
  for (let times = 0, decoded = path; times < 3; times += 1) {
    for (const cut of [false, true])
      for (const text of [decoded, decoded.replaceAll('\\', '/')])
        readings.push(
          new URL(`http://x${cut ? text.replace(/;[^/\\]*/g, '') : text}`.replace(/[?#]/g, '_')).pathname,
        );
    try {
      decoded = decodeURIComponent(decoded);
    } catch {
      break;
    }
  }
  return readings.filter(reading => !reading.includes('%2f'));
}

describe('the check of a pattern', () => {
  it.each([
    ['webhooks/**', 'does not begin with /'],
    ['https://x.example/webhooks', 'does not begin with /'],
    ['/web hooks', 'is not a plain path'],
    ['/a/../b', 'is not a plain path'],
    ['//a', 'is not a plain path'],
    ['/a%20b', 'is not a plain path'],
    ['/a#b', 'is not a plain path'],
    ['/a*-*', 'has more than one * in a name'],
    ['/**/a/**/b/**', 'has more than two **'],
    ['/{a,b}', 'has more than the signs'],
    ['/!(a)', 'has more than the signs'],
    ['/a|/b', 'has more than the signs'],
    ['/hooks?id=1', 'has a query: write the path before the ? alone'],
  ])('explains what is wrong: %s %s', (pattern, problem) => {
    expect(findPatternProblem(pattern)).toContain(problem);
  });

  it('accepts a valid one', () => {
    for (const pattern of ['/', '/**', '/a/*/b', '/.well-known/**', '/a?b', '/ä'])
      expect(findPatternProblem(pattern)).toBeUndefined();
  });
});

describe('a long path (CPU exhaustion)', () => {
  it('is never public and costs no matching time', () => {
    const isPublic = compilePatterns(['/a/**/b/**/c/**/d', '/webhooks/**']);
    expect(isPublic(`/webhooks/${'a'.repeat(1_000)}`)).toBe(true);
    expect(isPublic(`/webhooks/${'a'.repeat(1_020)}`)).toBe(false);
    // It took ten seconds once; then the time limit of the test fails.
    expect(isPublic('/a/b/c'.repeat(2_300))).toBe(false);
  });
});

describe('two patterns', () => {
  it.each([
    ['/hooks/**', '/hooks/gh'],
    ['/hooks/**', '/hooks'],
    ['/hooks/**', '/**/gh'],
    ['/hooks/*', '/hooks/gh-*'],
    ['/a*c', '/ab*'],
    ['/?x', '/ax'],
    ['/**/a/**', '/b/**/c'],
  ])('%s and %s have paths in common', (one, other) => {
    expect([canOverlap(one, other), canOverlap(other, one)]).toEqual([true, true]);
  });

  it.each([
    ['/hooks/**', '/other'],
    ['/hooks/*', '/hooks/a/b'],
    ['/hooks/gh', '/hooks/Gh'],
    ['/hooks', '/hooks/'],
    ['/a*', '/b*'],
    ['/a?', '/a'],
    ['/**/a', '/**/b'],
  ])('%s and %s have none', (one, other) => {
    expect([canOverlap(one, other), canOverlap(other, one)]).toEqual([false, false]);
  });

  it('have paths in common if a path matches both', () => {
    const names = fc.constantFrom('a', 'b', 'ab', 'a*', '*b', '*', '?', '**');
    const patterns = fc.array(names, { minLength: 1, maxLength: 4 }).map(list => `/${list.join('/')}`);
    const paths = fc
      .array(fc.constantFrom('a', 'b', 'ab', 'abb'), { minLength: 1, maxLength: 4 })
      .map(list => `/${list.join('/')}`);
    fc.assert(
      fc.property(patterns, patterns, paths, (one, other, path) => {
        const matchesBoth = compilePatterns([one])(path) && compilePatterns([other])(path);
        if (matchesBoth) expect(canOverlap(one, other)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

function compileAnySpelling(patterns: readonly string[]): (path: string) => boolean {
  const matches = compileSpelling(patterns);
  return path => listSpellings(path)?.some(matches) ?? true;
}

describe('a path that an app could read as one of a pattern', () => {
  const couldBe = compileAnySpelling(['/hooks/gh', '/v?/*/in', '/all/**', '/a/**/z']);

  it.each([
    '/hooks/gh',
    '/Hooks/GH/',
    '/hooks//gh',
    '/hooks/%67h',
    '/hooks/%2567%2568',
    '/hooks%2Fgh',
    '/hooks\\gh',
    '/hooks;a=b/gh;c',
    '/x/../hooks/./gh',
    '/x/%2e%2e/hooks/gh',
    '/hooks/gh.json',
    '/../hooks/gh',
    '/hooks//../gh',
    '/x%2fy/../hooks/g%68',
    '/hooks/gh%0a',
    '/hooks/gh%3fx',
    '/hooks/gh%23x',
    '/hooks/gh%00.png',
    '/hooks/gh%20',
    '/v1/a\\b/in',
    '/v1/x/in',
    '/all',
    '/all/',
    '/all/a/b',
    '/a/z',
    '/a/b/c/z',
    '/a/z/z/z.xml',
    `/%${'25'.repeat(20)}2e`,
    `/all/${'x/'.repeat(5_000)}`,
  ])('counts as one: %s', path => {
    expect(couldBe(path)).toBe(true);
  });

  it.each([
    '/',
    '/hooks',
    '/hooks/ghx',
    '/hooks/gh/x',
    '/v12/x/in',
    '/v1/in',
    '/a/b',
    '/%zz',
    '/100%',
    '/hooks/gh~',
  ])('does not count as one: %s', path => {
    expect(couldBe(path)).toBe(false);
  });

  it('is every path that matches exactly, too', () => {
    const name = fc.constantFrom('a', 'b', 'a.b', '.x', 'é', 'A', 'a+b', '$', '^', 'a|b');
    const part = fc.oneof(name, fc.constantFrom('**', '*', 'a*', '?', '*.b'));
    const pattern = fc
      .array(part, { minLength: 1, maxLength: 4 })
      .map(parts => `/${parts.join('/')}`)
      .filter(each => findPatternProblem(each) === undefined);
    const path = fc.array(name, { maxLength: 5 }).map(names => `/${names.join('/')}`);
    fc.assert(
      fc.property(pattern, path, (each, tried) => {
        if (compilePatterns([each])(tried)) expect(compileAnySpelling([each])(tried)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });

  it('takes no time that grows with the square of its length', () => {
    const long = `${'/a'.repeat(8_000)}/b`;
    expect(compileAnySpelling(['/**/a/a/**/a/c'])(long)).toBe(false);
  });

  it('is doubtful if it is long in many readings, which would take long to match', () => {
    expect(listSpellings(`${'/a'.repeat(3_000)}/%252541;x%0a`)).toBeUndefined();
    expect(listSpellings(`${'/a'.repeat(300)}/%252541;x%0a`)?.length).toBeGreaterThan(8);
  });
});
