// wasmrun between two jobs, under act with its own cache service: the real program, in a package that a server in place
// of GitHub gives out. Each run has its own home folder and its own tool cache.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startGitHubServer } from '../../src/demo/github/server.ts';
import { type ActRun, findOnPath, startAct } from '../support/act.ts';
import { startCacheServer } from '../support/cache-server.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { startReleasesServer } from '../support/releases-server.ts';
import { isFull } from '../support/scale.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { startWasmhub } from '../support/wasmhub-server.ts';

const HOST = '127.0.0.241';
const DEB = `wasmrun-v1.0.0-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.deb`;
const PULL_REQUEST = {
  number: 7,
  state: 'open' as const,
  head: { sha: 'a'.repeat(40), ref: 'feature', repo: { full_name: 'octo/app' } },
};

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'act-cache-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** The release's package, with the real program in it. */
function buildDeb(): Buffer {
  const folder = makeFolder();
  const tree = join(folder, 'tree');
  for (const name of ['DEBIAN', 'usr/bin']) mkdirSync(join(tree, name), { recursive: true });
  const control =
    'Package: wasmrun\nVersion: 1.0.0\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: test\n';
  writeFileSync(join(tree, 'DEBIAN/control'), control);
  cpSync(requirePart('wasmrun'), join(tree, 'usr/bin/wasmrun'), { dereference: true });
  execFileSync('dpkg-deb', ['-Zgzip', '-z1', '--build', '--root-owner-group', tree, `${tree}.deb`]);
  return readFileSync(`${tree}.deb`);
}

/** Runs jobs one after another that have nothing in common but the cache and the servers around them. */
async function startJobs(): Promise<
  (options: { cacheFolder?: string; environment?: Record<string, string> }) => ActRun
> {
  const secret = randomBytes(16).toString('hex');
  const github = await startGitHubServer({ repository: 'octo/app', pulls: [PULL_REQUEST] });
  const wasmhub = await startWasmhub({ runtime: requirePart('runtime') });
  const releases = await startReleasesServer([{ name: DEB, content: buildDeb() }]);
  onTestFinished(async () => void (await Promise.all([github.stop(), wasmhub.stop(), releases.close()])));
  await startRealServer(HOST, { secret });
  const workflow = readFileSync(join(import.meta.dirname, 'act/cache.yml'), 'utf8');
  return ({ cacheFolder, environment = {} }) =>
    startAct({
      workflow,
      event: { pull_request: PULL_REQUEST, repository: { private: false, full_name: 'octo/app' } },
      secrets: { BORE_SECRET: secret, GITHUB_TOKEN: github.state.token },
      variables: { BORE_SERVER: HOST },
      programs: ['dpkg-deb', 'gzip', 'tar'].map(findOnPath),
      hasWasmrun: false,
      ...(cacheFolder !== undefined && { cacheFolder }),
      environment: {
        GITHUB_API_URL: github.url,
        WASMRUN_WASMHUB_BASE_URL: wasmhub.url,
        EXPOSE_WASMRUN_RELEASES_URL: releases.url,
        ...environment,
      },
    });
}

async function expectGreen(run: ActRun): Promise<void> {
  const code = await run.finished;
  if (code !== 0) throw new Error(`act ended with ${code}:\n${run.log}`);
}

describeWithReal(['act', 'bore', 'wasmrun', 'runtime'], 'wasmrun under act', () => {
  it('is installed by the first job, and is there from the cache in the second', async ({ annotate }) => {
    const startJob = await startJobs();
    const cacheFolder = makeFolder();
    const first = startJob({ cacheFolder });
    await expectGreen(first);
    expect(first.log).toContain('wasmrun 1.0.0: not in the cache yet');
    expect(first.log).toContain('wasmrun 1.0.0: installed');
    expect(first.log).toMatch(
      /wasmrun 1\.0\.0: kept in the cache for later jobs as expose-wasmrun-1\.0\.0-\S+-runtimes/,
    );

    const second = startJob({ cacheFolder });
    await expectGreen(second);
    expect(second.log).toMatch(
      /wasmrun 1\.0\.0: from the cache, in \d+\.\d s \(installing it took \d+\.\d s\)/,
    );
    expect(second.log).not.toContain('downloading');
    expect(second.log).not.toContain('kept in the cache');
    await annotate(/from the cache.*/.exec(second.log)?.[0] ?? '');
  });

  it.runIf(isFull)('is installed where there is no cache service, without a word about it', async () => {
    const startJob = await startJobs();
    const run = startJob({});
    await expectGreen(run);
    expect(run.log).toContain('wasmrun 1.0.0: installed');
    expect(run.log).not.toMatch(/in the cache|the cache cannot/);
  });

  it.runIf(isFull)('is installed if the cache service never answers, and the job goes on', async () => {
    const startJob = await startJobs();
    const service = await startCacheServer();
    onTestFinished(() => service.close());
    service.fault = { at: 'look-up', hang: true };
    const run = startJob({ environment: service.environment(1) });
    await run.printed(
      /wasmrun 1\.0\.0: the cache cannot be used \(no answer within 15 s\), so it is installed/,
    );
    service.fault = { at: 'reserve', status: 500 };
    await expectGreen(run);
    expect(run.log).toContain('wasmrun 1.0.0: installed');
    expect(run.log).toMatch(/wasmrun 1\.0\.0: not kept in the cache \(.*Cache service responded with 500\)/);
  });
});
