// Looks at the page of a built web app before anything starts: for which base path it was built, and whether it can
// only end as a blank page. Used by inputs/app.ts.

import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { findBuiltFolder, findStartPage, readPageText } from '../project/start-page.ts';
import { findBasePath, isServed, NO_BASE } from './base-path.ts';
import { decodeSegment, hasFile } from './files.ts';
import { type Page, type Reference, readPage } from './page.ts';
import { findSourceImport, findSourceMark } from './source-page.ts';

export interface PageCheck {
  /** Begins and ends with a slash. */
  basePath: string;
  /** What visitors will miss, by name. */
  warnings: readonly string[];
}

/** A reference to a file of the folder. */
interface LocalReference extends Reference {
  /** Percent-encoded, without query; begins with a slash. */
  path: string;
}

/** The page as it is in the folder. */
interface StartPage {
  /** The real path of the folder. */
  root: string;
  /** `index.html` */
  name: string;
  page: Page;
  references: readonly LocalReference[];
}

/** An address that no page has: what is on other hosts differs from it. */
const PAGE_URL = 'http://page.invalid/';
const PAGE_ORIGIN = new URL(PAGE_URL).origin;
/** Bazel, Nix and some packagers write such links. */
const LEADS_OUT =
  'is hidden, or a link that leads out of the folder, and only what is in it is served: copy the files (`cp -rL`)';
/** Names in one message. */
const SHOWN_FILES = 3;

/**
 * `wanted` is the base path, or `auto`. Throws an InputError if the page is the source of an app, or if none of its
 * scripts is there.
 */
export function checkPage(folder: string, wanted: string): PageCheck {
  const root = realpathSync(folder);
  const name = findStartPage(root);
  if (name === undefined) return { basePath: wanted === 'auto' ? NO_BASE : wanted, warnings: [] };
  if (!hasFile(root, `/${name}`)) throw new InputError(`path: ${name} in ${sanitise(root)} ${LEADS_OUT}`);
  const text = readPageText(join(root, name));
  const page = readPage(text);
  const documentBase = URL.parse(page.base ?? '', PAGE_URL) ?? new URL(PAGE_URL);
  const start = { root, name, page, references: listLocal(page, documentBase) };
  const modules = start.references.filter(({ kind, path }) => kind === 'module' && hasFile(root, path));
  const mark =
    findSourceMark(page, text) ??
    findSourceImport(
      root,
      page,
      modules.map(({ path }) => path),
    );
  if (mark !== undefined) throw new InputError(`path: ${name} ${sanitise(mark)}: ${describeSource(root)}`);
  const found = findBase(start, documentBase);
  const basePath = wanted === 'auto' ? found : wanted;
  const missing = start.references.filter(
    ({ kind, path }) => kind !== 'other' && !isServed(root, basePath, path),
  );
  if (missing.length === 0)
    return { basePath, warnings: text !== '' && isEmpty(page) ? [describeEmpty(name)] : [] };
  const message = `${describeMissing(start, missing, basePath)}. ${describeRemedy(start, missing, { found, basePath })}`;
  if (isDead(start, missing)) throw new InputError(`path: ${message}`);
  return { basePath, warnings: [message] };
}

/** What is loaded from other hosts, from `data:` and the like is not a matter of the folder. */
function listLocal(page: Page, documentBase: URL): LocalReference[] {
  return page.references.flatMap(reference => {
    const url = URL.parse(reference.url, documentBase.href);
    return url?.origin === PAGE_ORIGIN ? [{ ...reference, path: url.pathname }] : [];
  });
}

function findBase({ root, references }: StartPage, documentBase: URL): string {
  if (documentBase.origin !== PAGE_ORIGIN) return NO_BASE;
  return findBasePath(
    root,
    references.map(({ path }) => path),
    documentBase.pathname.replace(/[^/]*$/, ''),
  );
}

/**
 * No script of the page is there, neither a file nor, where it loads no modules, one in the page. A page with text
 * shows at least that if it only misses classic scripts.
 */
function isDead({ page, references }: StartPage, missing: readonly LocalReference[]): boolean {
  const isScript = ({ kind }: Reference) => kind === 'module' || kind === 'script' || kind === 'import';
  const scripts = missing.filter(isScript);
  if (scripts.length === 0 || scripts.length < references.filter(isScript).length) return false;
  if (scripts.some(({ kind }) => kind === 'import')) return true;
  return page.inline !== 'module' && (scripts.some(({ kind }) => kind === 'module') || !page.hasContent);
}

function isEmpty({ hasContent, inline, references }: Page): boolean {
  return (
    !hasContent && inline === 'none' && !references.some(({ kind }) => kind === 'script' || kind === 'module')
  );
}

function describeEmpty(name: string): string {
  return `${name} has neither text nor a script, so visitors see a blank page: was the app built?`;
}

function describeSource(root: string): string {
  const built = findBuiltFolder(root);
  const what = 'this is the source of an app, not its build';
  return built === undefined
    ? `${what}; build it in an earlier step, and give \`path\` the folder of the build (often dist)`
    : `${what}; give \`path\` the folder of the build: ${sanitise(built)} has a page`;
}

function describeMissing(
  { root, name }: StartPage,
  missing: readonly LocalReference[],
  basePath: string,
): string {
  const paths = [...new Set(missing.map(({ path }) => path))];
  const more = paths.length > SHOWN_FILES ? ` and ${paths.length - SHOWN_FILES} more` : '';
  const shown = `${paths
    .slice(0, SHOWN_FILES)
    .map(path => sanitise(path))
    .join(', ')}${more}`;
  const below = basePath === NO_BASE ? '' : `, served below ${sanitise(basePath)}`;
  return `${name} loads ${shown}, missing from ${sanitise(root)}${below}`;
}

function describeRemedy(
  { root }: StartPage,
  missing: readonly LocalReference[],
  { found, basePath }: { found: string; basePath: string },
): string {
  if (found !== NO_BASE && found !== basePath)
    return `It fits the base path ${sanitise(found)}: leave \`base-path\` out, or give that`;
  if (missing.some(({ path }) => existsSync(join(root, decodeSegment(path)))))
    return `One of them ${LEADS_OUT}`;
  const built = findBuiltFolder(root);
  if (built !== undefined) return `${sanitise(built)} has a page, too: perhaps \`path\` must be that folder`;
  return 'Check the build and `path`; if a server adds a path in front of these files, give it as `base-path`';
}
