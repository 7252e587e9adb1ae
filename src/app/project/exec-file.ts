// Checks that a .wasm file is a program that `mode: exec` can run and that can take connections. Used by mode.ts before
// anything starts. What wasmrun 1.0.0 offers is in its sources: runtime/wasi/mod.rs and runtime/core/native_executor.rs.

import type { Stats } from 'node:fs';
import { basename } from 'node:path';
import { InputError } from '../../shared/errors.ts';
import { sanitise } from '../../shared/sanitise.ts';
import { readWasmFile, type WasmFile } from './wasm-file.ts';
import type { ModuleSections } from './wasm-sections.ts';

const WASI = 'wasi_snapshot_preview1';
/** wasmrun runs the start section, else one of these exports; never two of them. */
const ENTRIES = ['main', '_start'];
/** The version that docs/exec.md and its test use. */
export const JCO = '@bytecodealliance/jco@1.35.0';
/** Names in one message: enough to recognise the program. */
const MAX_NAMES = 5;

/** Throws an InputError that says what the file is, and what to do. Returns a warning if the program may not work. */
export function checkExecFile(path: string): string | undefined {
  const wasm = readWasmFile(path);
  const problem = findProblem(wasm, basename(path));
  if (problem !== undefined) throw new InputError(`path: ${sanitise(path)} ${problem}`);
  const doubt = wasm.kind === 'module' && wasm.sections ? findDoubt(wasm.sections) : undefined;
  return doubt && `${sanitise(basename(path))} ${doubt}`;
}

function findDoubt({ imports, functions, hasStart }: ModuleSections): string | undefined {
  const unused = ENTRIES.find(entry => functions.has(entry));
  if (hasStart && unused !== undefined)
    return (
      `has a start section, which wasmrun runs instead of \`${unused}\`, so the program may end at once; with ` +
      'AssemblyScript, write it as top-level code and build it with `--exportStart _start`'
    );
  const missing = listForeignImports(imports);
  if (missing.length === 0) return undefined;
  return `imports functions that wasmrun does not have, and ends if it calls one of them: ${sanitise(missing.join(', '))}`;
}

/** What people have in place of the .wasm file itself: `app.wasm.gz`, `app.wat`, `app.cwasm`. */
const RELATED_NAME = /\.(wat|wast|cwasm|wasm\.[a-z0-9]+)$/i;

/**
 * For a file with another name: throws an InputError if it is WebAssembly, which wasmrun takes only under a name in
 * .wasm, or if it is made from a .wasm file.
 */
export function checkOtherName(path: string, found: Stats): void {
  if (!found.isFile()) return;
  const wasm = readWasmFile(path);
  if (wasm.kind !== 'broken')
    throw new InputError(
      `path: ${sanitise(path)} is WebAssembly, but wasmrun takes only names that end in .wasm; rename it`,
    );
  if (RELATED_NAME.test(path)) throw new InputError(`path: ${sanitise(path)} ${wasm.problem}`);
}

/**
 * Only a warning is due: wasmrun looks a function up when it is called. Those of WASI preview 1 are left out, because
 * libraries import more of it than they call.
 */
function listForeignImports(imports: ModuleSections['imports']): string[] {
  return (
    imports
      // AssemblyScript calls `env.abort` only to report an error that ends the program anyway.
      .filter(({ module, name }) => module !== WASI && !(module === 'env' && name === 'abort'))
      // wasmrun makes a memory and globals itself (clang's and AssemblyScript's option to import the memory).
      .filter(({ isFunction }) => isFunction)
      .map(({ module, name }) => `${module}.${name}`)
  );
}

function findProblem(wasm: WasmFile, name: string): string | undefined {
  switch (wasm.kind) {
    case 'broken':
      return wasm.problem;
    case 'component':
      return describeComponent(wasm, sanitise(name));
    case 'module':
      return wasm.sections && findModuleProblem(wasm.sections);
  }
}

function describeComponent(component: Extract<WasmFile, { kind: 'component' }>, name: string): string {
  if (/wasi:http\/(incoming-)?handler\b/.test(component.exports))
    return (
      'is a WebAssembly component that answers HTTP (wasi:http), and `mode: exec` runs core modules only. ' +
      `Serve it with jco: leave \`mode\` out, set \`path\` to its folder and \`command\` to \`npx --yes ${JCO} serve --port "$PORT" ${name}\``
    );
  const what = component.exports.includes('wasi:cli/run')
    ? 'is a WebAssembly component with a command (wasi:cli)'
    : 'is a WebAssembly component';
  return `${what}, and \`mode: exec\` runs core modules only; build it for wasm32-wasip1, or start it with \`command\` and a runtime for components`;
}

function findModuleProblem({ imports, functions, hasStart }: ModuleSections): string | undefined {
  const hasEntry = hasStart || ENTRIES.some(entry => functions.has(entry));
  const takesConnections = imports.some(({ module, name }) => module === WASI && name === 'sock_accept');
  if (hasEntry && takesConnections) return undefined;
  const builder = findBrowserBuilder(imports);
  if (builder !== undefined)
    return `was built for the browser (${builder}), and \`mode: exec\` has no page; give the folder with its index.html (\`mode: web\`)`;
  if (!hasEntry) return describeLibrary(functions);
  if (imports.some(({ module }) => module === 'wasi_unstable'))
    return 'was built for an early form of WASI (wasi_unstable), which wasmrun does not have; build it with a newer compiler, for wasm32-wasip1';
  return (
    'can take no connections: it does not import `sock_accept` of WASI preview 1, and a program in `mode: exec` gets ' +
    `its listening socket in WASMHUB_LISTEN_FD (see docs/exec.md). It imports ${listModules(imports)}`
  );
}

function describeLibrary(functions: ReadonlySet<string>): string {
  const exported = functions.size === 0 ? 'nothing' : [...functions].slice(0, MAX_NAMES).join(', ');
  return (
    `is a library: it has no \`_start\` or \`main\` to run, and exports ${sanitise(exported)}; build a program ` +
    '(with a main function, for wasm32-wasip1), or give the folder of the page that loads it (`mode: web`)'
  );
}

function listModules(imports: ModuleSections['imports']): string {
  const modules = [...new Set(imports.map(({ module }) => module))];
  if (modules.length === 0) return 'nothing';
  return `from ${sanitise(modules.slice(0, MAX_NAMES).join(', '))}`;
}

/** The tool whose JavaScript a module needs, by its imports. */
function findBrowserBuilder(imports: ModuleSections['imports']): string | undefined {
  const from = (pattern: RegExp) => imports.some(({ module }) => pattern.test(module));
  if (from(/^(__wbindgen|wbg$)|_bg\.js$/)) return 'wasm-bindgen';
  if (from(/^(gojs|go)$/)) return 'Go with GOOS=js';
  if (from(/^dart2wasm/)) return 'Dart';
  if (from(/^js_code$|\.uninstantiated\.mjs$/)) return 'Kotlin';
  const isEmscripten = imports.some(
    ({ module, name }) =>
      (module === 'env' && /^(_?emscripten_|__syscall_|invoke_|_embind_|__cxa_throw$)/.test(name)) ||
      // Emscripten shortens all names in optimised builds.
      (module === 'a' && name.length <= 3),
  );
  return isEmscripten ? 'Emscripten' : undefined;
}
