// The licence texts that the build puts beside each bundle, package by package.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { listPackageFolders, renderLicences } from '../../scripts/licences.ts';

const MODULES = resolve(import.meta.dirname, '../../node_modules');

let parent = '';
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'licences-'));
});
afterEach(() => rmSync(parent, { recursive: true }));

function writePackage(name: string, license: string | undefined, files: Record<string, string>): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version: '1.2.3', license }));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  return folder;
}

it('finds the package of each file once, scoped and nested ones too', () => {
  const files = ['/p/build/js/main.js', '/p/node_modules/a/x.js', '/p/node_modules/a/lib/y.js'];
  const others = ['/p/node_modules/@s/b/z.js', '/p/node_modules/a/node_modules/c/index.js'];
  expect(listPackageFolders([...files, ...others])).toEqual([
    '/p/node_modules/@s/b',
    '/p/node_modules/a',
    '/p/node_modules/a/node_modules/c',
  ]);
});

it('gives name, version, kind and every licence file in full, with plain line ends', () => {
  const one = writePackage('one', 'MIT', { LICENSE: 'Copyright A\r\nAll of it\r\n' });
  const two = writePackage('two', 'Apache-2.0', { 'license.md': 'Apache', NOTICE: 'Copyright B' });
  const text = renderLicences([one, two]);
  expect(text).toContain('one 1.2.3, MIT\n\nCopyright A\nAll of it\n');
  expect(text).toMatch(/two 1\.2\.3, Apache-2\.0\n\n(Apache\n\nCopyright B|Copyright B\n\nApache)\n/);
});

it("gives Apache's text for the packages of puppeteer, which come without it", () => {
  expect(renderLicences([join(MODULES, 'puppeteer-core')])).toMatch(
    /^puppeteer-core \S+, Apache-2\.0\n\n\s*Apache License\n\s*Version 2\.0/,
  );
});

it('takes a package that is under two of the allowed licences at once', () => {
  const folder = writePackage('both', '(Apache-2.0 AND BSD-3-Clause)', { LICENSE: 'text' });
  expect(renderLicences([folder])).toContain('both 1.2.3, (Apache-2.0 AND BSD-3-Clause)');
});

it('takes a package that gives the choice between an allowed licence and another', () => {
  const folder = writePackage('choice', '(MPL-2.0 OR Apache-2.0)', { LICENSE: 'text' });
  expect(renderLicences([folder])).toContain('choice 1.2.3, (MPL-2.0 OR Apache-2.0)');
});

it.each(['GPL-3.0-only', '(MIT AND GPL-3.0-only)', '(MPL-2.0 OR GPL-3.0-only)', 'UNLICENSED', undefined])(
  'refuses a package with the licence %s',
  license => {
    const folder = writePackage('strict', license, { LICENSE: 'text' });
    expect(() => renderLicences([folder])).toThrow(`strict 1.2.3 has the licence ${license ?? '(none)'}`);
  },
);

it('refuses a package that comes without the text of its licence', () => {
  const folder = writePackage('silent', 'MIT', { 'README.md': 'MIT' });
  expect(() => renderLicences([folder])).toThrow('silent 1.2.3 comes without the text of its licence, MIT');
});
