// Finds the file of a folder that a URL path names, and refuses those that visitors must not see. Used by the other
// files of this folder, for every request and for the checks before the start.

import type { BigIntStats } from 'node:fs';
import { constants, realpathSync, statSync } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { hasCode } from '../../shared/errors.ts';

/** An open regular file. The caller of `findFile` closes it. */
export interface FoundFile {
  kind: 'file';
  handle: FileHandle;
  stats: BigIntStats;
}

/** `refused`: not for visitors, whether it exists or not; answered like `missing`, but never with the page of a SPA. */
export type Found = FoundFile | { kind: 'folder' } | { kind: 'missing' } | { kind: 'refused' };

/** Error codes of a path that leads nowhere. */
const MISSING = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'EACCES', 'EPERM'];

/** A FIFO must not block the open; a link put there after the check must not be followed. Windows has neither flag. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);

/**
 * Looks up a URL path (still percent-encoded, without query) below `root`, a real path. Only regular files whose real
 * path stays in the root are found, and no dotfiles but those in `.well-known` (RFC 8615).
 */
export async function findFile(root: string, urlPath: string): Promise<Found> {
  const segments = decodeSegments(urlPath);
  if (isHidden(segments)) return { kind: 'refused' };
  for (const spelling of listSpellings(segments)) {
    const found = await findSpelling(root, spelling);
    if (found.kind !== 'missing') return found;
  }
  return { kind: 'missing' };
}

async function findSpelling(root: string, segments: readonly string[]): Promise<Found> {
  try {
    const real = await realpath(join(root, ...segments));
    if (!isVisibleBelow(root, real)) return { kind: 'refused' };
    const stats = await stat(real);
    if (stats.isDirectory()) return { kind: 'folder' };
    return stats.isFile() ? await openFile(real) : { kind: 'refused' };
  } catch (error) {
    if (hasCode(error, ...MISSING)) return { kind: 'missing' };
    throw error;
  }
}

/** Whether `findFile` would find a file there now; for checks before the start. Never throws. */
export function hasFile(root: string, urlPath: string): boolean {
  const segments = decodeSegments(urlPath);
  return !isHidden(segments) && listSpellings(segments).some(spelling => hasSpelling(root, spelling));
}

function hasSpelling(root: string, segments: readonly string[]): boolean {
  try {
    const real = realpathSync(join(root, ...segments));
    return isVisibleBelow(root, real) && statSync(real).isFile();
  } catch {
    return false;
  }
}

/** Checks a real path again, because of links out of the root or to hidden files, and short names (GIT~1). */
function isVisibleBelow(root: string, real: string): boolean {
  const inside = relative(root, real);
  return !isAbsolute(inside) && areVisible(inside.split(sep));
}

/** Checks the opened file, because another one may have been at the path a moment ago. */
async function openFile(path: string): Promise<Found> {
  const handle = await open(path, OPEN_FLAGS);
  const stats = await handle.stat({ bigint: true });
  if (stats.isFile()) return { kind: 'file', handle, stats };
  await handle.close();
  return { kind: 'refused' };
}

function decodeSegments(urlPath: string): string[] {
  return urlPath
    .split('/')
    .filter(segment => segment !== '')
    .map(decodeSegment);
}

/** Browsers send it as it is written in a link, also beside what they encode themselves: `100% yes` is `100%%20yes`. */
const BARE_PERCENT = /%(?![0-9a-f]{2})/gi;

/** Also used to compare paths: `%C3%A9`, `%c3%a9` and `é` are one name. What is no UTF-8 stays as it is. */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment.replace(BARE_PERCENT, '%25'));
  } catch {
    return segment;
  }
}

/** Rules for the host (host-files.ts), which may hold passwords; hosts do not send them either. */
const HOST_FILES = ['_headers', '_redirects'];
const SEPARATOR = /[/\\]/;

/** Hidden files stay hidden behind encoded separators. No file has a NUL in its name. */
function isHidden(segments: readonly string[]): boolean {
  return (
    !areVisible(segments.flatMap(segment => segment.split(SEPARATOR))) ||
    (segments.length === 1 && HOST_FILES.includes(segments[0] ?? '')) ||
    segments.some(segment => segment.includes('\0'))
  );
}

/**
 * How the names of a path may be stored: macOS and its archives have decomposed umlauts, where pages have composed
 * ones. None if a name cannot be a file's, like those of routers with an encoded separator.
 */
function listSpellings(segments: readonly string[]): string[][] {
  const forbidden = process.platform === 'win32' ? /[/\\:]/ : SEPARATOR;
  if (segments.some(segment => forbidden.test(segment))) return [];
  const forms = [
    segments.join('/'),
    ...(['NFC', 'NFD'] as const).map(form => segments.join('/').normalize(form)),
  ];
  return [...new Set(forms)].map(form => form.split('/'));
}

/** False for `..` too: it begins with a dot. */
function areVisible(segments: readonly string[]): boolean {
  return segments.every(
    (segment, index) => !segment.startsWith('.') || (index === 0 && segment === '.well-known'),
  );
}

const CHUNK_BYTES = 64 * 1024;

/**
 * Both ends are included. Throws if the file is shorter: the visitor must see a broken response, not wait for the rest.
 */
export async function* readBytes(
  handle: FileHandle,
  { start, end }: { start: number; end: number },
): AsyncGenerator<Buffer> {
  for (let position = start; position <= end; ) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - position + 1));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) throw new Error('the file became shorter while it was sent');
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/**
 * Changes with every write and every replacement of the file, also if a tool sets the time of the last write back.
 * Different for each coding (RFC 9110, 8.8.3.3).
 */
export function createETag(stats: BigIntStats, coding?: string): string {
  const parts = [stats.size, stats.mtimeNs, stats.ctimeNs, stats.ino].map(number => number.toString(36));
  return `"${[...parts, ...(coding === undefined ? [] : [coding])].join('-')}"`;
}
