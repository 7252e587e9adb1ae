// The files of the demo's page: its own from browser/, compiled, and those of packages. A build writes them beside the
// bundle (scripts/build.ts), which reads them from there. Used by demo.ts.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, sep } from 'node:path';
import { compilePageFile, type PageFile, type PageFiles, renamePageFile } from '../../shared/page-file.ts';

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
  const own = listFiles(folder).map(name => compileFile(name, readFileSync(join(folder, name), 'utf8')));
  const packaged = Object.entries(PACKAGED).map(([path, [name, file]]) => {
    const text = readFileSync(join(root, 'node_modules', name, file), 'utf8');
    // Their source maps are not a part of the page.
    return [path, compilePageFile(path, text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'))];
  });
  return Object.fromEntries([...own, ...packaged]);
}

/** What `writePage` has written into the folder. */
export function readPage(folder: string): PageFiles {
  return Object.fromEntries(
    listFiles(folder).map(name => [
      `/${name}`,
      compilePageFile(name, readFileSync(join(folder, name), 'utf8')),
    ]),
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

/** Packages are files of the page, too. */
function compileFile(name: string, source: string): [path: string, file: PageFile] {
  const text = source.replace(/(?<=^import .* from ')(marked|dompurify)(?=';$)/gm, './package/$1.js');
  return [`/${renamePageFile(name)}`, compilePageFile(name, text)];
}
