// What dist holds: a bundle for each program, its weight, and the licences of the packages in it.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PAGE_PACKAGES } from '../../src/demo/page/files.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SRC = join(ROOT, 'src');
const DIST = join(ROOT, 'dist');

/** Every job downloads all of dist. Decimal megabytes; 2.4 of them are the library for the cache service. */
const MAX_DIST_BYTES = 21e6;
const MAX_SMALL_BYTES = 0.3e6;
/** Not in a release's archive (.gitattributes): only checkouts and the npm package have the demo. */
const DEMO = ['demo', 'demo-runner'];
/** 2.6 of them are the library that draws the charts. */
const MAX_DEMO_BYTES = 6.5e6;

const programs = readdirSync(SRC)
  .filter(file => file.endsWith('.ts'))
  .map(file => file.slice(0, -'.ts'.length));

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(file => join(folder, file))
    .filter(file => statSync(file).isFile());
}

const weigh = (folder: string) => listFiles(folder).reduce((bytes, file) => bytes + statSync(file).size, 0);

/** `@scope/name` or `name`, without the path inside the package. */
const packageOf = (path: string) => /^(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? path;

/** The packages that a bundle's own comments name: those that were joined into one module. */
function listJoined(program: string): string[] {
  const scripts = listFiles(join(DIST, program)).filter(file => file.endsWith('.js'));
  return scripts.flatMap(file =>
    [...readFileSync(file, 'utf8').matchAll(/^;\/\/ CONCATENATED MODULE: \S*node_modules\/(\S+)/gm)].map(
      ([, path = '']) => packageOf(path),
    ),
  );
}

it('has a folder for each program, and no other', () => {
  expect(readdirSync(DIST).sort()).toEqual(programs.sort());
});

it('weighs no more than a job should have to download', () => {
  const demo = DEMO.map(name => weigh(join(DIST, name))).reduce((sum, bytes) => sum + bytes);
  expect(weigh(DIST) - demo).toBeLessThan(MAX_DIST_BYTES);
  expect(demo).toBeLessThan(MAX_DEMO_BYTES);
  for (const small of ['stop', 'wait']) expect(weigh(join(DIST, small))).toBeLessThan(MAX_SMALL_BYTES);
});

/** The heads of licences.ts: name, version, and one licence or several in brackets. */
const LICENSED = /^(\S+) \d\S*, (?:\S+|\(.+\))$/gm;

const listLicensed = (program: string) =>
  [...readFileSync(join(DIST, program, 'licenses.txt'), 'utf8').matchAll(LICENSED)].map(([, name]) => name);

describe('licenses.txt', () => {
  it("of the demo's page names every package whose files are in it", () => {
    expect(listLicensed('demo/page').sort()).toEqual([...PAGE_PACKAGES].sort());
  });

  it.each(programs)('of %s names every package that the bundle says it contains', program => {
    const joined = listJoined(program);
    expect(joined.length).toBeGreaterThan(0);
    expect(listLicensed(program)).toEqual(expect.arrayContaining(joined));
  });

  // CommonJS is not joined into the module that imports it, and the bundle does not name it.
  it.each([
    ['main', ['undici']],
    ['post', ['undici']],
    ['cli', ['undici', 'picomatch', 'ws', 'puppeteer-core']],
    ['supervisor', ['undici', 'picomatch', 'ws', 'puppeteer-core']],
    ['page-host', ['happy-dom', 'ws']],
    ['cache', ['@actions/cache', '@azure/storage-blob', '@protobuf-ts/runtime']],
  ])('of %s names what is in CommonJS or loaded late', (program, packages) => {
    expect(listLicensed(program)).toEqual(expect.arrayContaining(packages));
  });
});
