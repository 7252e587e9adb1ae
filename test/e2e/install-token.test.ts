// The job's token while wasmrun is looked up: who gets it, and who does not. The servers play GitHub's API; cargo is a
// stand-in that writes down its environment.

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Refusal, startReleasesServer } from '../support/releases-server.ts';
import { RunnerJob } from '../support/runner.ts';

const TOKEN = 'ghs_0123456789abcdef0123456789abcdef0123';
const LIMIT = {
  status: 403,
  headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Date.UTC(2030, 0, 2, 14, 5) / 1_000) },
};

async function startApi(refuse: (authorization: string | undefined) => Refusal | undefined) {
  const server = await startReleasesServer([], { refuse });
  onTestFinished(() => server.close());
  return { ...server, origin: new URL(server.url).origin };
}

/** Runs a job that needs wasmrun, which can only be looked up at `releases`: it is published nowhere. */
async function runJob(apiUrl: string, releases: string) {
  const programs = mkdtempSync(join(tmpdir(), 'programs-'));
  const job = new RunnerJob({
    inputs: { path: 'app', mode: 'os', access: 'open', comment: 'false', 'github-token': TOKEN },
    apiUrl,
    event: { repository: { private: false } },
    environment: { PATH: programs, GITHUB_TOKEN: TOKEN, EXPOSE_WASMRUN_RELEASES_URL: releases },
  });
  onTestFinished(() => {
    job.remove();
    rmSync(programs, { recursive: true });
  });
  mkdirSync(join(job.workspace, 'app'));
  writeFileSync(join(job.workspace, 'app', 'index.js'), '');
  writeFileSync(join(programs, 'cargo'), `#!/bin/sh\n/usr/bin/env > '${programs}/environment'; exit 1\n`);
  chmodSync(join(programs, 'cargo'), 0o755);
  const { code, log } = await job.main();
  expect(code).toBe(1);
  const environment = readFileSync(join(programs, 'environment'), 'utf8');
  expect(environment).toContain('PATH=');
  expect(environment).not.toContain(TOKEN);
  expect(log.replaceAll(/^::add-mask::.*$/gm, '')).not.toContain(TOKEN);
  return log;
}

describe.skipIf(process.platform === 'win32')('the token of the job', () => {
  it('is sent to the API it is for, and a rate limit that is used up is a warning before cargo runs', async () => {
    const api = await startApi(() => LIMIT);
    const log = await runJob(api.origin, api.url);
    expect([...api.tokens.api]).toEqual([`Bearer ${TOKEN}`]);
    expect(log).toMatch(
      /GitHub's rate limit for `github-token` is used up until 14:05 UTC; trying again without/,
    );
    expect(log).toMatch(
      /^::warning::wasmrun 1\.0\.0 is built with cargo, which takes 5 to 10 minutes \(GitHub's rate limit for requests without a token is used up until 14:05 UTC/m,
    );
  });

  it('is not sent where the releases are looked up elsewhere', async () => {
    const [api, other] = await Promise.all([startApi(() => LIMIT), startApi(() => LIMIT)]);
    await runJob(api.origin, other.url);
    expect(other.requests).toEqual(['/releases/tags/v1.0.0']);
    expect([...other.tokens.api]).toEqual([]);
  });
});
