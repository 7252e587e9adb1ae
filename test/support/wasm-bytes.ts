// Writes small WebAssembly modules byte by byte, so that a test can say what a file imports and exports. Used by the
// tests of .wasm files; wasm-file.test.ts holds them against the engine of Node.js.

/** Functions by name; all take and return nothing, and do nothing. */
export interface ModuleParts {
  /** Module and name of each imported function, separated by a blank. */
  imports?: readonly string[];
  /** Module and name of an imported memory of one page. */
  memory?: string;
  exports?: readonly string[];
  /** Whether the first function is the start function. */
  start?: boolean;
  /** Bytes of a custom section that comes before all others. */
  custom?: number;
}

const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

export function renderModule({
  imports = [],
  memory,
  exports = [],
  start = false,
  custom,
}: ModuleParts): Buffer {
  const bodies = Math.max(exports.length, 1);
  const entries = [
    ...imports.map(name => [...names(name), 0x00, 0x00]),
    ...(memory === undefined ? [] : [[...names(memory), 0x02, 0x00, 0x01]]),
  ];
  const exported = exports.map((name, index) => [...text(name), 0x00, ...number(imports.length + index)]);
  return Buffer.from([
    ...PREAMBLE,
    ...(custom === undefined ? [] : section(0, [...text('notes'), ...Array(custom).fill(0)])),
    ...section(1, list([[0x60, 0x00, 0x00]])),
    ...section(2, list(entries)),
    ...section(3, list(Array(bodies).fill([0x00]))),
    ...section(7, list(exported)),
    ...(start ? section(8, number(imports.length)) : []),
    ...section(10, list(Array(bodies).fill([0x02, 0x00, 0x0b]))),
  ]);
}

function names(pair: string): number[] {
  const [module = '', field = ''] = pair.split(' ');
  return [...text(module), ...text(field)];
}

function section(id: number, body: readonly number[]): number[] {
  return [id, ...number(body.length), ...body];
}

function list(entries: readonly (readonly number[])[]): number[] {
  return [...number(entries.length), ...entries.flat()];
}

function text(value: string): number[] {
  const bytes = [...Buffer.from(value)];
  return [...number(bytes.length), ...bytes];
}

/** LEB128, unsigned. */
function number(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...number(value >>> 7)];
}
