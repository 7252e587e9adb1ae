// Files of a page that a browser gets one by one, without a bundler. Used by the inspector and by the demo.

import { stripTypeScriptTypes } from 'node:module';
import { extname } from 'node:path';

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
  '.js': 'text/javascript; charset=utf-8',
  '.ts': 'text/javascript; charset=utf-8',
};

/** The source file `name`, as a browser takes it: TypeScript without its types. */
export function compilePageFile(name: string, source: string): PageFile {
  const ending = extname(name);
  const type = CONTENT_TYPES[ending] ?? 'text/plain; charset=utf-8';
  return { type, text: ending === '.ts' ? compile(source) : source };
}

/** What the browser calls the file. */
export function renamePageFile(name: string): string {
  return name.replace(/\.ts$/, '.js');
}

function compile(source: string): string {
  return stripTypeScriptTypes(source).replace(/(?<=^(?:import|export|\}) .*'\.\/[\w-]+)\.ts(?=';$)/gm, '.js');
}
