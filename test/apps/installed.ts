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

/** The examples that an app has as folders of its own. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = { os: ['os-hello', 'os-express'] };

/** What people who try an example leave in it. */
const BUILT = /^(node_modules|bundle)\//;

/** The files of an app's sources, in the order of their names: its name in the app → its path in the checkout. */
export function listSources(app: string): Map<string, string> {
  const own = listFiles(resolve(import.meta.dirname, app), '');
  const examples = (EXAMPLES[app] ?? []).flatMap(name =>
    listFiles(resolve(import.meta.dirname, '../../examples', name), `${name}/`),
  );
  return new Map([...own, ...examples].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function listFiles(folder: string, prefix: string): [name: string, path: string][] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter(name => !BUILT.test(name))
    .map(name => [prefix + name, join(folder, name)]);
}

/** Where an app is installed; another folder after each change of its sources or of how it is built. */
export function installedAt(app: string, rows: readonly AppRow[]): string {
  const hash = createHash('sha256');
  for (const build of listBuilds(app, rows)) hash.update(`${build}\0`);
  for (const [name, path] of listSources(app)) hash.update(`${name}\0`).update(readFileSync(path));
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
  const read = (name: string) => {
    const path = files.get(name);
    return path === undefined ? '' : readFileSync(path, 'utf8');
  };
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
