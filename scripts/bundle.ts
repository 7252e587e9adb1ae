// Bundles one program: `bundle.ts NAME FOLDER` puts build/js/NAME.js and all it imports into FOLDER, with licenses.txt
// beside it. Run by build.ts.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ncc, { type Module } from '@vercel/ncc';
import { listPackageFolders, renderLicences } from './licences.ts';

/** A module of Node's that is imported in place of what is left out; it is there, and nothing is asked of it. */
const STAND_IN = 'node:module';

/** What packages import for functions that are not called here; test/contract/packages.test.ts looks for the calls. */
const LEFT_OUT = [
  // @actions/core: tokens for OIDC, with an undici of its own, and a description of the platform.
  '@actions/http-client',
  '@actions/http-client/lib/auth',
  '@actions/exec',
  // puppeteer-core: the command line that installs browsers.
  'yargs',
  'yargs/helpers',
  'modern-tar/fs',
];
/**
 * The library for the cache service calls what the others leave out. It does not call undici, of which
 * @actions/http-client takes a dispatcher for others, and needs XML only to read why Azure refused an upload, which the
 * text of the answer says as well.
 */
const LEFT_OUT_OF_CACHE = ['undici', '@azure/core-xml'];

async function bundle(name: string, folder: string): Promise<void> {
  const { code, assets, stats } = await ncc(resolve('build/js', `${name}.js`), {
    // The cache knows nothing of LEFT_OUT.
    cache: false,
    quiet: true,
    externals: Object.fromEntries(
      (name === 'cache' ? LEFT_OUT_OF_CACHE : LEFT_OUT).map(left => [left, STAND_IN]),
    ),
  });
  const { modules } = stats.toJson({ all: false, modules: true, nestedModules: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'index.js'), code, { mode: code.startsWith('#!') ? 0o755 : 0o644 });
  for (const [file, { source }] of Object.entries(assets)) writeFileSync(join(folder, file), source);
  writeFileSync(join(folder, 'licenses.txt'), renderLicences(listPackageFolders(listFiles(modules))));
}

function listFiles(modules: readonly Module[]): string[] {
  return modules.flatMap(({ nameForCondition, modules: joined = [] }) => [
    ...(nameForCondition ? [nameForCondition] : []),
    ...listFiles(joined),
  ]);
}

const [name, folder] = process.argv.slice(2);
if (name === undefined || folder === undefined) throw new Error('usage: bundle.ts NAME FOLDER');
await bundle(name, folder);
