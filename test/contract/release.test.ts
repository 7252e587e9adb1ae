// What scripts/release.ts lets through to a release, and with which words it refuses the rest: in a repository of its own.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';

const SCRIPT = resolve(import.meta.dirname, '../../scripts/release.ts');
const CHANGELOG = '# Changes\n\n## 1.2.0\n\n- Second.\n- Third.\n\n## 1.1.0\n\n- First.\n';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'release-'));
  git('init', '--quiet', '--initial-branch=main');
  commit({
    'CHANGELOG.md': CHANGELOG,
    'package.json': manifest('1.2.0'),
    'package-lock.json': manifest('1.2.0'),
  });
  publishMain();
});
afterEach(() => rmSync(folder, { recursive: true }));

const manifest = (version: string) => JSON.stringify({ version });

function git(...args: string[]): void {
  const identity = ['-c', 'user.name=Tester', '-c', 'user.email=tester@example.com'];
  execFileSync('git', [...identity, ...args], { cwd: folder, stdio: 'ignore' });
}

function commit(files: Record<string, string>): void {
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  git('add', '.');
  git('commit', '--quiet', '--allow-empty', '--message=Change');
}

/** Plays what a checkout knows of the branch on the server. */
function publishMain(): void {
  git('update-ref', 'refs/remotes/origin/main', 'HEAD');
}

function release(tag: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, tag], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

it('prints what the changelog says of the version', () => {
  git('tag', 'v1.2.0');
  git('tag', 'v1.1.0');
  expect(release('v1.2.0')).toEqual({ status: 0, stdout: '- Second.\n- Third.\n', stderr: '' });
});

it('prints the part of a changelog with one version to its end', () => {
  commit({ 'CHANGELOG.md': '# Changes\n\n## 1.2.0\n\n- Only.\n' });
  publishMain();
  expect(release('v1.2.0').stdout).toBe('- Only.\n');
});

it.each(['1.2.0', 'v1.2', 'v1', 'v1.2.0-rc.1', ''])("refuses '%s', which is no tag of a release", tag => {
  expect(release(tag)).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining(`the tag is '${tag}'`),
  });
});

it('refuses a tag that package.json, the lock file and the changelog do not have, all at once', () => {
  const { status, stderr } = release('v1.3.0');
  expect(status).toBe(1);
  expect(stderr.trim().split('\n')).toEqual([
    'package.json has version 1.2.0: set it to 1.3.0',
    'package-lock.json has version 1.2.0: set it to 1.3.0',
    "CHANGELOG.md begins with '## 1.2.0': its first part must be 1.3.0",
  ]);
});

it('refuses a changelog that has changes above the version, or none of it', () => {
  commit({ 'CHANGELOG.md': `# Changes\n\n## Unreleased\n\n- More.\n\n${CHANGELOG}` });
  publishMain();
  expect(release('v1.2.0').stderr).toBe(
    "CHANGELOG.md begins with '## Unreleased': its first part must be 1.2.0\n",
  );
  commit({ 'CHANGELOG.md': '# Changes\n\n## 1.2.0\n\n## 1.1.0\n\n- First.\n' });
  publishMain();
  expect(release('v1.2.0').stderr).toBe('CHANGELOG.md says nothing of 1.2.0\n');
});

it('refuses a version older than one that is tagged, comparing numbers and not texts', () => {
  git('tag', 'v1.10.0');
  expect(release('v1.2.0').stderr).toContain('v1.10.0 is newer');
});

it('refuses a commit that is not on main', () => {
  commit({});
  expect(release('v1.2.0').stderr).toBe('the tag is not on main: tag a commit that was merged\n');
});

interface Jobs {
  jobs: Record<string, { steps: { run?: string }[] }>;
}

/** The one script of a job of release.yml that contains the text. */
function readScript(job: string, text: string): string {
  const workflow = readFileSync(resolve(import.meta.dirname, '../../.github/workflows/release.yml'), 'utf8');
  const { jobs } = parse(workflow) as Jobs;
  const [script, ...others] = (jobs[job]?.steps ?? []).flatMap(({ run = '' }) =>
    run.includes(text) ? [run] : [],
  );
  if (script === undefined || others.length > 0) throw new Error(`${job} has not one script with ${text}`);
  return script;
}

/** As the runner runs a script. */
function runScript(script: string, cwd: string, env: Record<string, string>): number | null {
  const PATH = process.env.PATH ?? '';
  return spawnSync('bash', ['-e', '-c', script], { cwd, env: { PATH, ...env } }).status;
}

it.each(['npm', 'github'])('the job %s publishes only what the first job packed', job => {
  const packed = mkdtempSync(join(tmpdir(), 'packed-'));
  onTestFinished(() => rmSync(packed, { recursive: true }));
  const file = join(packed, 'expose-action-1.2.0.tgz');
  writeFileSync(file, 'the package');
  writeFileSync(join(packed, 'notes.md'), 'Second.');
  const output = join(folder, 'output');
  const pack = readScript('check', 'sha256sum').replace('npm pack', ':');
  expect(runScript(pack, packed, { GITHUB_OUTPUT: output })).toBe(0);
  const DIGESTS = readFileSync(output, 'utf8').trim().replace('digests=', '');
  const check = () => runScript(readScript(job, 'sha256sum'), packed, { DIGESTS });
  expect(check()).toBe(0);
  writeFileSync(join(packed, 'expose-action-6.6.6.tgz'), 'one more');
  expect(check()).not.toBe(0);
  rmSync(join(packed, 'expose-action-6.6.6.tgz'));
  for (const [name, text] of [
    [file, 'another package'] as const,
    [join(packed, 'notes.md'), 'Other.'] as const,
  ]) {
    const before = readFileSync(name);
    writeFileSync(name, text);
    expect(check()).not.toBe(0);
    writeFileSync(name, before);
  }
  expect(check()).toBe(0);
  expect(runScript(readScript(job, 'sha256sum'), packed, { DIGESTS: '' })).not.toBe(0);
});
