// Files that are stored compressed: beside the file, in its place, or asked for by their own name. Used by lookup.ts
// and web.ts.

import { chooseCoding } from '../../shared/content-coding.ts';
import { isLfsPointer, LFS_START_BYTES } from '../project/lfs-pointer.ts';
import { type FoundFile, findFile } from './files.ts';
import { findMediaType } from './media-types.ts';

export type StoredCoding = 'br' | 'gzip';

/** A file, and how it is sent. */
export interface Stored {
  file: FoundFile;
  /** URL path that decides the type: without the ending of the compression. */
  path: string;
  /** Undefined: the bytes are the content. */
  encoding?: StoredCoding;
  /** The visitor does not accept the encoding. */
  decode?: boolean;
}

const CODINGS: readonly { name: StoredCoding; ending: string }[] = [
  { name: 'br', ending: '.br' },
  { name: 'gzip', ending: '.gz' },
];

/**
 * What pages load under the name of the compressed file, and leave to the browser to decompress: scripts, and the files
 * of Unity (Manual, "Server configuration code samples") and Unreal Engine. Of other .gz files (.tar.gz, .csv.gz,
 * .json.gz, .nii.gz) browsers get the bytes, because pages decompress those themselves, and downloads keep their name.
 */
const LOADED_GZIP = /\.(?:[cm]?js|wasm|data|mem|symbols\.json|css|html|svg)$/i;
/** Pages cannot decompress brotli, so only downloads are left out. */
const DATA = /\.(?:data|mem|bin|pck|onnx)$/i;
const DOWNLOADS = /^application\/(?:octet-stream|gzip|zip|zstd|x-tar)$/;
/** Older names of the same: `.jsgz`, and `.svgz`. */
const OLD_NAME = /\.(?:(js|wasm|data|mem)gz|(svg)z)$/i;

/**
 * The path without the ending of the compression, and the coding, if a page that asks for this path wants the content;
 * undefined if it wants the bytes.
 */
function readStoredName(path: string): { path: string; encoding: StoredCoding } | undefined {
  const full = path.replace(OLD_NAME, '.$1$2.gz');
  const coding = CODINGS.find(({ ending }) => full.toLowerCase().endsWith(ending));
  if (coding === undefined) return undefined;
  const inner = full.slice(0, -coding.ending.length);
  const isLoaded =
    coding.name === 'gzip'
      ? LOADED_GZIP.test(inner)
      : DATA.test(inner) || !DOWNLOADS.test(findMediaType(inner));
  return isLoaded ? { path: inner, encoding: coding.name } : undefined;
}

/** A file that is there only with one of the endings; undefined if there is none. */
export async function openCompressedOnly(root: string, path: string): Promise<Stored | undefined> {
  for (const { name, ending } of CODINGS) {
    const found = await findFile(root, path + ending);
    if (found.kind !== 'file') continue;
    if (await isCompressed(found, name)) return { file: found, path, encoding: name };
    await found.handle.close();
  }
  return undefined;
}

/**
 * How to send the file at `path` to a visitor with this `Accept-Encoding`: from the compressed file beside it if there
 * is one, or decompressed if only a compressed one is there. Only the file that is sent stays open.
 */
export async function chooseStored(
  root: string,
  stored: Stored,
  accepted: string | undefined,
): Promise<Stored> {
  const { file, path } = stored;
  const named = stored.encoding === undefined ? readStoredName(path) : undefined;
  if (named !== undefined) {
    if (!(await isCompressed(file, named.encoding))) return { file, path: named.path };
    return { file, ...named, decode: !accepts(accepted, named.encoding) };
  }
  if (stored.encoding !== undefined) return { ...stored, decode: !accepts(accepted, stored.encoding) };
  return (await openSibling(root, stored, accepted)) ?? stored;
}

/** Without the field, any coding will do (RFC 9110, 12.5.3). */
function accepts(accepted: string | undefined, coding: StoredCoding): boolean {
  return accepted === undefined || chooseCoding(accepted, [coding]) !== undefined;
}

async function openSibling(
  root: string,
  { file, path }: Stored,
  accepted: string | undefined,
): Promise<Stored | undefined> {
  for (const { name, ending } of CODINGS) {
    if (chooseCoding(accepted, [name]) === undefined) continue;
    const sibling = await findFile(root, path + ending);
    if (sibling.kind !== 'file') continue;
    // One older than the file is left over from an earlier build. Archives keep whole seconds only.
    const isFresh = sibling.stats.mtimeMs / 1000n >= file.stats.mtimeMs / 1000n;
    const isUsed = isFresh && (await isCompressed(sibling, name));
    await (isUsed ? file : sibling).handle.close();
    if (isUsed) return { file: sibling, path, encoding: name };
  }
  return undefined;
}

const GZIP_START = '\x1f\x8b';

/** False for a text, an empty file or a pointer of Git LFS with such a name: browsers could not decode it. */
async function isCompressed({ handle, stats }: FoundFile, coding: StoredCoding): Promise<boolean> {
  if (stats.size === 0n) return false;
  const head = Buffer.alloc(LFS_START_BYTES);
  const { bytesRead } = await handle.read(head, 0, head.length, 0);
  const start = head.toString('latin1', 0, bytesRead);
  return coding === 'gzip' ? start.startsWith(GZIP_START) : !isLfsPointer(start);
}
