import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCheckedOutCommit } from '../../src/github/checkout.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'checkout-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Real git, so that the files are as git writes them. */
function git(...args: string[]): string {
  const who = [
    '-c',
    'user.name=mona',
    '-c',
    'user.email=mona@example.com',
    '-c',
    'protocol.file.allow=always',
  ];
  return execFileSync('git', ['-C', folder, ...who, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
}

function commit(): string {
  git('init', '-q');
  git('commit', '-q', '--allow-empty', '-m', 'one');
  return git('rev-parse', 'HEAD');
}

describe('readCheckedOutCommit', () => {
  it("finds the branch's commit in a loose or packed ref", () => {
    const sha = commit();
    expect(readCheckedOutCommit(folder)).toBe(sha);
    git('pack-refs', '--all');
    expect(readCheckedOutCommit(folder)).toBe(sha);
  });

  it('finds the commit of a detached head', () => {
    const sha = commit();
    git('checkout', '-q', '--detach');
    git('commit', '-q', '--allow-empty', '-m', 'two');
    expect(readCheckedOutCommit(folder)).toBe(git('rev-parse', 'HEAD'));
    expect(readCheckedOutCommit(folder)).not.toBe(sha);
  });

  it('finds the commit from a folder or file below, also through a link', () => {
    const sha = commit();
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    writeFileSync(join(folder, 'a', 'b', 'app.wasm'), '');
    expect(readCheckedOutCommit(join(folder, 'a', 'b', 'app.wasm'))).toBe(sha);
    symlinkSync(tmpdir(), join(folder, 'elsewhere'));
    expect(readCheckedOutCommit(join(folder, 'elsewhere'))).not.toBe(sha);
  });

  it("finds a worktree's own commit", () => {
    commit();
    git('worktree', 'add', '-q', '-b', 'side', join(folder, 'side'));
    git('commit', '-q', '--allow-empty', '-m', 'two');
    const side = git('rev-parse', 'side');
    expect(readCheckedOutCommit(join(folder, 'side'))).toBe(side);
    expect(readCheckedOutCommit(folder)).not.toBe(side);
  });

  it("finds nothing without git, before the first commit, and in files that are not git's", () => {
    expect(readCheckedOutCommit(folder)).toBeUndefined();
    expect(readCheckedOutCommit(join(folder, 'missing'))).toBeUndefined();
    git('init', '-q');
    expect(readCheckedOutCommit(folder)).toBeUndefined();
    writeFileSync(join(folder, '.git', 'HEAD'), 'ref: refs/../../../etc/hostname');
    expect(readCheckedOutCommit(folder)).toBeUndefined();
  });
});
