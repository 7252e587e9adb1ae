// Compiles src with tsc and bundles each entry into dist/NAME/index.js. dist is committed: it is what runners run.
// A bundle is put in place whole, so that whoever runs it in this moment finds the old one or the new one.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const ENTRIES = ['main', 'post', 'supervisor', 'page-host', 'visitor-thread', 'cli', 'stop'];

const run = (tool: string, ...args: string[]) =>
  execFileSync(process.execPath, [tool, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });

mkdirSync('build', { recursive: true });
mkdirSync('dist', { recursive: true });
// Always the same folder: ncc numbers modules by their paths.
run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
const work = mkdtempSync(join('build', 'dist-'));
for (const name of ENTRIES) {
  const bundle = join(work, name);
  run(
    'node_modules/@vercel/ncc/dist/ncc/cli.js',
    'build',
    join('build', 'js', `${name}.js`),
    '-o',
    bundle,
    '-q',
  );
  rmSync(join('dist', name), { recursive: true, force: true });
  renameSync(bundle, join('dist', name));
}
for (const stale of readdirSync('dist').filter(name => !ENTRIES.includes(name)))
  rmSync(join('dist', stale), { recursive: true });
rmSync(work, { recursive: true });
