// Reads what a WebAssembly file imports and exports, without compiling it: only the head of each section is read, so
// that a file of any size takes a millisecond. Used by wasm-file.ts. Formats: WebAssembly core 3.0, "Binary Format";
// Component Model, "Binary.md" (its outer sections have the same form).

import { readSync } from 'node:fs';

export interface ModuleSections {
  /** Each import. `isFunction`: not a memory, a table, a global or a tag. */
  imports: readonly { module: string; name: string; isFunction: boolean }[];
  /** Names of the exported functions. */
  functions: ReadonlySet<string>;
  /** Whether a function runs when the module is instantiated. */
  hasStart: boolean;
  /** Whether a memory is shared between threads. */
  sharesMemory: boolean;
}

/** An open file, and its size in bytes. */
export interface OpenFile {
  file: number;
  size: number;
}

/** A section reaches beyond the end of the file. */
export class CutOffError extends Error {
  /** How many bytes the file should have at least. */
  readonly expected: number;

  constructor(expected: number) {
    super(`a section ends at byte ${expected}`);
    this.expected = expected;
  }
}

/** The file uses an encoding that this reader does not know. */
export class UnknownEncodingError extends Error {}

interface Section {
  id: number;
  /** Where its contents begin, and how many bytes they have. */
  start: number;
  size: number;
}

/** Magic number, version and layer. */
const PREAMBLE_BYTES = 8;
/** Id and size of a section: one byte, and a number of at most five. */
const SECTION_HEAD_BYTES = 6;
/** Compilers write a few hundred at most. */
const MAX_SECTIONS = 100_000;
/** Far more than the names of any program. */
const MAX_NAMES_BYTES = 16 * 1024 * 1024;

const MODULE_IDS = { import: 2, memory: 5, export: 7, start: 8 } as const;
/** In the flags of limits. */
const SHARED = 0x02;
const COMPONENT_IDS = { import: 10, export: 11 } as const;

/** Throws a CutOffError or an UnknownEncodingError. */
export function readModuleSections(opened: OpenFile): ModuleSections {
  const sections = listSections(opened);
  const bytesOf = (id: number) => readBodies(opened, sections, id);
  const imports = bytesOf(MODULE_IDS.import).flatMap(parseImports);
  const memories = bytesOf(MODULE_IDS.memory).flatMap(parseMemories);
  return {
    imports: imports.map(({ module, name, isFunction }) => ({ module, name, isFunction })),
    functions: new Set(bytesOf(MODULE_IDS.export).flatMap(parseFunctionExports)),
    hasStart: sections.some(({ id }) => id === MODULE_IDS.start),
    sharesMemory: [...memories, ...imports.map(({ memory }) => memory)].some(flags => (flags & SHARED) !== 0),
  };
}

/**
 * The texts that hold the names of a component's imports and exports (`wasi:http/incoming-handler@0.2.3`), between
 * other bytes. Throws a CutOffError or an UnknownEncodingError.
 */
export function readComponentNames(opened: OpenFile): { imports: string; exports: string } {
  const sections = listSections(opened);
  const textOf = (id: number) =>
    readBodies(opened, sections, id)
      .map(body => body.toString('latin1'))
      .join('\n');
  return { imports: textOf(COMPONENT_IDS.import), exports: textOf(COMPONENT_IDS.export) };
}

function listSections(opened: OpenFile): Section[] {
  const sections: Section[] = [];
  for (let at = PREAMBLE_BYTES; at < opened.size; ) {
    const head = readSectionHead(opened, at);
    const section = { ...head, start: at + head.length };
    at = section.start + section.size;
    if (at > opened.size) throw new CutOffError(at);
    sections.push(section);
    if (sections.length > MAX_SECTIONS) throw new UnknownEncodingError('too many sections');
  }
  return sections;
}

function readSectionHead(opened: OpenFile, at: number): { id: number; size: number; length: number } {
  const bytes = new Bytes(readAt(opened, at, SECTION_HEAD_BYTES));
  try {
    return { id: bytes.byte(), size: bytes.number(), length: bytes.position };
  } catch (error) {
    if (at + SECTION_HEAD_BYTES > opened.size) throw new CutOffError(opened.size + 1);
    throw error;
  }
}

function readBodies(opened: OpenFile, sections: readonly Section[], id: number): Buffer[] {
  const wanted = sections.filter(section => section.id === id);
  if (wanted.reduce((sum, { size }) => sum + size, 0) > MAX_NAMES_BYTES)
    throw new UnknownEncodingError('too many names');
  return wanted.map(({ start, size }) => readAt(opened, start, size));
}

function readAt({ file }: OpenFile, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  const read = readSync(file, buffer, 0, length, position);
  return buffer.subarray(0, read);
}

/** `memory`: the flags of an imported memory, otherwise 0. */
function parseImports(body: Buffer): { module: string; name: string; isFunction: boolean; memory: number }[] {
  const bytes = new Bytes(body);
  return Array.from(bytes.counts(), () => ({
    module: bytes.name(),
    name: bytes.name(),
    ...readImportType(bytes),
  }));
}

/** The flags of each memory. */
function parseMemories(body: Buffer): number[] {
  const bytes = new Bytes(body);
  return Array.from(bytes.counts(), () => readLimits(bytes));
}

function readImportType(bytes: Bytes): { isFunction: boolean; memory: number } {
  const kind = bytes.byte();
  if (kind === 2) return { isFunction: false, memory: readLimits(bytes) };
  if (kind === 0) bytes.skipNumber();
  else if (kind === 1) {
    skipValueType(bytes);
    readLimits(bytes);
  } else if (kind === 3) {
    skipValueType(bytes);
    bytes.byte();
  } else if (kind === 4) {
    bytes.byte();
    bytes.skipNumber();
  } else throw new UnknownEncodingError(`import of kind ${kind}`);
  return { isFunction: kind === 0, memory: 0 };
}

/** One byte, or for a typed reference a byte and its heap type. */
function skipValueType(bytes: Bytes): void {
  const type = bytes.byte();
  if (type === 0x63 || type === 0x64) bytes.skipNumber();
}

/** Returns the flags. */
function readLimits(bytes: Bytes): number {
  const flags = bytes.byte();
  bytes.skipNumber();
  if ((flags & 0x01) !== 0) bytes.skipNumber();
  // The custom page size of a memory.
  if ((flags & 0x08) !== 0) bytes.skipNumber();
  return flags;
}

function parseFunctionExports(body: Buffer): string[] {
  const bytes = new Bytes(body);
  const names: string[] = [];
  for (const _ of bytes.counts()) {
    const name = bytes.name();
    const kind = bytes.byte();
    bytes.skipNumber();
    if (kind === 0) names.push(name);
  }
  return names;
}

/** Reads values one after another; throws an UnknownEncodingError where there is none. */
class Bytes {
  readonly #bytes: Buffer;
  position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    const byte = this.#bytes[this.position];
    if (byte === undefined) throw new UnknownEncodingError('a value is missing');
    this.position += 1;
    return byte;
  }

  /** An unsigned number of at most 32 bits, LEB128. */
  number(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value;
    }
    throw new UnknownEncodingError('a number is too long');
  }

  /** Of any size, signed or not. */
  skipNumber(): void {
    while ((this.byte() & 0x80) !== 0);
  }

  name(): string {
    const length = this.number();
    const name = this.#bytes.toString('utf8', this.position, this.position + length);
    this.position += length;
    return name;
  }

  /** Counts up to a number that is read now; a number that is too large ends in an error, not in memory. */
  *counts(): Generator<number> {
    const count = this.number();
    for (let index = 0; index < count; index += 1) yield index;
  }
}
