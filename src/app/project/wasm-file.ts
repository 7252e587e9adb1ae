// What a .wasm file really is, from its bytes: people also put pointers, error pages and compressed files there. Used
// by exec-file.ts, and for the files of a built web app.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { InputError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { isLfsPointer } from './lfs-pointer.ts';
import {
  CutOffError,
  type ModuleSections,
  type OpenFile,
  readComponentNames,
  readModuleSections,
  UnknownEncodingError,
} from './wasm-sections.ts';

export type WasmFile =
  /** `sections` is undefined for a module with encodings that are not known here. */
  | { kind: 'module'; sections: ModuleSections | undefined }
  /** The names of its exports and imports (`wasi:http/incoming-handler@0.2.3`) are somewhere in these texts. */
  | { kind: 'component'; exports: string; imports: string }
  /** `problem` continues a sentence that begins with the file's name: what it is, and what to do. */
  | { kind: 'broken'; problem: string };

/** Enough for the magic number of every format, and for the first words of a text. */
const HEAD_BYTES = 1_024;
const MAGIC = '\0asm';
const PREAMBLE_BYTES = 8;
const SHOWN_CHARACTERS = 40;

/** Reads a regular file, or a link to one. Throws an InputError if it cannot be read. */
export function readWasmFile(path: string): WasmFile {
  const file = open(path);
  try {
    const found = fstatSync(file);
    const head = Buffer.alloc(HEAD_BYTES);
    const length = found.isFile() ? readSync(file, head, 0, HEAD_BYTES, 0) : 0;
    return recognise({ file, size: found.size }, head.subarray(0, length), basename(path));
  } finally {
    closeSync(file);
  }
}

function open(path: string): number {
  try {
    // Without O_NONBLOCK, opening a pipe waits for its writer.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new InputError(`path: ${sanitise(path)} cannot be read; check its permissions`, { cause });
  }
}

function recognise(opened: OpenFile, head: Buffer, name: string): WasmFile {
  if (head.toString('latin1', 0, MAGIC.length) !== MAGIC) return broken(describeOther(head, name));
  if (head.length < PREAMBLE_BYTES) return broken(describeCut(opened.size, PREAMBLE_BYTES));
  const [version, layer] = [head.readUInt16LE(4), head.readUInt16LE(6)];
  if (layer > 1 || (layer === 0 && version !== 1))
    return broken(
      `is WebAssembly of version ${version}${layer > 0 ? `, layer ${layer}` : ''}, which nothing runs; build it with a released compiler (version 1)`,
    );
  try {
    return layer === 1
      ? { kind: 'component', ...readComponentNames(opened) }
      : { kind: 'module', sections: readModuleSections(opened) };
  } catch (error) {
    if (error instanceof CutOffError) return broken(describeCut(opened.size, error.expected));
    if (!(error instanceof UnknownEncodingError)) throw error;
    return layer === 1
      ? { kind: 'component', exports: '', imports: '' }
      : { kind: 'module', sections: undefined };
  }
}

const broken = (problem: string): WasmFile => ({ kind: 'broken', problem });

function describeCut(size: number, expected: number): string {
  return `is cut off or damaged: it has ${size} bytes, and its contents need at least ${expected}; was its build, copy or download interrupted?`;
}

/** The first bytes of what people have by mistake under this name, as latin1, and what it is. */
const FORMATS: readonly (readonly [start: string, what: string])[] = [
  ['\x1f\x8b', 'is compressed (gzip); unpack it first: `gunzip`'],
  ['\x28\xb5\x2f\xfd', 'is compressed (zstd); unpack it first: `zstd -d`'],
  ['\xfd7zXZ\0', 'is compressed (xz); unpack it first: `xz -d`'],
  ['BZh', 'is compressed (bzip2); unpack it first: `bzip2 -d`'],
  ['PK\x03\x04', 'is a zip archive; unpack it first: `unzip`'],
  ['7z\xbc\xaf\x27\x1c', 'is a 7z archive; unpack it first'],
  ['!<arch>\n', 'is an archive of object files (.a), not linked yet; link it into a program'],
  ['BC\xc0\xde', 'is LLVM bitcode, not linked yet; link it into a program'],
  ['wasmer', 'was compiled by Wasmer for one kind of machine; give the .wasm file that it was made from'],
  // XCOFF and Java's class files are rarer than a program for the Mac.
  ...['\xfe\xed\xfa\xce', '\xfe\xed\xfa\xcf', '\xce\xfa\xed\xfe', '\xcf\xfa\xed\xfe', '\xca\xfe\xba\xbe'].map(
    start => [start, describeNative('macOS')] as const,
  ),
  ['MZ', describeNative('Windows')],
];

/** Wasmtime's compiled programs are ELF files with this number of an operating system (ELFOSABI_WASMTIME). */
const WASMTIME_ABI = 200;

function describeNative(system: string): string {
  return `is a program for ${system}, not WebAssembly; build it for wasm32-wasip1, or start it with \`command\``;
}

function describeOther(head: Buffer, name: string): string {
  if (head.length === 0) return 'is empty (0 bytes); look at the step that should have written it';
  const start = head.toString('latin1');
  const format = FORMATS.find(([magic]) => start.startsWith(magic));
  if (format !== undefined) return format[1];
  if (start.startsWith('\x7fELF'))
    return head[7] === WASMTIME_ABI
      ? 'was compiled by Wasmtime for one kind of machine (.cwasm); give the .wasm file that it was made from'
      : describeNative('Linux');
  const text = readText(head);
  if (text !== undefined) return describeText(text, name);
  const bytes = head.subarray(0, 4).toString('hex').replace(/..\B/g, '$& ');
  return `is not WebAssembly, which begins with the bytes 00 61 73 6d: it begins with ${bytes}. Look at the step that wrote it; if it is compressed (brotli), unpack it first`;
}

/** Undefined if the bytes are not text: those have no control characters. The last one may be cut in the middle. */
function readText(head: Buffer): string | undefined {
  const text = head.toString('utf8').replace(/\ufffd$/, '');
  return /[\u0000-\u0008\u000e-\u001a\u001c-\u001f\ufffd]/.test(text)
    ? undefined
    : text.replace(/^\ufeff/, '');
}

function describeText(text: string, name: string): string {
  if (isLfsPointer(text))
    return 'is a Git LFS pointer, not the file itself; add `lfs: true` to actions/checkout';
  const trimmed = text.trimStart();
  if (/^(<!doctype html|<html|<head|<body|<\?xml|<!--)/i.test(trimmed))
    return 'is an HTML or XML page, not WebAssembly: a download probably saved an error page; check its address, and let it fail on errors (`curl -f`)';
  // Comments may come first.
  if (
    /^(;;[^\n]*\n\s*|\(;[\s\S]*?;\)\s*)*\(\s*(module|component|type|func|import|export|memory)\b/.test(
      trimmed,
    )
  )
    return `is WebAssembly as text; translate it first: \`wat2wasm ${sanitise(name.replace(/\.wasm$/, '.wat'))}\``;
  if (trimmed.startsWith('AGFzb')) return 'is WebAssembly as base64 text; decode it first: `base64 -d`';
  const shown = sanitise(trimmed.split('\n')[0]?.trim() ?? '', SHOWN_CHARACTERS);
  return `is text that begins with '${shown}', not WebAssembly; look at the step that wrote it`;
}
