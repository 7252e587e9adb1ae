// The npm package as its users get it: packed by npm from a copy of this repository, and run by npx from an empty folder,
// with an empty cache and no network.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { findProcesses } from '../support/act.ts';
import { click } from '../support/reviewer.ts';
import { waitUntil } from '../support/wait-until.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** What npm reads of the repository. */
const PACKED_FROM = ['LICENSE', 'README.md', 'dist', 'examples', 'package.json', 'scripts/npm-package'];
/** Decimal megabytes; everybody who tries the demo downloads it. */
const MAX_BYTES = 6.2e6;

let scratch = '';
let repository = '';
let tarball = '';
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'npm-package-'));
  repository = join(scratch, 'repository');
  for (const name of PACKED_FROM) cpSync(join(ROOT, name), join(repository, name), { recursive: true });
  const answer = spawnSync('npm', ['pack', '--silent'], { cwd: repository, encoding: 'utf8' });
  expect(answer).toMatchObject({ status: 0 });
  tarball = join(repository, answer.stdout.trim());
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const read = (file: string) =>
  execFileSync('tar', ['-xOf', tarball, `package/${file}`], { encoding: 'utf8' });

describe('the package', () => {
  it('is small, and holds the command line and the apps of its demo', () => {
    expect(tarball).toMatch(/\/expose-action-\d+\.\d+\.\d+\.tgz$/);
    expect(statSync(tarball).size).toBeLessThan(MAX_BYTES);
    const files = execFileSync('tar', ['-tf', tarball], { encoding: 'utf8' }).trim().split('\n');
    const places = new Set(files.map(file => file.split('/').slice(1, 3).join('/')));
    expect([...places].filter(place => !place.startsWith('dist/')).sort()).toEqual([
      'LICENSE',
      'README.md',
      'examples/demo',
      'examples/os-hello',
      'examples/web-hello',
      'package.json',
    ]);
    expect(places).toContain('dist/cli');
    for (const unused of ['dist/cache', 'dist/wait']) expect(places).not.toContain(unused);
    expect(files).toContain('package/dist/cli/licenses.txt');
  });

  it('names its source and its licence, and installs no other package', () => {
    const { dependencies, scripts, ...manifest } = JSON.parse(read('package.json')) as Record<string, object>;
    expect(manifest).toMatchObject({
      name: 'expose-action',
      license: 'MIT',
      repository: { url: 'git+https://github.com/wasmrun/expose-action.git' },
      engines: { node: '>=24' },
      publishConfig: { provenance: true },
    });
    expect(manifest).not.toHaveProperty('private');
    expect(dependencies).toBeUndefined();
    expect(Object.keys(scripts ?? {}).filter(name => /install/.test(name))).toEqual([]);
  });

  it('has a README of its own, whose files exist, while that of the repository is back in its place', () => {
    expect(read('README.md')).toBe(readFileSync(join(ROOT, 'scripts/npm-package/README.md'), 'utf8'));
    expect(readFileSync(join(repository, 'README.md'))).toEqual(readFileSync(join(ROOT, 'README.md')));
    const links = [...read('README.md').matchAll(/blob\/main\/([^)#]+)/g)].map(([, file = '']) => file);
    expect(links.length).toBeGreaterThan(0);
    expect(links.filter(file => !existsSync(join(ROOT, file)))).toEqual([]);
  });
});

/** Its own HOME, temp folder and npm cache, and nothing of this process's environment. */
function createPlace() {
  const place = mkdtempSync(join(scratch, 'place-'));
  for (const name of ['home', 'temp', 'folder']) mkdirSync(join(place, name));
  cpSync(tarball, join(place, 'folder', basename(tarball)));
  onTestFinished(() => {
    for (const pid of findProcesses(place)) process.kill(pid, 'SIGKILL');
  });
  const npx = execFileSync('which', ['npx'], { encoding: 'utf8' }).trim();
  const env = {
    PATH: [dirname(process.execPath), dirname(npx), '/usr/bin', '/bin'].join(delimiter),
    HOME: join(place, 'home'),
    TMPDIR: join(place, 'temp'),
    npm_config_cache: join(place, 'home/.npm'),
    npm_config_offline: 'true',
    npm_config_registry: 'http://127.0.0.1:9/',
    npm_config_update_notifier: 'false',
  };
  const start = (args: string[], variables = {}): Running => {
    // A group of its own, because Ctrl-C reaches npx and all it started.
    const child = spawn('npx', ['--yes', `./${basename(tarball)}`, ...args], {
      cwd: join(place, 'folder'),
      env: { ...env, ...variables },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const running: Running = { child, out: '', ended: once(child, 'close').then(() => child.exitCode) };
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        running.out += text;
      });
    return running;
  };
  return { place, start };
}

interface Running {
  child: ChildProcess;
  /** What it has printed so far. */
  out: string;
  ended: Promise<number | null>;
}

/** The link that stands on a line of its own. */
async function readAddress(running: Running): Promise<string> {
  const find = () => /^ +(?:preview +)?(http:\S+)$/m.exec(running.out)?.[1];
  await waitUntil(() => find() !== undefined || running.child.exitCode !== null, 'it prints a link');
  const address = find();
  if (address === undefined) throw new Error(`no link was printed:\n${running.out}`);
  return address;
}

async function pressCtrlC(...all: Running[]): Promise<void> {
  for (const { child } of all) if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
  await Promise.all(all.map(({ ended }) => ended));
}

async function expectNothingLeft(place: string): Promise<void> {
  await waitUntil(() => findProcesses(place).length === 0, 'no process is left');
  // npm's own.
  const left = readdirSync(join(place, 'temp')).filter(name => name !== 'node-compile-cache');
  expect(left).toEqual([]);
  expect(readdirSync(join(place, 'folder'))).toEqual([basename(tarball)]);
}

describe('npx, from an empty folder without a network', () => {
  it('shows the demo until Ctrl-C, which leaves nothing', async () => {
    const { place, start } = createPlace();
    const demo = start(['demo']);
    const { visit } = await click(await readAddress(demo));
    expect((await visit()).status).toBe(200);
    const [, page = ''] = /pull request +(http[^#\s]+)/.exec(demo.out) ?? [];
    expect((await fetch(page)).status).toBe(200);
    await pressCtrlC(demo);
    await expectNothingLeft(place);
  });

  it('exposes a folder through a server that it runs, too', async () => {
    const { place, start } = createPlace();
    expect(await start(['--help']).ended).toBe(0);
    const server = start(['server', '--port', '0'], { BORE_SECRET: 'of-the-test' });
    await waitUntil(() => /:\d+/.test(server.out), 'the server says its port');
    const [, port = ''] = /:(\d+)/.exec(server.out) ?? [];
    const site = join(ROOT, 'examples/web-hello');
    const run = start(['run', site, '--server', `127.0.0.1:${port}`, '--access', 'open'], {
      BORE_SECRET: 'of-the-test',
    });
    const answer = await fetch(await readAddress(run));
    expect(await answer.text()).toContain('Hello from WebAssembly');
    await pressCtrlC(run);
    await pressCtrlC(server);
    await expectNothingLeft(place);
  });
});

describe('on a Node that is too old', () => {
  const older = (process.env.PATH ?? '')
    .split(delimiter)
    .map(folder => join(folder, 'node'))
    .filter(existsSync)
    .find(
      node =>
        Number.parseInt(execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }), 10) < 24,
    );

  it.skipIf(older === undefined)(
    'says which it needs, and what to do (skipped where PATH has no older Node)',
    () => {
      const { status, stderr } = spawnSync(older ?? '', [join(ROOT, 'dist/cli/index.js'), 'demo'], {
        encoding: 'utf8',
      });
      expect(status).toBe(2);
      expect(stderr).toMatch(
        /^expose needs Node 24 or later, and this is \d+\.\d+\.\d+.*`npm ci && npm run demo`.*\n$/,
      );
    },
  );
});

describe('the README of the repository', () => {
  const project = 'The project.\n';
  const show = (folder: string, what: string) =>
    execFileSync(process.execPath, [join(folder, 'scripts/npm-package/readme.js'), what]);

  function createRepository() {
    const folder = mkdtempSync(join(scratch, 'readme-'));
    cpSync(join(ROOT, 'scripts/npm-package'), join(folder, 'scripts/npm-package'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    const file = join(folder, 'README.md');
    writeFileSync(file, project);
    return { folder, file };
  }

  it('comes back by itself if npm is killed while it packs', async () => {
    const { folder, file } = createRepository();
    show(folder, 'own');
    expect(readFileSync(file, 'utf8')).not.toBe(project);
    await waitUntil(() => readFileSync(file, 'utf8') === project, 'the README is back');
  });

  it('comes back after packing twice at a time', () => {
    const { folder, file } = createRepository();
    show(folder, 'own');
    show(folder, 'own');
    show(folder, 'project');
    show(folder, 'project');
    expect(readFileSync(file, 'utf8')).toBe(project);
  });

  it('is not replaced by an older one that a killed run has left', () => {
    const { folder, file } = createRepository();
    show(folder, 'own');
    writeFileSync(file, 'A newer one.\n');
    show(folder, 'project');
    expect(readFileSync(file, 'utf8')).toBe('A newer one.\n');
    expect(existsSync(join(folder, 'build/README.md'))).toBe(false);
  });
});
