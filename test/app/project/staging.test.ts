// The copy of a project that wasmrun runs on.

import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stageFolder, stageProject } from '../../../src/app/project/staging.ts';
import { InputError } from '../../../src/shared/errors.ts';
import { createLogger } from '../../../src/shared/log.ts';

let root: string;
let log: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'staging-'));
  log = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(files: Record<string, string | Buffer>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, 'from', name)), { recursive: true });
    writeFileSync(join(root, 'from', name), text);
  }
}

const stage = () =>
  stageProject(
    join(root, 'from'),
    join(root, 'to'),
    createLogger({ level: 'info', write: line => log.push(line) }),
  );
/** What was left out, according to the log: rule → how many. */
const readLeftOut = () =>
  Object.fromEntries(
    [...(log.at(-1)?.split('; left out: ')[1] ?? '').matchAll(/(?:^|, )(.+?) \((\d+)\)/g)].map(
      ([, rule = '', times]) => [rule, Number(times)],
    ),
  );
const listCopied = () => readdirSync(join(root, 'to'), { recursive: true }).map(String).sort();

describe('stageProject', () => {
  it('copies what wasmrun ships, and counts what each rule left out', async () => {
    write({
      'index.js': 'hello',
      'lib/a.js': 'a',
      '.git/config': 'token',
      'lib/node_modules/b.js': 'b',
      'app.wasm': 'wasm',
      '.gitignore': 'build/\n*.log\n!keep.log\n',
      'build/out.js': 'built',
      'one.log': '1',
      'two.log': '2',
      'keep.log': 'kept',
    });
    symlinkSync('/etc/passwd', join(root, 'from', 'passwd.js'));
    symlinkSync('..', join(root, 'from', 'loop'));
    await stage();
    expect(listCopied()).toEqual(['.gitignore', 'index.js', 'keep.log', 'lib', 'lib/a.js', 'wasmrun.toml']);
    expect(readLeftOut()).toEqual({
      '.git': 1,
      '.gitignore: *.log': 2,
      '.gitignore: build': 1,
      '*.wasm': 1,
      links: 2,
      node_modules: 1,
    });
    expect(log).toHaveLength(1);
    expect(log[0]).toContain('.gitignore: *.log (2)');
  });

  it('leaves out files over the size limits of the VM', async () => {
    write({ 'index.js': '', 'big.bin': Buffer.alloc(10 * 1024 * 1024 + 1) });
    await stage();
    expect(listCopied()).toEqual(['index.js', 'wasmrun.toml']);
    expect(readLeftOut()).toEqual({ 'files over 10 MB': 1 });
  });

  it('puts our rules into the copy of wasmrun.toml, and leaves the project unchanged', async () => {
    write({ 'src/start.js': '', 'wasmrun.toml': '[os]\nentry = "./src/start.js"\n' });
    await stage();
    const staged = readFileSync(join(root, 'to', 'wasmrun.toml'), 'utf8');
    expect(staged).toContain('entry = "./src/start.js"');
    expect(staged).toContain('"0.0.0.0/8"');
    expect(readFileSync(join(root, 'from', 'wasmrun.toml'), 'utf8')).not.toContain('0.0.0.0');
  });

  it('names the line in which wasmrun.toml is broken', async () => {
    write({ 'index.js': '', 'wasmrun.toml': '[os]\nentry = \n' });
    const failure = stage();
    await expect(failure).rejects.toThrow(InputError);
    await expect(failure).rejects.toThrow(/^path: wasmrun\.toml cannot be read \(line 2, column \d+\): /);
  });

  it.each([
    ['of wasmrun.toml', { 'wasmrun.toml': '[os]\nentry = "build/a.js"\n', 'index.js': '' }],
    ['of package.json', { 'package.json': '{"main":"./build/a.js"}', 'index.js': '' }],
  ])('refuses an entry file %s that an ignore rule leaves out, and names the rule', async (_, files) => {
    write({ ...files, 'build/a.js': '', '.gitignore': '/nothing\nbuild\n' });
    await expect(stage()).rejects.toThrow(
      /^the entry file build\/a\.js is not shipped into wasmrun's VM \(\.gitignore: build\)/,
    );
  });

  it('refuses an entry file that is a link', async () => {
    write({ 'real.txt': '' });
    symlinkSync('real.txt', join(root, 'from', 'index.js'));
    await expect(stage()).rejects.toThrow(/^the entry file index\.js is not shipped .*\(a link/);
  });

  it.each(['/dev/ptmx', '/dev/zero', '/etc/passwd'])(
    'treats .gitignore, wasmrun.toml and package.json as absent if they are links to %s',
    async to => {
      write({ 'index.js': '' });
      for (const name of ['.gitignore', 'wasmrun.toml', 'package.json'])
        symlinkSync(to, join(root, 'from', name));
      await stage();
      expect(readLeftOut()).toEqual({ links: 3 });
      await stageFolder(
        join(root, 'from'),
        join(root, 'folder'),
        createLogger({ level: 'info', write: () => {} }),
      );
    },
  );

  it('does not wait for a writer if .gitignore, wasmrun.toml and package.json are pipes', async () => {
    write({ 'index.js': '' });
    const names = ['.gitignore', 'wasmrun.toml', 'package.json'];
    execFileSync(
      'mkfifo',
      names.map(name => join(root, 'from', name)),
    );
    await stage();
    expect(readLeftOut()).toEqual({ 'devices, sockets and pipes': 3 });
  });

  it.each(['.gitignore', 'wasmrun.toml', 'package.json'])(
    'refuses a %s over 1 MB, and names it',
    async name => {
      write({ 'index.js': '', [name]: Buffer.alloc(1024 * 1024 + 1, '\n') });
      const failure = stage();
      await expect(failure).rejects.toThrow(InputError);
      await expect(failure).rejects.toThrow(`${name} is over 1 MB`);
    },
  );

  it.each(['/etc/passwd', '../secret.js', 'src/../../secret.js'])(
    'refuses the configured entry %s',
    async entry => {
      write({ 'index.js': '', '../secret.js': '', 'wasmrun.toml': `[os]\nentry = "${entry}"\n` });
      await expect(stage()).rejects.toThrow('os.entry is wrong: it leads out of the project');
    },
  );

  it('ignores a `main` that leads out of the project', async () => {
    write({ 'index.js': '', '../secret.js': '', 'package.json': '{"main":"../secret.js"}' });
    await stage();
    expect(listCopied()).toContain('index.js');
  });

  it('warns about ports of the project that the program may not listen on', async () => {
    write({ 'index.js': '', 'wasmrun.toml': '[os.network]\nbind_ports = "5000,22"\n' });
    await stage();
    expect(readFileSync(join(root, 'to', 'wasmrun.toml'), 'utf8')).toContain('bind_ports = "3000-9999"');
    expect(log.join('\n')).toContain('os.network.bind_ports 5000,22 is not within 3000-9999');
  });

  it('reports a configured entry that does not exist', async () => {
    write({ 'index.js': '', 'wasmrun.toml': '[os]\nentry = "serve.js"\n' });
    await expect(stage()).rejects.toThrow('the entry file serve.js does not exist');
  });

  it.each([
    ['web', { 'index.html': '' }],
    ['exec', { 'app.wasm': '' }],
    ['port', { 'main.py': '' }],
  ])('suggests mode: %s for a folder without a Node.js program', async (mode, files) => {
    write(files);
    await expect(stage()).rejects.toThrow(`\`mode: ${mode}\``);
  });
});
