// The files of the inspector's page: all that runs in the browser. Used by page.ts, and by scripts/build.ts, which puts
// them into the bundle. They are modules of their own, without a bundler: browser/page.html names the first.

import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { extname, join } from 'node:path';

export interface PageFile {
  /** Content-Type. */
  readonly type: string;
  readonly text: string;
}

/** Path → file. */
export type PageFiles = Readonly<Record<string, PageFile>>;

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.ts': 'text/javascript; charset=utf-8',
};

let files: PageFiles | undefined;

/** From browser/, once. A build has a constant in place of this module. */
export function readPageFiles(): PageFiles {
  files ??= Object.fromEntries(readdirSync(FOLDER).map(readPageFile));
  return files;
}

const FOLDER = join(import.meta.dirname, 'browser');

function readPageFile(name: string): [path: string, file: PageFile] {
  const [text, ending] = [readFileSync(join(FOLDER, name), 'utf8'), extname(name)];
  const file = { type: CONTENT_TYPES[ending] ?? '', text: ending === '.ts' ? compile(text) : text };
  return [name === 'page.html' ? '/' : `/inspector/${name.replace(/\.ts$/, '.js')}`, file];
}

/** Browsers take TypeScript without its types. */
function compile(source: string): string {
  return stripTypeScriptTypes(source).replace(/(?<=^(?:import|export|\}) .*'\.\/[\w-]+)\.ts(?=';$)/gm, '.js');
}
