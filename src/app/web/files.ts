// Which file of a folder a URL path means, and which it must not mean. Used by web.ts.

import type { BigIntStats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { hasCode } from '../../shared/errors.ts';

/** An open regular file. Whoever gets it closes it. */
export interface FoundFile {
  kind: 'file';
  handle: FileHandle;
  stats: BigIntStats;
}

/** `refused` is there but not for visitors; it is answered like `missing`, but never with the page of a SPA. */
export type Found = FoundFile | { kind: 'folder' } | { kind: 'missing' } | { kind: 'refused' };

/** What says that a path leads nowhere. */
const MISSING = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'EACCES', 'EPERM'];

/** A FIFO must not block the open; a link put there after the check must not be followed. Neither exists on Windows. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);

/**
 * Looks up a URL path (still percent-encoded, without query) below `root`, a real path. Only regular files whose real
 * path stays in the root are found, and no dotfiles but those in `.well-known` (RFC 8615).
 */
export async function findFile(root: string, urlPath: string): Promise<Found> {
  const segments = decodeSegments(urlPath);
  if (segments === undefined || !areVisible(segments)) return { kind: 'refused' };
  try {
    const real = await realpath(join(root, ...segments));
    const inside = relative(root, real);
    // The real path counts as well: links out of the root and to hidden files, short names on Windows (GIT~1).
    if (isAbsolute(inside) || !areVisible(inside.split(sep))) return { kind: 'refused' };
    const stats = await stat(real);
    if (stats.isDirectory()) return { kind: 'folder' };
    return stats.isFile() ? await openFile(real) : { kind: 'refused' };
  } catch (error) {
    if (hasCode(error, ...MISSING)) return { kind: 'missing' };
    throw error;
  }
}

/** What is open decides, not what was there before. */
async function openFile(path: string): Promise<Found> {
  const handle = await open(path, OPEN_FLAGS);
  const stats = await handle.stat({ bigint: true });
  if (stats.isFile()) return { kind: 'file', handle, stats };
  await handle.close();
  return { kind: 'refused' };
}

/** The path's segments, or undefined where it is no path of a file: `..`, a NUL, separators in disguise. */
function decodeSegments(urlPath: string): string[] | undefined {
  try {
    const segments = urlPath
      .split('/')
      .filter(segment => segment !== '')
      .map(decodeURIComponent);
    const forbidden = process.platform === 'win32' ? /[/\\\0:]/ : /[/\\\0]/;
    return segments.some(segment => forbidden.test(segment)) ? undefined : segments;
  } catch {
    return undefined;
  }
}

/** False for `..` too: it begins with a dot. */
function areVisible(segments: readonly string[]): boolean {
  return segments.every(
    (segment, index) => !segment.startsWith('.') || (index === 0 && segment === '.well-known'),
  );
}
