// package.json against the code: what it lists is used, and what is used is listed.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { PAGE_PACKAGES } from '../../src/demo/page/files.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Development packages that are run, and that nobody imports. */
const PROGRAMS = ['@biomejs/biome', 'node', 'typescript'];

const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

/** `@scope/name` or `name`, without the path inside the package. */
const packageOf = (specifier: string) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** The apps of docs/apps.md, each with packages of its own. */
const APPS = /^apps\/[^/]+\//;

/** The packages that the TypeScript files of these folders import; a type counts too. */
function listImports(...folders: string[]): string[] {
  const texts = folders.flatMap(folder =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter(file => file.endsWith('.ts') && !APPS.test(file))
      .map(file => readFileSync(join(ROOT, folder, file), 'utf8')),
  );
  const specifiers = texts.flatMap(text =>
    [...text.matchAll(/(?:^import [^'\n]*|^\} from |\bawait import\()'([^.'][^']*)'/gm)].map(
      ([, name = '']) => name,
    ),
  );
  return [...new Set(specifiers.filter(name => !name.startsWith('node:')).map(packageOf))].sort();
}

it('lists as dependencies exactly the packages that src imports, and those whose files are in a page', () => {
  const used = new Set([...listImports('src'), ...PAGE_PACKAGES]);
  expect([...used].sort()).toEqual(Object.keys(dependencies).sort());
});

it('lists every package that tests, benchmarks and scripts import, and no development package without a use', () => {
  const imported = listImports('test', 'bench', 'scripts');
  const declared = { ...dependencies, ...devDependencies };
  expect(imported.filter(name => !(name in declared))).toEqual([]);
  const isUsed = (name: string) =>
    imported.includes(name) || PROGRAMS.includes(name) || (name.startsWith('@types/') && isTyped(name));
  expect(Object.keys(devDependencies).filter(name => !isUsed(name))).toEqual([]);
});

/** Whether a types package describes Node or a package that is listed. */
function isTyped(types: string): boolean {
  const described = types.slice('@types/'.length);
  return described === 'node' || described in dependencies || described in devDependencies;
}

it('calls nothing of a package that needs what scripts/bundle.ts leaves out', () => {
  const texts = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts'))
    .map(file => readFileSync(join(ROOT, 'src', file), 'utf8'));
  expect(texts.filter(text => /\b(getIDToken|core\.platform)\b|@puppeteer\/browsers/.test(text))).toEqual([]);
});
