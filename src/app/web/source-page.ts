// Recognises the page of an app's source, which shows nothing before it is built. Used by page-check.ts.

import { join } from 'node:path';
import { readProjectFile } from '../project/project-file.ts';
import { decodeSegment } from './files.ts';
import type { Page } from './page.ts';

/** What no browser runs. */
const SOURCE_ENDING = /\.([cm]?tsx?|jsx|vue|svelte|astro|coffee|elm|rs)$/i;
/** Of Create React App and Vite, webpack and Vue CLI, Jinja and Jekyll, JavaScript. */
const TEMPLATE_MARK = /%[A-Z_][A-Z\d_]{2,}%|<%|\{[{%]|\$\{/;
/** Jekyll's. */
const FRONT_MATTER = /^---\r?\n/;

/** Why the page is a source, as the end of a sentence that begins with its name; undefined if it is not. */
export function findSourceMark(page: Page, text: string): string | undefined {
  if (page.isTrunkSource) return 'has data-trunk attributes, which Trunk replaces when it builds the app';
  const script = page.references.find(
    ({ kind, url }) =>
      (kind === 'script' || kind === 'module') && SOURCE_ENDING.test(url.replace(/[?#].*$/s, '')),
  );
  if (script !== undefined) return `loads ${script.url}, which no browser can run`;
  const template = [page.base ?? '', ...page.references.map(({ url }) => url)].find(url =>
    TEMPLATE_MARK.test(url),
  );
  if (template !== undefined) return `refers to ${template}, which a build replaces`;
  return FRONT_MATTER.test(text) ? 'begins with front matter, which a build removes' : undefined;
}

/** A static import at the start of a line; the specifier. With a type (`with { type: 'css' }`), browsers know more. */
const IMPORT = /^[ \t]*import\b[^'"`;()]*['"]([^'"\n]+)['"](?!\s*(?:with|assert)\b)/gm;
const ADDRESS = /^(?:\.{0,2}\/|[a-z][a-z\d+.-]*:)/i;
const ASSET =
  /\.(?:css|scss|sass|less|styl|svg|png|jpe?g|gif|webp|vue|svelte|[cm]?tsx?|jsx)(?:\?.*)?$|\?(?:init|url|raw|inline|worker)\b/i;

/**
 * Why the modules at these paths cannot run before a build: one imports a package by name, or a stylesheet. Only looked
 * for beside a package.json, which builds leave behind: what a bundle contains may look like an import.
 */
export function findSourceImport(root: string, page: Page, paths: readonly string[]): string | undefined {
  if (page.hasImportMap || readProjectFile(root, 'package.json') === undefined) return undefined;
  for (const path of paths) {
    const text = readProjectFile(root, join('.', decodeSegment(path)));
    const specifiers = [...(text ?? '').matchAll(IMPORT)].map(([, specifier = '']) => specifier);
    const unknown = specifiers.find(specifier => !ADDRESS.test(specifier) || ASSET.test(specifier));
    if (unknown !== undefined)
      return `loads ${path}, which imports '${unknown}', and only a build can resolve that`;
  }
  return undefined;
}
