// The files of the demo's page: its own from browser/, compiled, and those of packages. A build writes them beside the
// bundle (scripts/build.ts), which reads them from there. Used by demo.ts.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, extname, join, sep } from 'node:path';

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
};

/** Path in the page → a package, and its file. */
const PACKAGED: Readonly<Record<string, readonly [name: string, file: string]>> = {
  '/package/marked.js': ['marked', 'lib/marked.esm.js'],
  '/package/dompurify.js': ['dompurify', 'dist/purify.es.mjs'],
  '/package/markdown.css': ['github-markdown-css', 'github-markdown.css'],
  '/chart/mermaid.js': ['@mermaid-js/tiny', 'dist/mermaid.tiny.js'],
};

/** The packages whose files are parts of the page. */
export const PAGE_PACKAGES: readonly string[] = Object.values(PACKAGED).map(([name]) => name);

/** From the sources: `root` is a checkout with its packages. */
export function compilePage(root: string): PageFiles {
  const folder = join(root, 'src/demo/page/browser');
  const own = listFiles(folder).map(name => toPageFile(name, readFileSync(join(folder, name), 'utf8')));
  const packaged = Object.entries(PACKAGED).map(([path, [name, file]]) => {
    const text = readFileSync(join(root, 'node_modules', name, file), 'utf8');
    // Their source maps are not a part of the page.
    return describeFile(path, text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'));
  });
  return Object.fromEntries([...own, ...packaged]);
}

/** What `writePage` has written into the folder. */
export function readPage(folder: string): PageFiles {
  return Object.fromEntries(
    listFiles(folder).map(name => describeFile(`/${name}`, readFileSync(join(folder, name), 'utf8'))),
  );
}

export function writePage(folder: string, files: PageFiles): void {
  for (const [path, { text }] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => extname(name) !== '')
    .map(name => name.replaceAll(sep, '/'));
}

function toPageFile(name: string, text: string): [path: string, file: PageFile] {
  return extname(name) === '.ts'
    ? describeFile(`/${name.replace(/\.ts$/, '.js')}`, compile(text))
    : describeFile(`/${name}`, text);
}

function describeFile(path: string, text: string): [path: string, file: PageFile] {
  return [path, { type: CONTENT_TYPES[extname(path)] ?? 'text/plain; charset=utf-8', text }];
}

/** Browsers take TypeScript without its types; packages are files of the page. */
function compile(source: string): string {
  return stripTypeScriptTypes(source)
    .replace(/(?<=^(?:import|export|\}) .*'\.\/[\w-]+)\.ts(?=';$)/gm, '.js')
    .replace(/(?<=^import .* from ')(marked|dompurify)(?=';$)/gm, './package/$1.js');
}
