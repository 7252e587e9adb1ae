// Which files wasmrun's ignore rules leave out.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIgnoreRules } from '../../../src/app/project/ignore-rules.ts';

/** Cases taken from what wasmrun 1.0.0 does with the same pattern (project_files.rs), not from git. */
describe('parseIgnoreRules', () => {
  it.each([
    ['*.js', 'src/index.js', true],
    ['*.js', 'index.ts', false],
    ['?.js', 'a.js', true],
    ['?.js', 'ab.js', false],
    ['**/*.js', 'a/b/index.js', true],
    ['**/test', 'a/b/test', true],
    ['src/*.js', 'src/a/b.js', false],
    ['docs', 'docs/page.md', true],
    ['/docs', 'docs/page.md', false],
    ['docs/', 'docs', false],
    ['# docs', 'docs', false],
  ])('decides whether the pattern %s leaves out the file %s: %s', (pattern, path, ignored) => {
    expect(parseIgnoreRules(pattern)(path, false) !== undefined).toBe(ignored);
  });

  it('applies a pattern with a slash at its end to folders only', () => {
    expect(parseIgnoreRules('docs/')('docs', true)).toBe('.gitignore: docs');
  });

  it('lets the last pattern decide', () => {
    expect(parseIgnoreRules('*.log\n!keep.log')('keep.log', false)).toBeUndefined();
    expect(parseIgnoreRules('!keep.log\n*.log')('keep.log', false)).toBe('.gitignore: *.log');
  });

  it('keeps the built-in rules whatever .gitignore says', () => {
    const rules = parseIgnoreRules('!node_modules\n!*.wasm');
    expect(rules('a/node_modules', true)).toBe('node_modules');
    expect(rules('a.wasm', false)).toBe('*.wasm');
    expect(rules('.wasm', false)).toBeUndefined();
    expect(rules('my.egg-info', true)).toBe('*.egg-info');
  });

  it('matches like the same pattern written as a regular expression', () => {
    const piece = fc.constantFrom('*', '**', '**/', '?', 'a', 'b', '/', '.');
    const pattern = fc.array(piece, { minLength: 1, maxLength: 6 }).map(pieces => `x/${pieces.join('')}y`);
    const path = fc
      .string({ unit: fc.constantFrom('a', 'b', '/', '.', 'y'), maxLength: 12 })
      .map(text => `x/${text}y`);
    fc.assert(
      fc.property(pattern, path, (glob, text) => {
        const source = glob.replace(/\*\*\/?|[*?.]/g, found =>
          found === '*' ? '[^/]*' : found === '?' ? '[^]' : found === '.' ? '\\.' : '[^]*',
        );
        const ignored = parseIgnoreRules(glob)(text, false) !== undefined;
        expect(ignored).toBe(new RegExp(`^${source}$`).test(text));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is not slowed down by a pattern that is made to backtrack', () => {
    const rules = parseIgnoreRules(`${'*a'.repeat(200)}b`);
    expect(rules('a'.repeat(2_000), false)).toBeUndefined();
  });
});
