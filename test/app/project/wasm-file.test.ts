// What a .wasm file is told to be, by its bytes, and which programs `mode: exec` takes. The samples are files that
// people really have under this name; a module's names are compared with what the engine of Node.js finds.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkExecFile, JCO } from '../../../src/app/project/exec-file.ts';
import { chooseMode } from '../../../src/app/project/mode.ts';
import { readWasmFile } from '../../../src/app/project/wasm-file.ts';
import { InputError } from '../../../src/shared/errors.ts';
import { renderModule } from '../../support/wasm-bytes.ts';

/** The engine of Node.js, which the types of Node.js leave out. */
declare const WebAssembly: {
  validate(bytes: Uint8Array): boolean;
  Module: {
    new (bytes: Uint8Array): object;
    imports(module: object): { module: string; name: string; kind: string }[];
    exports(module: object): { name: string; kind: string }[];
  };
};

const EXAMPLES = join(import.meta.dirname, '../../../examples');
const SERVER = join(EXAMPLES, 'exec-hello', 'exec-hello.wasm');
const COMPONENT = join(EXAMPLES, 'http-component', 'app.wasm');
const PAGE_MODULE = join(EXAMPLES, 'web-hello', 'app.wasm');
const ACCEPT = 'wasi_snapshot_preview1 sock_accept';
const LFS_POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d'.repeat(32)}\nsize 5242880\n`;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'expose-wasm-test-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a .wasm file', () => {
  const server = readFileSync(SERVER);
  it.each([
    ['nothing', '', /is empty \(0 bytes\)/],
    ['a Git LFS pointer', LFS_POINTER, /is a Git LFS pointer, .* add `lfs: true` to actions\/checkout/],
    ['an error page', '<!DOCTYPE html>\n<title>404</title>', /is an HTML or XML page, .*`curl -f`/],
    ['an answer of S3', '<?xml version="1.0"?><Error/>', /is an HTML or XML page/],
    [
      'an answer of an API',
      '{"message":"Not Found"}\n',
      /is text that begins with '{"message":"Not Found"}'/,
    ],
    ['a text with a byte order mark', '\ufeffNot found', /is text that begins with 'Not found'/],
    ['a text in another language', 'Не найдено', /is text that begins with 'Не найдено'/],
    ['a script', '#!/bin/sh\nexit 1\n', /is text that begins with '#!\/bin\/sh'/],
    ['base64', server.toString('base64'), /is WebAssembly as base64 text; .*`base64 -d`/],
    ['gzip', gzipSync(server), /is compressed \(gzip\); unpack it first: `gunzip`/],
    ['zstd', zstdCompressSync(server), /is compressed \(zstd\)/],
    ['brotli', brotliCompressSync(server), /is not WebAssembly, .* it begins with [0-9a-f ]{11}\. .*brotli/],
    ['a zip archive', 'PK\u0003\u0004\u0014\0', /is a zip archive/],
    ['WAT', '(module\n  (func (export "_start")))', /is WebAssembly as text; .*`wat2wasm x\.wat`/],
    ['WAT after comments', ';; made by hand\n(; twice ;) (module)', /is WebAssembly as text/],
    ['a Lisp file', '(defun module () nil)', /is text that begins with '\(defun/],
    [
      'a program for Linux',
      readFileSync(process.execPath).subarray(0, 4096),
      /is a program for Linux, .*`command`/,
    ],
    ['a program for Windows', 'MZ\u0090\0\u0003', /is a program for Windows/],
    ['a program for macOS', Buffer.from('cffaedfe07000001', 'hex'), /is a program for macOS/],
    ['.cwasm of Wasmtime', Buffer.from('7f454c46020101c8', 'hex'), /was compiled by Wasmtime/],
    ['an archive of objects', '!<arch>\nlib.o/', /is an archive of object files/],
    ['a version of the future', Buffer.from('0061736d02000000', 'hex'), /is WebAssembly of version 2, which/],
    ['an unknown layer', Buffer.from('0061736d01000500', 'hex'), /of version 1, layer 5, which/],
    [
      'the first bytes of a module',
      Buffer.from('0061736d0100', 'hex'),
      /is cut off or damaged: it has 6 bytes/,
    ],
    [
      'half a module',
      server.subarray(0, 40_000),
      /is cut off or damaged: it has 40000 bytes, .* at least \d{5};/,
    ],
  ])('that holds %s is refused before anything starts', (_, bytes, expected) => {
    const path = join(folder, 'x.wasm');
    writeFileSync(path, bytes);
    expect(() => chooseMode({ mode: 'auto', path })).toThrow(InputError);
    expect(refusal(path)).toMatch(expected);
    expect(refusal(path)).toContain(`path: ${path} `);
  });

  it.each([
    ['app.wasm.gz', gzipSync(server), /app\.wasm\.gz is compressed \(gzip\)/],
    ['app.wasm.br', brotliCompressSync(server), /app\.wasm\.br is not WebAssembly, .*brotli/],
    ['app.wat', '(module)', /app\.wat is WebAssembly as text; .*`wat2wasm app\.wat`/],
    ['app.cwasm', Buffer.from('7f454c46020101c8', 'hex'), /app\.cwasm was compiled by Wasmtime/],
    ['app', server, /app is WebAssembly, but wasmrun takes only names that end in \.wasm; rename it/],
    ['app.WASM', server, /app\.WASM is WebAssembly, but wasmrun takes only names/],
    ['notes.txt', 'text', /notes\.txt (is neither a folder nor a \.wasm file|is not one)/],
  ])('with the name %s is refused with what it is', (name, bytes, expected) => {
    const path = write(name, bytes);
    for (const mode of ['auto', 'exec'] as const) expect(() => chooseMode({ mode, path })).toThrow(expected);
  });

  it('cannot smuggle a command of the runner into the message', () => {
    const path = write('x.wasm', '##[error]owned\u001b[31m::error::');
    expect(refusal(path)).not.toMatch(/##\[|\u001b/);
  });

  it('that is cut anywhere is never taken for a whole module', () => {
    const whole = readFileSync(SERVER);
    const path = join(folder, 'cut.wasm');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length - 1 }), length => {
        writeFileSync(path, whole);
        truncateSync(path, length);
        // A cut between two sections leaves a module that is whole, as far as the format goes.
        const isWhole = WebAssembly.validate(new Uint8Array(whole.subarray(0, length)));
        expect(isWhole || refusal(path) !== undefined).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('of any content gets a sentence or is left to wasmrun', () => {
    const path = join(folder, 'any.wasm');
    const preamble = fc.constantFrom('', '0061736d', '0061736d01000000', '0061736d0d000100');
    fc.assert(
      fc.property(preamble, fc.uint8Array({ maxLength: 200 }), (start, rest) => {
        writeFileSync(path, Buffer.concat([Buffer.from(start, 'hex'), rest]));
        expect(() => readWasmFile(path)).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });

  it('of 300 MB is judged without being read', () => {
    const path = write('big.wasm', renderModule({ imports: [ACCEPT], exports: ['_start'] }));
    const tail = 300 * 1024 * 1024;
    // A custom section at the end, as debug information is; the file is sparse.
    const head = Buffer.from([0, 0x80, 0x80, 0x80, 0x96, 0x01]);
    writeFileSync(path, head, { flag: 'a' });
    truncateSync(path, readFileSync(path).length + tail);
    const before = process.memoryUsage().rss;
    expect(readWasmFile(path)).toMatchObject({ kind: 'module', sections: { hasStart: false } });
    expect(process.memoryUsage().rss - before).toBeLessThan(50 * 1024 * 1024);
  });
});

describe('the names of a module', () => {
  const written = renderModule({
    imports: [ACCEPT, 'env a.b'],
    memory: 'env memory',
    exports: ['_start', 'größe'],
    start: true,
    custom: 300,
  });
  it.each([
    ['a real server', readFileSync(SERVER)],
    ['a module of a page', readFileSync(PAGE_MODULE)],
    ['a module of the tests', written],
  ])('are those that the engine finds: %s', (_, bytes) => {
    const found = readWasmFile(write('names.wasm', bytes));
    if (found.kind !== 'module' || found.sections === undefined) throw new Error('no module');
    const engine = new WebAssembly.Module(new Uint8Array(bytes));
    expect(found.sections.imports).toEqual(
      WebAssembly.Module.imports(engine).map(({ module, name, kind }) => ({
        module,
        name,
        isFunction: kind === 'function',
      })),
    );
    expect([...found.sections.functions]).toEqual(
      WebAssembly.Module.exports(engine).flatMap(({ name, kind }) => (kind === 'function' ? name : [])),
    );
  });
});

describe('mode: exec', () => {
  it('takes a server, with either entry or a start section', () => {
    expect(checkExecFile(SERVER)).toBeUndefined();
    for (const parts of [{ exports: ['_start'] }, { exports: ['main'] }, { start: true }])
      expect(checkExecFile(write('a.wasm', renderModule({ imports: [ACCEPT], ...parts })))).toBeUndefined();
  });

  it.each([
    [
      'a library',
      { imports: [ACCEPT], exports: ['_initialize', 'add'] },
      /is a library: .* exports _initialize, add;/,
    ],
    ['a module without exports', {}, /is a library: .* exports nothing;/],
    [
      'wasm-bindgen output',
      { imports: ['./app_bg.js __wbindgen_throw'], exports: ['start'], start: true },
      /was built for the browser \(wasm-bindgen\), .*index\.html \(`mode: web`\)/,
    ],
    ['older wasm-bindgen output', { imports: ['wbg __wbg_log'] }, /\(wasm-bindgen\)/],
    ['Go for the browser', { imports: ['gojs runtime.wasmExit'], exports: ['run'] }, /\(Go with GOOS=js\)/],
    ['Emscripten output', { imports: ['env emscripten_resize_heap'], exports: ['main'] }, /\(Emscripten\)/],
    ['optimised Emscripten output', { imports: ['a b'], exports: ['c'] }, /\(Emscripten\)/],
    [
      'an early form of WASI',
      { imports: ['wasi_unstable fd_write'], exports: ['_start'] },
      /\(wasi_unstable\)/,
    ],
    [
      'a program that prints and ends',
      { imports: ['wasi_snapshot_preview1 fd_write', 'env now'], exports: ['_start'] },
      /can take no connections: .*`sock_accept`.* It imports from wasi_snapshot_preview1, env$/,
    ],
    ['a program without imports', { exports: ['_start'] }, /It imports nothing$/],
  ])('refuses %s', (_, parts, expected) => {
    expect(refusal(write('a.wasm', renderModule(parts)))).toMatch(expected);
  });

  it('refuses a component that answers HTTP, and says how to serve it', () => {
    expect(refusal(COMPONENT)).toMatch(
      /is a WebAssembly component that answers HTTP .*`npx --yes @bytecodealliance\/jco@[\d.]+ serve --port "\$PORT" app\.wasm`$/,
    );
  });

  it('names the version of jco that docs/exec.md shows and that the tests install', () => {
    const read = (file: string) => readFileSync(join(EXAMPLES, '..', file), 'utf8');
    expect(read('docs/exec.md')).toContain(`npx --yes ${JCO} serve`);
    expect(read('scripts/install-real-parts')).toContain(`jco_version=${JCO.split('@').at(-1)}\n`);
  });

  it('refuses a component with a command', () => {
    const component = readFileSync(COMPONENT)
      .toString('latin1')
      .replaceAll(
        'wasi:http/incoming-handler',
        'wasi:cli/run'.padEnd('wasi:http/incoming-handler'.length, 'x'),
      );
    expect(refusal(write('c.wasm', Buffer.from(component, 'latin1')))).toMatch(
      /is a WebAssembly component with a command \(wasi:cli\), .* build it for wasm32-wasip1/,
    );
  });

  it('does not warn about an imported memory, which wasmrun makes', () => {
    const bytes = renderModule({ imports: [ACCEPT], memory: 'env memory', exports: ['_start'] });
    expect(checkExecFile(write('a.wasm', bytes))).toBeUndefined();
  });

  it('warns about functions that wasmrun does not have, by name', () => {
    const parts = { exports: ['_start'], imports: [ACCEPT, 'env now', 'wasi thread-spawn'] };
    const path = write('a.wasm', renderModule(parts));
    expect(chooseMode({ mode: 'auto', path }).warning).toBe(
      'a.wasm imports functions that wasmrun does not have, and ends if it calls one of them: env.now, wasi.thread-spawn',
    );
    const usual = { exports: ['_start'], imports: [ACCEPT, 'env abort', 'wasi_snapshot_preview1 path_link'] };
    expect(checkExecFile(write('a.wasm', renderModule(usual)))).toBeUndefined();
  });

  it('warns that a start section runs instead of the entry', () => {
    const path = write('a.wasm', renderModule({ imports: [ACCEPT], exports: ['_start'], start: true }));
    expect(checkExecFile(path)).toMatch(
      /^a\.wasm has a start section, which wasmrun runs instead of `_start`.*`--exportStart _start`$/,
    );
  });

  it('does not wait for a pipe under that name', () => {
    const path = join(folder, 'pipe.wasm');
    execFileSync('mkfifo', [path]);
    expect(() => readWasmFile(path)).not.toThrow();
  });
});

function write(name: string, bytes: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function refusal(path: string): string | undefined {
  try {
    checkExecFile(path);
    return undefined;
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}
