// Which mode is chosen for a path, and which paths are refused.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseMode } from '../../../src/app/project/mode.ts';
import { InputError } from '../../../src/shared/errors.ts';
import { renderModule } from '../../support/wasm-bytes.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples');
/** What `mode: exec` takes. */
const SERVER = renderModule({ imports: ['wasi_snapshot_preview1 sock_accept'], exports: ['_start'] });
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'expose-mode-test-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

describe('mode: auto', () => {
  it.each([
    ['an [os] table', { 'wasmrun.toml': '[os]\nentry = "src/x.js"', 'index.html': '' }, 'os'],
    ['an existing main', { 'package.json': '{"main":"src/run.js"}', 'src/run.js': '' }, 'os'],
    ['server.js', { 'server.js': '' }, 'os'],
    [
      'a package with a page beside its program',
      { 'package.json': '{}', 'server.js': '', 'index.html': '' },
      'os',
    ],
    ['an index.html', { 'index.html': '', 'assets/app.js': '' }, 'web'],
    ['what Emscripten writes', { 'index.html': '', 'index.js': '', 'index.wasm': '' }, 'web'],
    ['a main that is not there', { 'package.json': '{"main":"gone.js"}', 'index.html': '' }, 'web'],
    [
      'a main that is not a file name',
      { 'package.json': `{"main":"${'x'.repeat(5_000)}"}`, 'index.html': '' },
      'web',
    ],
    ['a main with a NUL', { 'package.json': '{"main":"a\\u0000"}', 'index.html': '' }, 'web'],
    ['a main that is a number', { 'package.json': '{"main":5}', 'index.html': '' }, 'web'],
    ['a package.json that cannot be read', { 'package.json': '{', 'index.html': '' }, 'web'],
    ['a wasmrun.toml without [os]', { 'wasmrun.toml': '[project]', 'index.html': '' }, 'web'],
  ])('chooses by the content of a folder: %s', (_, files, mode) => {
    write(files);
    expect(chooseMode({ mode: 'auto', path: folder }).mode).toBe(mode);
  });

  it('chooses exec for a .wasm file, and port if a port or a command is given', () => {
    write({ 'a.wasm': SERVER, 'index.html': '' });
    expect(chooseMode({ mode: 'auto', path: join(folder, 'a.wasm') }).mode).toBe('exec');
    expect(chooseMode({ mode: 'auto', path: folder, port: 3000 }).mode).toBe('port');
    expect(chooseMode({ mode: 'auto', path: folder, command: 'npm start' })).toEqual({
      mode: 'port',
      reason: '`command` is given',
    });
  });

  it('chooses the intended mode for each example', () => {
    expect(chooseMode({ mode: 'auto', path: join(EXAMPLES, 'web-hello') }).mode).toBe('web');
    expect(chooseMode({ mode: 'auto', path: join(EXAMPLES, 'exec-hello', 'exec-hello.wasm') }).mode).toBe(
      'exec',
    );
  });

  it.each(['/dev/ptmx', '/dev/zero', '/etc/passwd'])(
    'treats wasmrun.toml and package.json as absent if they are links to %s',
    to => {
      write({ 'index.html': '', 'index.js': '' });
      for (const name of ['wasmrun.toml', 'package.json']) symlinkSync(to, join(folder, name));
      expect(chooseMode({ mode: 'auto', path: folder }).mode).toBe('web');
    },
  );

  it.each(['wasmrun.toml', 'package.json'])('does not read a %s that is a link to a valid one', name => {
    write({
      'index.html': '',
      'a.js': '',
      'real/wasmrun.toml': '[os]',
      'real/package.json': '{"main":"a.js"}',
    });
    symlinkSync(join('real', name), join(folder, name));
    expect(chooseMode({ mode: 'auto', path: folder }).mode).toBe('web');
  });

  it.each(['wasmrun.toml', 'package.json'])('refuses a %s over 1 MB, and names it', name => {
    write({ 'index.js': '', [name]: '\n'.repeat(1024 * 1024 + 1) });
    expect(explain({ mode: 'auto', path: folder })).toContain(`${name} is over 1 MB`);
  });

  it('finds a program where the page finds it, too: in src, if there is a package.json', () => {
    write({ 'package.json': '{}', 'src/server.js': '' });
    expect(chooseMode({ mode: 'auto', path: folder })).toEqual({
      mode: 'os',
      reason: 'src/server.js is a Node.js program',
    });
  });

  it('lists what was looked for if there is nothing to run', () => {
    write({ 'README.md': '' });
    const message = explain({ mode: 'auto', path: folder });
    for (const word of [
      '[os] in wasmrun.toml',
      'package.json',
      'index.js, src/index.js, main.js, app.js',
      'index.html',
    ])
      expect(message).toContain(word);
    expect(message).toContain(folder);
  });
});

describe('the check of the path', () => {
  it.each([
    ['auto', 'gone', 'does not exist'],
    ['auto', 'note.txt', 'neither a folder nor a .wasm file'],
    ['auto', 'note.txt/x', 'does not exist'],
    ['exec', 'note.txt', 'mode: exec runs one .wasm file'],
    ['exec', '.', 'mode: exec runs one .wasm file'],
    ['web', 'note.txt', 'mode: web needs a folder'],
    ['web', '.', 'has no index.html'],
    ['os', 'note.txt', 'mode: os needs a folder'],
    ['port', '.', 'mode: port needs `port`, `command` or both'],
  ] as const)('refuses, with mode: %s, the path %s: %s', (mode, name, message) => {
    write({ 'note.txt': '' });
    expect(explain({ mode, path: join(folder, name) })).toContain(message);
  });

  it('refuses a port with another mode', () => {
    expect(explain({ mode: 'os', path: folder, port: 1 })).toContain('mode: os contradicts `port`');
  });

  it.each(['auto', 'os'] as const)('quotes the line of a broken wasmrun.toml with mode: %s', mode => {
    write({ 'wasmrun.toml': '[os\n' });
    expect(explain({ mode, path: folder })).toContain('path: wasmrun.toml cannot be read (line 1, column ');
  });

  it.each(['auto', 'os'] as const)('names the wrong key of a wasmrun.toml with mode: %s', mode => {
    write({ 'wasmrun.toml': '[os.limits]\nmax_memory_mb = -1\n', 'index.js': '' });
    expect(explain({ mode, path: folder })).toContain(
      'path: wasmrun.toml: os.limits.max_memory_mb is wrong: ',
    );
  });

  it('names the .wasm file that is in a folder without a page', () => {
    write({ 'README.md': '', 'b.wasm': '', 'a.wasm': '' });
    expect(explain({ mode: 'auto', path: folder })).toContain(' a .wasm file (a.wasm, b.wasm), or `port`');
  });

  it('ignores a broken wasmrun.toml in modes that do not read it', () => {
    write({ 'wasmrun.toml': '[os\n', 'index.html': '', 'a.wasm': SERVER });
    expect(chooseMode({ mode: 'web', path: folder }).mode).toBe('web');
    expect(chooseMode({ mode: 'exec', path: join(folder, 'a.wasm') }).mode).toBe('exec');
    expect(chooseMode({ mode: 'auto', path: folder, port: 3000 }).mode).toBe('port');
  });

  it.each([
    ['os', 'wasmrun.toml', '.'],
    ['os', 'package.json', '.'],
    ['os', '.gitignore', '.'],
    ['exec', '.gitignore', 'a.wasm'],
  ] as const)('refuses, with mode: %s, a %s over 1 MB, and names it', (mode, name, path) => {
    write({ 'index.js': '', 'a.wasm': '', [name]: '\n'.repeat(1024 * 1024 + 1) });
    expect(explain({ mode, path: join(folder, path) })).toContain(`${name} is over 1 MB`);
  });
});

function write(files: Record<string, string | Buffer>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

function explain(input: Parameters<typeof chooseMode>[0]): string {
  try {
    chooseMode(input);
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  throw new Error('no problem was found');
}
