// Run by release.yml: `release.ts TAG` refuses a tag that package.json, CHANGELOG.md, the branch main or an earlier
// tag disagree with. Otherwise it prints the version's part of CHANGELOG.md, the release's notes.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [tag = ''] = process.argv.slice(2);
const problems: string[] = [];
const version = /^v(\d+\.\d+\.\d+)$/.exec(tag)?.[1];
if (version === undefined) refuse(`the tag is '${tag}', and a release's is like v1.2.3`);

for (const file of ['package.json', 'package-lock.json']) {
  const found = (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  if (found !== version) problems.push(`${file} has version ${found}: set it to ${version}`);
}

const [, heading = '', notes = ''] =
  /^## (.*)\n([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(readFileSync('CHANGELOG.md', 'utf8')) ?? [];
if (heading !== version)
  problems.push(`CHANGELOG.md begins with '## ${heading}': its first part must be ${version}`);
else if (notes.trim() === '') problems.push(`CHANGELOG.md says nothing of ${version}`);

const newer = git('tag', '--list', 'v*.*.*').filter(other => compare(other, tag) > 0);
if (newer.length > 0)
  problems.push(
    `${newer.join(', ')} is newer: ${tag} would become the latest release, and move the major tag back`,
  );
if (!git('branch', '--remotes', '--contains', 'HEAD', '--format=%(refname:short)').includes('origin/main'))
  problems.push('the tag is not on main: tag a commit that was merged');

if (problems.length > 0) refuse(problems.join('\n'));
process.stdout.write(`${notes.trim()}\n`);

function refuse(reasons: string): never {
  process.stderr.write(`${reasons}\n`);
  process.exit(1);
}

function git(...args: string[]): string[] {
  return execFileSync('git', args, { encoding: 'utf8' }).split('\n').filter(Boolean);
}

/** Positive if the first version tag is the later one. */
function compare(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true });
}
