// Recognises the page of an app's source, which shows nothing before it is built. Used by page-check.ts.

import { join } from 'node:path';
import { isFile } from '../project/entry-file.ts';
import { readPageText } from '../project/start-page.ts';
import { decodeSegment } from './files.ts';
import type { Page, Reference } from './page.ts';

/** What no browser runs. */
const SOURCE_ENDING = /\.([cm]?tsx?|jsx|vue|svelte|astro|coffee|elm|rs)$/i;
/** Of Create React App and Vite, webpack and Vue CLI, Jinja and Jekyll, JavaScript. */
const TEMPLATE_MARK = /%[A-Z_][A-Z\d_]{2,}%|<%|\{[{%]|\$\{/;
/** Jekyll's. */
const FRONT_MATTER = /^---\r?\n/;

export interface SourceHints {
  /** Those to the folder: other hosts may compile what they send (esm.sh). */
  references: readonly Reference[];
  /** Of the page. */
  text: string;
  /** One of its scripts is there: it may fill in what is left of a template (AngularJS). */
  runs: boolean;
}

/** Why the page is a source, as the end of a sentence that begins with its name; undefined if it is not. */
export function findSourceMark(page: Page, { references, text, runs }: SourceHints): string | undefined {
  if (page.isTrunkSource) return 'has data-trunk attributes, which Trunk replaces when it builds the app';
  const script = references.find(
    ({ kind, url }) =>
      (kind === 'script' || kind === 'module') && SOURCE_ENDING.test(url.replace(/[?#].*$/s, '')),
  );
  if (script !== undefined) return `loads ${script.url}, which no browser can run`;
  const template = (runs ? [] : [page.base ?? '', ...references.map(({ url }) => url)]).find(isTemplate);
  if (template !== undefined) return `refers to ${template}, which a build replaces`;
  return FRONT_MATTER.test(text) ? 'begins with front matter, which a build removes' : undefined;
}

/** In `/%E4%BD%A0ABC%E5%A5%BD.png`, `%A0ABC%` is no mark: its percent signs encode characters. */
function isTemplate(url: string): boolean {
  return TEMPLATE_MARK.test(decodeSegment(url) === url ? url : url.replace(/%[\da-f]{2}/gi, ''));
}

/**
 * What a module begins with, piece by piece: space, comments, directives, static imports. What comes later is not looked
 * at, because it may be a text, such as an example of code.
 */
const HEAD =
  /\s+|;|\/\/.*|\/\*[\s\S]*?\*\/|(['"])use \w+\1|import\b[^'"`;()]*(['"])(?<specifier>[^'"\n]+)\2(?<type>\s*(?:with|assert)\b\s*\{[^}]*\})?/gy;
const ADDRESS = /^(?:\.{0,2}\/|[a-z][a-z\d+.-]*:)/i;
const ASSET =
  /\.(?:css|scss|sass|less|styl|svg|png|jpe?g|gif|webp|vue|svelte|[cm]?tsx?|jsx)(?:\?.*)?$|\?(?:init|url|raw|inline|worker)\b/i;

/**
 * Why the modules at these paths cannot run before a build: one imports a package by name, or a stylesheet. Only looked
 * for beside a package.json, which builds leave behind. `scripts`: the paths of the classic scripts that are there.
 */
export function findSourceImport(
  root: string,
  page: Page,
  { modules, scripts }: { modules: readonly string[]; scripts: readonly string[] },
): string | undefined {
  const read = (path: string) => readScript(root, path);
  if (page.hasImportMap || !isFile(join(root, 'package.json'))) return undefined;
  // JSPM writes a script that adds the import map.
  if (scripts.some(path => read(path).includes('importmap'))) return undefined;
  for (const path of modules) {
    const unknown = listImports(read(path)).find(
      specifier => !ADDRESS.test(specifier) || ASSET.test(specifier),
    );
    if (unknown !== undefined)
      return `loads ${path}, which imports '${unknown}', and only a build can resolve that`;
  }
  return undefined;
}

/** The start of a script, which may have many megabytes; empty if it cannot be read. */
function readScript(root: string, path: string): string {
  try {
    return readPageText(join(root, decodeSegment(path)));
  } catch {
    return '';
  }
}

/** The imports that a module begins with. One with a type (`with { type: 'css' }`) is for browsers that know it. */
function listImports(text: string): string[] {
  return [...text.matchAll(HEAD)].flatMap(({ groups }) =>
    groups?.specifier === undefined || groups.type !== undefined ? [] : [groups.specifier],
  );
}
