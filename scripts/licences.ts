// The licences of the packages that a bundle contains. Used by bundle.ts.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** They ask for no more than their text and copyright line, which `licenses.txt` gives. */
const ALLOWED: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
]);

/** puppeteer-core and its packages come without the text; this one is theirs too, and Apache's text names nobody. */
const APACHE_TEXT = 'node_modules/chromium-bidi/LICENSE';

/** The folders of the packages that hold these files, sorted; files outside `node_modules` are left out. */
export function listPackageFolders(files: readonly string[]): string[] {
  const folders = files.flatMap(file => file.match(/^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0] ?? []);
  return [...new Set(folders)].sort();
}

/**
 * The text of `licenses.txt`: name, version, kind and full text for each package folder. Throws where a package has no
 * licence text, or a licence of a kind that is not allowed.
 */
export function renderLicences(folders: readonly string[]): string {
  return folders.map(renderLicence).join(`\n${'-'.repeat(80)}\n\n`);
}

/**
 * A package may be under several at once, or give a choice: `(Apache-2.0 AND BSD-3-Clause)`, `(MPL-2.0 OR Apache-2.0)`,
 * in SPDX's notation.
 */
function isAllowed(license: string): boolean {
  const choices = license.replace(/^\((.*)\)$/, '$1').split(' OR ');
  return choices.some(choice => choice.split(' AND ').every(kind => ALLOWED.has(kind)));
}

function renderLicence(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
  };
  if (license === undefined || !isAllowed(license))
    throw new Error(
      `${name} ${version} has the licence ${license ?? '(none)'}: leave the package out, or add the kind to ALLOWED in scripts/licences.ts after reading it`,
    );
  const texts = readdirSync(folder).filter(file => /^(licen[cs]e|copying|notice)\b/i.test(file));
  const files = texts.map(file => join(folder, file));
  if (files.length === 0 && license === 'Apache-2.0') files.push(APACHE_TEXT);
  if (files.length === 0)
    throw new Error(`${name} ${version} comes without the text of its licence, ${license}`);
  const text = files.map(file => readFileSync(file, 'utf8').trim()).join('\n\n');
  return `${name} ${version}, ${license}\n\n${text.replaceAll('\r\n', '\n')}\n`;
}
