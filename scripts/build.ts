// Compiles src with tsc, and bundles each program in its root into dist/NAME. dist is committed: it is what runners
// run. Each bundle is replaced as a whole, so that a program that starts during a build finds the old one or the new
// one.

import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { readVersion } from '../src/commands/version.ts';
import { readPageFiles } from '../src/control/inspector/files.ts';
import { compilePage, PAGE_PACKAGES, writePage } from '../src/demo/page/files.ts';
import { renderLicences } from './licences.ts';

/** Bundling keeps one core busy; small machines, and GitHub's, have two. */
const AT_ONCE = 2;

const programs = readdirSync('src')
  .filter(file => file.endsWith('.ts'))
  .map(file => basename(file, '.ts'));

mkdirSync('build', { recursive: true });
mkdirSync('dist', { recursive: true });
// Always the same folder: ncc numbers modules by their paths.
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
});
// In a bundle, the inspector's page and the version are constants.
writeFileSync(
  'build/js/control/inspector/files.js',
  `const files = ${JSON.stringify(readPageFiles(), null, 1)};\nexport const readPageFiles = () => files;\n`,
);
writeFileSync(
  'build/js/commands/version.js',
  `export const readVersion = () => ${JSON.stringify(readVersion())};\n`,
);
const work = mkdtempSync(join('build', 'dist-'));
const waiting = [...programs];
await Promise.all(Array.from({ length: AT_ONCE }, bundleWaiting));
for (const stale of readdirSync('dist').filter(name => !programs.includes(name)))
  rmSync(join('dist', stale), { recursive: true });
rmSync(work, { recursive: true });

async function bundleWaiting(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const bundle = join(work, name);
    await promisify(execFile)(process.execPath, ['scripts/bundle.ts', name, bundle]);
    if (name === 'demo') writeDemoPage(join(bundle, 'page'));
    rmSync(join('dist', name), { recursive: true, force: true });
    renameSync(bundle, join('dist', name));
  }
}

/** The page of the demo is in files of its own, because charts need a large package. */
function writeDemoPage(folder: string): void {
  writePage(folder, compilePage('.'));
  const packages = PAGE_PACKAGES.map(name => join('node_modules', name));
  writeFileSync(join(folder, 'licenses.txt'), renderLicences(packages));
}
