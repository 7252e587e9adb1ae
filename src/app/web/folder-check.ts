// Looks through the folder of a web app for files that browsers cannot use as they are. Used by inputs/web.ts.

import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sanitise } from '../../shared/sanitise.ts';
import { isLfsPointer, LFS_START_BYTES } from '../project/lfs-pointer.ts';
import { readWasmFile } from '../project/wasm-file.ts';

export interface FolderCheck {
  /** Files that are not what their name says: they make a page fail that looks well. */
  warnings: readonly string[];
  /** A module with a shared memory: it needs SharedArrayBuffer, and so an isolated page. */
  threads: string | undefined;
  /** Files that are only there compressed with brotli. */
  brotli: readonly string[];
}

/** A look must not take long; what is beyond is not checked. */
const MAX_ENTRIES = 10_000;
const MAX_WASM_FILES = 50;
/** Sizes of Git LFS pointers: three short lines (git-lfs, docs/spec.md). */
const POINTER_BYTES = { min: 100, max: 200 };
const MAX_POINTERS = 100;

/** Paths are relative to `root`. Never throws: what cannot be read is left to the visitors' requests. */
export function checkFolder(root: string): FolderCheck {
  const files = listFiles(root);
  const known = new Set(files);
  const wasm = files.filter(file => file.endsWith('.wasm')).slice(0, MAX_WASM_FILES);
  const modules = wasm.map(file => ({ file, ...inspectWasm(join(root, file)) }));
  const broken = modules.find(({ problem }) => problem !== undefined);
  const pointers = files
    .filter(file => !file.endsWith('.wasm'))
    .filter(file => isPointer(join(root, file)))
    .slice(0, MAX_POINTERS);
  return {
    warnings: [
      ...(broken === undefined ? [] : [`${sanitise(broken.file)} ${broken.problem}`]),
      ...(pointers.length === 0
        ? []
        : [
            `not the files themselves, but pointers of Git LFS: ${nameFiles(pointers)}; add \`lfs: true\` to actions/checkout`,
          ]),
    ],
    threads: modules.find(({ sharesMemory }) => sharesMemory)?.file,
    brotli: files.filter(file => file.endsWith('.br') && !known.has(file.slice(0, -'.br'.length))),
  };
}

/** `Build/a.wasm.br and 2 more` */
export function nameFiles([first = '', ...rest]: readonly string[]): string {
  return `${sanitise(first)}${rest.length === 0 ? '' : ` and ${rest.length} more`}`;
}

/** Hidden folders are not served, and packages are not part of a build. */
function listFiles(root: string): string[] {
  const files: string[] = [];
  const folders = [''];
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift())
    for (const entry of listEntries(join(root, folder))) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (files.length + folders.length > MAX_ENTRIES) return files;
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile()) files.push(path);
    }
  return files;
}

function listEntries(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function inspectWasm(path: string): { problem?: string; sharesMemory: boolean } {
  try {
    const found = readWasmFile(path);
    if (found.kind === 'broken') return { problem: found.problem, sharesMemory: false };
    return { sharesMemory: found.kind === 'module' && (found.sections?.sharesMemory ?? false) };
  } catch {
    return { sharesMemory: false };
  }
}

function isPointer(path: string): boolean {
  try {
    const { size } = statSync(path);
    return size >= POINTER_BYTES.min && size <= POINTER_BYTES.max && isLfsPointer(readHead(path));
  } catch {
    return false;
  }
}

function readHead(path: string): string {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(LFS_START_BYTES);
    return head.toString('latin1', 0, readSync(file, head, 0, head.length, 0));
  } finally {
    closeSync(file);
  }
}
