// Looks at the page of a built web app before anything starts: for which base path it was built, and whether it can
// only end as a blank page. Used by inputs/app.ts and inputs/web.ts.

import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { findBuiltFolder, findStartPage, readPageText } from '../project/start-page.ts';
import { findBasePath, isServed, NO_BASE, stripBase } from './base-path.ts';
import { decodeSegment, hasFile } from './files.ts';
import { type HostRules, readHostRules } from './host-files.ts';
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
/** Characters: more than a page says while its app is loaded. */
const MUCH_TEXT = 500;
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
  const listThere = (kind: Reference['kind']) =>
    start.references
      .filter(reference => reference.kind === kind && hasFile(root, reference.path))
      .map(({ path }) => path);
  const [modules, scripts] = [listThere('module'), listThere('script')];
  const runs = modules.length + scripts.length > 0;
  const mark =
    findSourceMark(page, { references: start.references, text, runs }) ??
    findSourceImport(root, page, { modules, scripts });
  if (mark !== undefined) throw new InputError(`path: ${name} ${sanitise(mark)}: ${describeSource(root)}`);
  const found = findBase(start, documentBase);
  const basePath = wanted === 'auto' ? found : wanted;
  const rules = readHostRules(root);
  const missing = start.references.filter(
    ({ kind, path }) =>
      kind !== 'other' && !isServed(root, basePath, path) && !isRedirected(root, basePath, rules, path),
  );
  if (missing.length === 0)
    return { basePath, warnings: text !== '' && isEmpty(page) ? [describeEmpty(name)] : [] };
  const message = `${describeMissing(start, missing, basePath)}. ${describeRemedy(start, missing, { found, basePath })}`;
  if (isDead(start, missing)) throw new InputError(`path: ${message}`);
  return { basePath, warnings: [message] };
}

/**
 * The name of the start page, if its policy makes browsers load the files of the folder with https; otherwise
 * undefined. It stays blank where the preview has none.
 */
export function findHttpsPage(folder: string): string | undefined {
  const root = realpathSync(folder);
  const name = findStartPage(root);
  if (name === undefined || !hasFile(root, `/${name}`)) return undefined;
  const page = readPage(readPageText(join(root, name)));
  return page.wantsHttps && listLocal(page, new URL(PAGE_URL)).length > 0 ? name : undefined;
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
  const folder = documentBase.pathname.replace(/[^/]*$/, '');
  const paths = listNeeded(references)
    // A relative link is right, or wrong, below every base path.
    .filter(({ url }) => folder !== NO_BASE || /^\s*[/\\]/.test(url))
    .map(({ path }) => path);
  return findBasePath(root, paths, folder);
}

/** What the page needs most: its scripts, otherwise its styles. A wrong link to an icon says nothing about the app. */
function listNeeded(references: readonly LocalReference[]): readonly LocalReference[] {
  const choices = [
    references.filter(isScript),
    references.filter(({ kind }) => kind === 'style'),
    references,
  ];
  return choices.find(({ length }) => length > 0) ?? [];
}

function isScript({ kind }: Reference): boolean {
  return kind === 'module' || kind === 'script' || kind === 'import';
}

/** Whether a rule of `_redirects` leads to a file, or to another host. A page in place of a script does not help. */
function isRedirected(root: string, basePath: string, rules: HostRules, path: string): boolean {
  const local = stripBase(basePath, path) ?? path;
  const rule = rules.redirect(local, true) ?? rules.redirect(local, false);
  if (rule === undefined) return false;
  const target = rule.kind === 'rewrite' ? rule.path : rule.location.replace(/[?#].*$/s, '');
  return !target.startsWith('/') || (!target.endsWith('.html') && isServed(root, basePath, target));
}

/**
 * No script of the folder is there, and nothing else can be the app. Beside a missing module, only another module can:
 * in the page, or on another host. Beside a classic script, which may be only a `/config.js`, any text or script can.
 */
function isDead({ page, references }: StartPage, missing: readonly LocalReference[]): boolean {
  const scripts = missing.filter(isScript);
  if (scripts.length === 0 || scripts.length < references.filter(isScript).length) return false;
  if (page.textLength >= MUCH_TEXT) return false;
  if (scripts.some(({ kind }) => kind === 'import')) return true;
  const elsewhere = page.references
    .filter(isScript)
    .filter(one => !references.some(({ url }) => url === one.url));
  if (page.inline === 'module' || elsewhere.some(({ kind }) => kind === 'module')) return false;
  if (scripts.some(({ kind }) => kind === 'module')) return true;
  return !page.hasContent && page.inline === 'none' && elsewhere.length === 0;
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
