// package.json against the code: what it lists is used, and what is used is listed.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { PAGE_PACKAGES } from '../../src/demo/page/files.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** Development packages that are run, and that nobody imports. */
const PROGRAMS = ['@biomejs/biome', 'node', 'typescript'];

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<string, object>;
const { devDependencies = {}, scripts = {} } = manifest;

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

it('asks of its users to install nothing: packages are in the bundles, and listed as devDependencies', () => {
  expect(Object.keys(manifest).filter(key => /dependencies$/i.test(key))).toEqual(['devDependencies']);
  expect(Object.keys(scripts)).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/install|^prepare/)]),
  );
});

it('lists every package that is imported, and none without a use', () => {
  const imported = listImports('src', 'test', 'bench', 'scripts');
  expect(imported.filter(name => !(name in devDependencies))).toEqual([]);
  const isUsed = (name: string) =>
    [...imported, ...PROGRAMS, ...PAGE_PACKAGES].includes(name) ||
    (name.startsWith('@types/') && isTyped(name));
  expect(Object.keys(devDependencies).filter(name => !isUsed(name))).toEqual([]);
});

/** Whether a types package describes Node or a package that is listed. */
function isTyped(types: string): boolean {
  const described = types.slice('@types/'.length);
  return described === 'node' || described in devDependencies;
}

it('calls nothing of a package that needs what scripts/bundle.ts leaves out', () => {
  const texts = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts'))
    .map(file => readFileSync(join(ROOT, 'src', file), 'utf8'));
  expect(texts.filter(text => /\b(getIDToken|core\.platform)\b|@puppeteer\/browsers/.test(text))).toEqual([]);
});
