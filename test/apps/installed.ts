// Where the apps of the matrix are installed: scripts/install-apps.ts puts them there, drive.ts copies them from there.

import { execSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { AppRow } from './row.ts';

const CACHE =
  process.env.EXPOSE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'expose-action');

/** A folder for each app, and one for each run. All are on one file system, so that a run can link packages. */
export const APPS_FOLDER = join(CACHE, 'apps');

/** The copies of running tests; scripts/install-apps.ts removes those that a killed test left. */
export const RUN_PREFIX = 'run-';

/** A file that says that an installation is complete. */
export const STAMP = '.installed';

/** Where the sources of an app are in the checkout. */
export const sourceOf = (app: string): string => resolve(import.meta.dirname, app);

/** The files of an app's sources, relative to their folder. */
export function listSources(app: string): string[] {
  return readdirSync(sourceOf(app), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(sourceOf(app).length + 1))
    .sort();
}

/** Where an app is installed; another folder after each change of its sources or of how it is built. */
export function installedAt(app: string, rows: readonly AppRow[]): string {
  const hash = createHash('sha256');
  for (const build of listBuilds(app, rows)) hash.update(`${build}\0`);
  for (const file of listSources(app))
    hash.update(`${file}\0`).update(readFileSync(join(sourceOf(app), file)));
  return join(APPS_FOLDER, `${app}-${hash.digest('hex').slice(0, 12)}`);
}

/** Whether the installation of exactly these sources has ended well. */
export const isInstalled = (app: string, rows: readonly AppRow[]): boolean =>
  existsSync(join(installedAt(app, rows), STAMP));

/** What builds an app, in the order of its rows. */
export function listBuilds(app: string, rows: readonly AppRow[]): string[] {
  const builds = rows.filter(row => row.app === app).map(row => row.build ?? '');
  return [...new Set(builds)].filter(build => build !== '');
}

/** What builds a row without being one of its packages: the command that prints its version. */
const TOOLS: Readonly<Record<string, string>> = { Go: 'go version', Rust: 'rustc --version' };

/**
 * Versions of a row's packages, from package-lock.json, requirements.txt, go.mod or source/Cargo.lock, and of the tools
 * of this machine. Throws where one is missing.
 */
export function readVersions({ app, versions }: AppRow): string[] {
  const files = listSources(app);
  const read = (file: string) =>
    files.includes(file) ? readFileSync(join(sourceOf(app), file), 'utf8') : '';
  const lock = read('package-lock.json');
  const packages: Record<string, { version?: string }> = lock === '' ? {} : JSON.parse(lock).packages;
  return versions.map(name => {
    const escaped = name.replace(/[.]/g, '\\.');
    const version =
      packages[`node_modules/${name}`]?.version ??
      new RegExp(`^${escaped}==(\\S+)$`, 'm').exec(read('requirements.txt'))?.[1] ??
      new RegExp(`\\s${escaped} v(\\S+)`).exec(read('go.mod'))?.[1] ??
      new RegExp(`name = "${escaped}"\nversion = "(.+)"`).exec(read('source/Cargo.lock'))?.[1] ??
      readToolVersion(name);
    if (version === undefined) throw new Error(`${app} has no lock file with a version of ${name}`);
    return `${name.split('/').at(-1)} ${version}`;
  });
}

function readToolVersion(name: string): string | undefined {
  const command = TOOLS[name];
  if (command === undefined) return undefined;
  return /\d+\.\d+(\.\d+)?/.exec(execSync(command, { encoding: 'utf8' }))?.[0];
}
