// npm packs the README.md of the root, whatever `files` says. While it packs, the package's own stands there:
// `readme.js own` (prepack) puts it there, `readme.js project` (postpack) puts the project's back. Where npm fails or is
// killed in between, a process in the background does the same. JavaScript, because npm may run on a Node without types.

import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** npm packs in a few seconds. */
const LONGEST_PACK_MS = 10_000;

const root = resolve(import.meta.dirname, '../..');
const shown = join(root, 'README.md');
const own = join(import.meta.dirname, 'README.md');
/** The project's README while the package's own is shown; build/ is ignored by git. */
const kept = join(root, 'build/README.md');

/** Each file appears as a whole, at whatever moment this process is killed. */
function replace(from, to) {
  copyFileSync(from, `${to}.new`);
  renameSync(`${to}.new`, to);
}

function showProject() {
  if (!existsSync(kept)) return;
  // Somebody else, such as `git checkout`, may have been faster; since then the project's may have changed.
  if (readFileSync(shown).equals(readFileSync(own))) renameSync(kept, shown);
  else rmSync(kept);
}

function showOwn() {
  // A run that was killed left it.
  showProject();
  mkdirSync(join(root, 'build'), { recursive: true });
  replace(shown, kept);
  replace(own, shown);
  spawn(process.execPath, [import.meta.filename, 'later'], { detached: true, stdio: 'ignore' }).unref();
}

async function showProjectLater() {
  for (const end = Date.now() + LONGEST_PACK_MS; existsSync(kept) && Date.now() < end; )
    await setTimeout(100);
  showProject();
}

const [what] = process.argv.slice(2);
if (what === 'own') showOwn();
else if (what === 'project') showProject();
else if (what === 'later') await showProjectLater();
else throw new Error('usage: readme.js own | project');
