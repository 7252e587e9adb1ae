// What a job downloads when it uses the action: GitHub's archive of the repository, without what .gitattributes marks
// with `export-ignore`.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

const ROOT = resolve(import.meta.dirname, '../..');

const git = (...args: string[]) =>
  execFileSync('git', args, { cwd: ROOT, maxBuffer: 256 * 1024 * 1024, stdio: ['ignore', 'pipe', 'pipe'] });

/** The archive of the last commit, by the attributes in the working tree. Folders end in a slash. */
const archived = execFileSync('tar', ['-t'], {
  input: git('archive', '--worktree-attributes', 'HEAD'),
  encoding: 'utf8',
}).split('\n');

const tracked = git('ls-files').toString().split('\n');

it('holds every action with the bundles it names', () => {
  const actions = tracked.filter(file => /^(?!test\/|\.github\/).*\baction\.yml$/.test(file));
  expect(actions).toEqual(expect.arrayContaining(['stop/action.yml', 'wait/action.yml']));
  for (const action of actions) {
    const { runs } = parse(readFileSync(join(ROOT, action), 'utf8')) as { runs: Record<string, string> };
    const bundles = [runs.pre, runs.main, runs.post]
      .filter(bundle => bundle !== undefined)
      .map(bundle => posix.join(posix.dirname(action), bundle));
    expect(archived).toEqual(expect.arrayContaining([action, ...bundles]));
  }
});

it('holds nothing of the demo, which weighs more than the action itself', () => {
  expect(tracked).toEqual(
    expect.arrayContaining(['examples/web-hello/index.html', 'examples/demo/server.js']),
  );
  expect(archived.filter(path => /^(dist|examples)\/(demo|web-hello)/.test(path))).toEqual([]);
});

it('holds nothing else that was not put on this list', () => {
  const top = new Set(archived.map(path => path.replace(/\/.*/, '')).filter(name => name !== ''));
  expect([...top].sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'action.yml',
    'dist',
    'docs',
    'examples',
    'package.json',
    'stop',
    'wait',
  ]);
  expect(
    archived.filter(path => /^docs\/images|^examples\/((exec|os)-hello|http-component)/.test(path)),
  ).toEqual([]);
});
