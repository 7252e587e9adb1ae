// The page that a built web app begins with, and where it is if `path` is one folder too high. Used by mode.ts and by
// the files of web.

import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { isFile } from './entry-file.ts';

/** In this order. Builds of apps with only one page (SvelteKit) may write no index.html. */
export const START_PAGES = ['index.html', '200.html'] as const;

/** Where frameworks write their build, relative to the project; `*` is the app's name (Angular). */
const BUILT_FOLDERS = [
  'dist',
  'build',
  'out',
  'dist/browser',
  'dist/*/browser',
  'dist/*',
  'dist/client',
  'build/client',
  'build/web',
  'build/dist/js/productionExecutable',
  'browser',
  'client',
  '.output/public',
  'www',
  '_site',
  'site',
  'public',
  'storybook-static',
  '.vitepress/dist',
  'docs/.vitepress/dist',
  'docs/build',
  'docs',
];
/** More than any page with its scripts in one file needs to show what it loads. */
const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** Create React App's, Vue CLI's and webpack's source of a page. */
const SOURCE_MARK = /%PUBLIC_URL%|<%/;

/** The name of the start page in `folder`; undefined if there is none. */
export function findStartPage(folder: string): (typeof START_PAGES)[number] | undefined {
  return START_PAGES.find(name => isFile(join(folder, name)));
}

/** The text of a page or script, without byte order mark; of a very long one, only its start. Throws if it cannot be read. */
export function readPageText(path: string): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(MAX_PAGE_BYTES);
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, MAX_PAGE_BYTES, 0)).replace(/^\ufeff/, '');
  } finally {
    closeSync(file);
  }
}

/** The folder below `project` (`dist`, `dist/app/browser`) that has a built page; undefined if none has. */
export function findBuiltFolder(project: string): string | undefined {
  return BUILT_FOLDERS.flatMap(folder => expand(project, folder)).find(folder => {
    const page = findStartPage(join(project, folder));
    return page !== undefined && !SOURCE_MARK.test(readPageText(join(project, folder, page)));
  });
}

function expand(project: string, folder: string): string[] {
  const [before, after] = folder.split('*');
  if (before === undefined || after === undefined) return [folder];
  try {
    return readdirSync(join(project, before)).map(name => `${before}${name}${after}`);
  } catch {
    return [];
  }
}
