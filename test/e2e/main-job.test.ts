// The main job as a runner does it: the built action, a real bore server with a secret, real wasmrun, and a server
// that plays GitHub's API.

import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { RunnerJob } from '../support/runner.ts';
import { isRunning } from '../support/running.ts';
import { accepts, startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { startWasmhub } from '../support/wasmhub-server.ts';

const SECRET = 'a-secret-of-the-bore-server';
const HEAD = 'a'.repeat(40);
const PULL_REQUEST = {
  number: 7,
  state: 'open' as const,
  head: { sha: HEAD, repo: { full_name: 'octo/app' } },
};

let github: GitHubServer;
beforeEach(async () => {
  github = await startGitHubServer({ repository: 'octo/app', pulls: [PULL_REQUEST] });
});
afterEach(() => github.stop());

function createJob(inputs: Record<string, string>, environment: Record<string, string> = {}): RunnerJob {
  const job = new RunnerJob({
    inputs: { secret: SECRET, 'github-token': github.state.token, ...inputs },
    eventName: 'pull_request',
    event: { pull_request: PULL_REQUEST, repository: { private: false } },
    apiUrl: github.url,
    environment,
  });
  onTestFinished(() => job.remove());
  return job;
}

/** Names and contents of all files below, as one hash. */
function fingerprint(folder: string): string {
  const hash = createHash('sha256');
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }).sort((a, b) =>
    join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1,
  )) {
    const file = join(entry.parentPath, entry.name);
    hash.update(file);
    if (entry.isFile()) hash.update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** Every file below that holds the text. */
function searchFiles(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .filter(file => readFileSync(file).includes(text));
}

/** Processes whose arguments or environment hold the text; `bore server` itself is not ours. */
function searchProcesses(pids: readonly number[], text: string): string[] {
  return pids.flatMap(pid =>
    ['cmdline', 'environ']
      .map(name => `/proc/${pid}/${name}`)
      .filter(file => readFileSync(file).includes(text)),
  );
}

function listJournal(job: RunnerJob): number[] {
  const [session = ''] = readdirSync(job.temp).filter(name => name.startsWith('expose-'));
  return readFileSync(join(job.temp, session, 'journal'), 'utf8')
    .trim()
    .split('\n')
    .map(line => (JSON.parse(line) as { pid: number }).pid);
}

describeWithReal(['bore', 'wasmrun', 'runtime', 'chromium'], 'the main job in OS mode', () => {
  it.each([
    ['node', '127.0.0.31'],
    ['browser', '127.0.0.32'],
  ])('shows the pull request to the world and leaves nothing behind (vm: %s)', async (vm, host) => {
    await startRealServer(host, { secret: SECRET });
    const wasmhub = await startWasmhub({ runtime: requirePart('runtime') });
    onTestFinished(() => wasmhub.stop());
    const PATH = `${join(requirePart('wasmrun'), '..')}:${process.env.PATH}`;
    const job = createJob({ server: host, vm, path: 'app' }, { WASMRUN_WASMHUB_BASE_URL: wasmhub.url, PATH });
    cpSync(resolve('examples/os-hello'), join(job.workspace, 'app'), { recursive: true });
    const before = fingerprint(job.workspace);

    const main = await job.main();
    expect(main.log).toContain('Preview: http://');
    expect(main.code).toBe(0);

    const { url = '', port } = job.outputs;
    expect(url).toBe(`http://${host}:${port}`);
    expect(job.outputs).toMatchObject({ 'preview-url': url, host, status: 'Connected', mode: 'os' });
    expect(await (await fetch(url)).text()).toContain('Hello from WebAssembly');
    const echo = await fetch(`${url}/echo`, { method: 'POST', body: 'a webhook' });
    expect(await echo.text()).toContain('a webhook');

    await waitUntil(() => github.state.comments[0]?.body.includes(url) ?? false, 'the comment has the link');
    expect((await job.shell('expose url')).log.trim()).toBe(url);
    expect((await job.shell('expose status --json')).log).toContain('"status":"Connected"');

    const pids = listJournal(job);
    expect(pids.length).toBeGreaterThanOrEqual(3);
    expect(searchProcesses(pids, SECRET)).toEqual([]);
    expect(searchFiles(job.temp, SECRET)).toEqual([]);

    const post = await job.post();
    expect(post.code).toBe(0);
    await waitUntil(async () => !(await accepts(host, Number(port))), 'the public port is free');
    await waitUntil(() => pids.every(pid => !isRunning(pid)), 'every process has ended');
    expect(github.state.comments.map(({ body }) => body)).toEqual([expect.stringContaining('has ended')]);
    expect(github.state.comments[0]?.body).not.toContain(`(${url}`);
    expect(readdirSync(job.temp)).toEqual([]);
    expect(fingerprint(job.workspace)).toBe(before);
    const said = [
      main.log,
      post.log,
      job.summary,
      ...github.requests.map(request => JSON.stringify(request)),
    ];
    // The runner is told once to mask the secret; nobody else hears of it.
    expect(said.join('\n').replace(`::add-mask::${SECRET}`, '')).not.toContain(SECRET);
  });
});
