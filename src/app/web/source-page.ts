// Recognises the page of an app's source, which shows nothing before it is built. Used by page-check.ts.

import type { Page } from './page.ts';

/** What no browser runs. */
const SOURCE_ENDING = /\.([cm]?tsx?|jsx|vue|svelte|astro|coffee|elm|rs)$/i;
/** Of Create React App and Vite, webpack and Vue CLI, Jinja and Jekyll, JavaScript. */
const TEMPLATE_MARK = /%[A-Z_][A-Z\d_]{2,}%|<%|\{\{|\$\{/;
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
