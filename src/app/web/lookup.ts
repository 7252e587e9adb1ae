// Decides what a URL path of a web app leads to, by the conventions of static hosts (docs/web.md has them as a table).
// Used by web.ts.

import { findFile } from './files.ts';
import { openCompressedOnly, type Stored } from './stored-encoding.ts';

export const INDEX = 'index.html';

/** An open file, and the URL path it was found at. */
export interface OpenFile extends Stored {
  kind: 'file';
}

/** `location` is relative, because `//x/` would be another host. */
export type Target =
  | OpenFile
  | { kind: 'redirect'; location: string }
  | { kind: 'missing' }
  | { kind: 'refused' };

/**
 * Looks up `path` (percent-encoded, without query) below `root`. A file wins over a page without its ending (`/about`
 * for about.html), which wins over a folder's index: this is the order of GitHub Pages, Netlify and Cloudflare Pages.
 * Redirects keep relative links right: to a folder with its slash, to a page without one.
 */
export async function lookUp(root: string, path: string): Promise<Target> {
  if (path.endsWith('/')) return await lookUpFolder(root, path);
  const found = await findFile(root, path);
  if (found.kind === 'file') return { kind: 'file', file: found, path };
  if (found.kind === 'refused') return found;
  const page = await openFile(root, `${path}.html`);
  if (page !== undefined) return page;
  if (found.kind === 'missing') {
    const compressed = await openCompressedOnly(root, path);
    return compressed === undefined ? found : { kind: 'file', ...compressed };
  }
  return (await isFile(root, `${path}/${INDEX}`))
    ? { kind: 'redirect', location: `./${lastName(path)}/` }
    : { kind: 'missing' };
}

async function lookUpFolder(root: string, path: string): Promise<Target> {
  const found = await findFile(root, `${path}${INDEX}`);
  if (found.kind === 'file') return { kind: 'file', file: found, path: `${path}${INDEX}` };
  if (found.kind === 'refused') return found;
  const page = withoutLastSlashes(path);
  if (page !== '' && (await isFile(root, `${page}.html`)))
    return { kind: 'redirect', location: `${'../'.repeat(path.length - page.length)}${lastName(page)}` };
  return { kind: 'missing' };
}

/** The file at `path`, undefined if visitors can see none there. */
export async function openFile(root: string, path: string): Promise<OpenFile | undefined> {
  const found = await findFile(root, path);
  return found.kind === 'file' ? { kind: 'file', file: found, path } : undefined;
}

async function isFile(root: string, path: string): Promise<boolean> {
  const opened = await openFile(root, path);
  await opened?.file.handle.close();
  return opened !== undefined;
}

/** Not `/\/+$/`, which takes quadratic time for a path of many slashes, and so lets one visitor keep all others waiting. */
function withoutLastSlashes(path: string): string {
  let end = path.length;
  while (path[end - 1] === '/') end -= 1;
  return path.slice(0, end);
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
