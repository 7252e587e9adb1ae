// The files of the inspector's page: all that runs in the browser. Used by page.ts, and by scripts/build.ts, which puts
// them into the bundle. They are modules of their own, without a bundler: browser/page.html names the first.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compilePageFile, type PageFile, type PageFiles, renamePageFile } from '../../shared/page-file.ts';

let files: PageFiles | undefined;

/** From browser/, once. A build has a constant in place of this module. */
export function readPageFiles(): PageFiles {
  files ??= Object.fromEntries(readdirSync(FOLDER).map(readPageFile));
  return files;
}

const FOLDER = join(import.meta.dirname, 'browser');

function readPageFile(name: string): [path: string, file: PageFile] {
  const file = compilePageFile(name, readFileSync(join(FOLDER, name), 'utf8'));
  return [name === 'page.html' ? '/' : `/inspector/${renamePageFile(name)}`, file];
}
