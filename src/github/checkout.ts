// The commit that is checked out in a folder, read from git's own files. It does not run git, which could run programs
// that the checkout configures. Used by the fork rules.

import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** The commit checked out at `path` (a folder or a file), or undefined if that is unknown. */
export function readCheckedOutCommit(path: string): string | undefined {
  try {
    const folder = findGitFolder(realpathSync(path));
    return folder === undefined ? undefined : resolveHead(folder);
  } catch {
    return undefined;
  }
}

/**
 * The nearest `.git` in this folder or above. In worktrees and submodules it is a file that contains the folder's path.
 */
function findGitFolder(path: string): string | undefined {
  const candidate = join(path, '.git');
  const found = statSync(candidate, { throwIfNoEntry: false });
  if (found?.isDirectory()) return candidate;
  if (found?.isFile()) return resolve(path, readText(candidate).replace(/^gitdir: /, ''));
  const parent = dirname(path);
  return parent === path ? undefined : findGitFolder(parent);
}

/**
 * HEAD is a commit, or names a branch whose commit is in a file of its own or in `packed-refs` (gitrepository-layout).
 */
function resolveHead(folder: string): string | undefined {
  const head = readText(join(folder, 'HEAD'));
  if (COMMIT.test(head)) return head;
  const branch = /^ref: (refs\/\S+)$/.exec(head)?.[1];
  if (branch === undefined) return undefined;
  const common = readOptional(join(folder, 'commondir'));
  const shared = common === undefined ? folder : resolve(folder, common);
  const loose = readOptional(join(shared, branch));
  if (loose !== undefined) return COMMIT.test(loose) ? loose : undefined;
  const packed = readOptional(join(shared, 'packed-refs')) ?? '';
  const line = packed.split('\n').find(entry => entry.endsWith(` ${branch}`));
  const commit = line?.split(' ')[0] ?? '';
  return COMMIT.test(commit) ? commit : undefined;
}

function readText(file: string): string {
  return readFileSync(file, 'utf8').trim();
}

function readOptional(file: string): string | undefined {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ? readText(file) : undefined;
}
