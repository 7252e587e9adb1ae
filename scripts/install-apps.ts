// Installs the apps of the matrix (test/apps/rows.ts) into the cache folder, each as its lock file pins it, and builds
// those that are built. Called by scripts/install-real-parts, or with the names of apps. Heavy ones only where
// EXPOSE_FULL=1 is set. Safe to run twice: a folder's name has the hash of its sources. Prints a line for each app, and
// exits with 1 if one is missing.

import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import {
  APPS_FOLDER,
  installedAt,
  isInstalled,
  listBuilds,
  listSources,
  RUN_PREFIX,
  STAMP,
} from '../test/apps/installed.ts';
import { ROWS } from '../test/apps/rows.ts';
import { isFull } from '../test/support/scale.ts';

/** For one command; a heavy app's download takes minutes. */
const COMMAND_MS = 15 * 60_000;
/** No test runs that long. */
const LEFT_BEHIND_MS = 60 * 60_000;

/** How an app's packages come, by the file that pins them. */
const INSTALLERS: Readonly<Record<string, string>> = {
  // Nothing runs that a package brings.
  'package-lock.json': 'npm ci --ignore-scripts',
  'requirements.txt':
    'python3 -m venv venv && venv/bin/pip install --quiet --no-deps --requirement requirements.txt',
  'go.mod': 'go build -trimpath -o app .',
};

/** Returns how it went, for the app's line. */
function install(app: string): string {
  if (isInstalled(app, ROWS)) return 'kept';
  const began = performance.now();
  for (const name of readdirSync(APPS_FOLDER))
    if (name.replace(/-[0-9a-f]+$/, '') === app) rmSync(join(APPS_FOLDER, name), { recursive: true });
  // Made where it stays: virtual environments and some builds know their own path.
  const folder = installedAt(app, ROWS);
  for (const [name, path] of listSources(app)) cpSync(path, join(folder, name));
  if (!existsSync(join(folder, '.npmrc'))) cpSync(resolve('.npmrc'), join(folder, '.npmrc'));
  const installers = Object.entries(INSTALLERS).filter(([lock]) => existsSync(join(folder, lock)));
  const log = join(APPS_FOLDER, `${app}.log`);
  const output = openSync(log, 'w');
  const environment = { ...process.env, CI: 'true' };
  try {
    for (const line of [...installers.map(([, installer]) => installer), ...listBuilds(app, ROWS)])
      execFileSync('bash', ['-c', line], {
        cwd: folder,
        env: environment,
        stdio: ['ignore', output, output],
        timeout: COMMAND_MS,
      });
  } catch {
    console.log(readFileSync(log, 'utf8').split('\n').slice(-15).join('\n'));
    process.exitCode = 1;
    return `missing: installation failed, see ${log}`;
  }
  writeFileSync(join(folder, STAMP), '');
  return `installed in ${Math.round((performance.now() - began) / 1000)} s`;
}

mkdirSync(APPS_FOLDER, { recursive: true });
for (const name of readdirSync(APPS_FOLDER).filter(entry => entry.startsWith(RUN_PREFIX))) {
  const run = join(APPS_FOLDER, name);
  if (Date.now() - statSync(run).mtimeMs > LEFT_BEHIND_MS) rmSync(run, { recursive: true });
}
const named = process.argv.slice(2);
const rows = ROWS.filter(({ app, heavy }) => (named.length > 0 ? named.includes(app) : isFull || !heavy));
for (const app of new Set(rows.map(row => row.app)))
  console.log(`${`app ${app}`.padEnd(20)} ${install(app)}`);
