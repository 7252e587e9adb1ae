// Workflows as users write them, run by act: real bore server with a secret, real wasmrun, no browser, and a server
// that plays GitHub's API. The steps in test/e2e/act/*.yml look from within the job, the tests from outside.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { type ActRun, findProcesses, type Meeting, startAct, startMeeting } from '../support/act.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { isRunning } from '../support/running.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { startWasmhub } from '../support/wasmhub-server.ts';
import { readDocumented } from '../support/workflows.ts';

const PULL_REQUEST = {
  number: 7,
  state: 'open' as const,
  head: { sha: 'a'.repeat(40), ref: 'feature', repo: { full_name: 'octo/app' } },
};

interface Scene {
  run: ActRun;
  github: GitHubServer;
  meeting: Meeting;
  /** Nobody else on this machine knows it: wherever it is found, it came from this run. */
  secret: string;
}

async function play(workflow: string, host: string, head: object = PULL_REQUEST.head): Promise<Scene> {
  const secret = randomBytes(16).toString('hex');
  const github = await startGitHubServer({ repository: 'octo/app', pulls: [PULL_REQUEST] });
  onTestFinished(() => github.stop());
  const wasmhub = await startWasmhub({ runtime: requirePart('runtime') });
  onTestFinished(() => wasmhub.stop());
  await startRealServer(host, { secret });
  const meeting = await startMeeting();
  const run = startAct({
    workflow,
    event: {
      pull_request: { ...PULL_REQUEST, head },
      repository: { private: false, full_name: 'octo/app' },
    },
    secrets: { BORE_SECRET: secret, GITHUB_TOKEN: github.state.token },
    variables: { BORE_SERVER: host },
    environment: {
      GITHUB_API_URL: github.url,
      WASMRUN_WASMHUB_BASE_URL: wasmhub.url,
      MEETING: meeting.url,
    },
  });
  return { run, github, meeting, secret };
}

function readWorkflow(name: string): string {
  return readFileSync(join(import.meta.dirname, 'act', `${name}.yml`), 'utf8');
}

/** act's own exit is the job's result; what it printed says why. */
async function expectGreen(run: ActRun): Promise<void> {
  const code = await run.finished;
  if (code !== 0) throw new Error(`act ended with ${code}:\n${run.log}`);
  await waitUntil(() => findProcesses(run.home).length === 0, 'no process of the run is left');
  expect(readdirSync(join(run.home, '..', 'temp'))).toEqual([]);
}

/** The link a reader of the comment would click. */
function readLink(body: string | undefined): string {
  const [, link] = /\]\(<?(http[^>)]+)>?\)/.exec(body ?? '') ?? [];
  if (link === undefined) throw new Error(`no link in the comment: ${body}`);
  return link;
}

async function awaitLive(github: GitHubServer, count: number): Promise<string[]> {
  const bodies = () => github.state.comments.map(({ body }) => body).filter(body => /is live/.test(body));
  await waitUntil(() => bodies().length === count, `${count} comments say live`);
  return bodies();
}

function expectEnded({ state }: GitHubServer, count: number): void {
  const bodies = state.comments.map(({ body }) => body);
  expect(bodies).toEqual(Array(count).fill(expect.stringContaining('has ended')));
  expect(new Set(bodies.map(body => body.split('\n')[0])).size).toBe(count);
}

/** Whether anybody could have the port now. */
async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, host), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

function findJournals({ home }: ActRun): string[] {
  return readdirSync(home, { recursive: true, encoding: 'utf8' })
    .filter(file => /expose-[^/]+\/journal$/.test(file))
    .map(file => join(home, file));
}

/** Every process the exposures of the run wrote down. */
function readJournals(run: ActRun): { pid: number; role: string }[] {
  return findJournals(run)
    .flatMap(file => readFileSync(file, 'utf8').trim().split('\n'))
    .map(line => JSON.parse(line) as { pid: number; role: string });
}

describeWithReal(['act', 'bore', 'wasmrun', 'runtime'], 'a workflow under act', () => {
  it('shows an OS-mode app without a browser to the world, and leaves nothing behind', async ({
    annotate,
  }) => {
    const host = '127.0.0.40';
    const { run, github, meeting, secret } = await play(readWorkflow('preview'), host);

    const { preview } = await meeting.gather(run, 1);
    expect(preview).toMatchObject({ host, status: 'Connected', mode: 'os', 'expires-at': '' });
    const [live] = await awaitLive(github, 1);
    const link = readLink(live);
    expect(await (await fetch(link)).text()).toContain('Hello from WebAssembly');
    const echo = await fetch(new URL('echo', link), { method: 'POST', body: 'from the world outside' });
    expect(await echo.text()).toBe('from the world outside');
    const processes = readJournals(run);
    expect(processes.map(({ role }) => role)).toEqual(expect.arrayContaining(['supervisor']));
    expect(processes.length).toBeGreaterThanOrEqual(3);
    expect(findProcesses(run.home)).toEqual(expect.arrayContaining(processes.map(({ pid }) => pid)));
    for (const { pid } of processes)
      expect(readFileSync(`/proc/${pid}/environ`, 'latin1')).not.toContain(secret);
    const port = Number(new URL(link).port);
    expect(await isFree(host, port)).toBe(false);

    meeting.release();
    await run.printed(/Success - Post wasmrun\/expose-action/);
    const posted = performance.now();
    await waitUntil(() => isFree(host, port), 'the public port is free');
    await annotate(`the public port was free ${Math.round(performance.now() - posted)} ms after post`);

    await expectGreen(run);
    expect(processes.filter(({ pid }) => isRunning(pid))).toEqual([]);
    expectEnded(github, 1);
    expect(github.state.comments[0]?.body).not.toContain(`(<${link}`);
    // The program inside the VM said so itself.
    expect(run.log).toContain('echo: 22 characters');
    expect(run.log).not.toContain(secret);
    expect(JSON.stringify(github.requests)).not.toContain(secret);
  });

  it('gives each job of a matrix a preview, a comment and a deployment of its own', async () => {
    const { run, github, meeting } = await play(readWorkflow('matrix'), '127.0.0.41');
    const sent = await meeting.gather(run, 2);
    expect(sent).toMatchObject({ 'web-hello': { mode: 'web' }, 'os-hello': { mode: 'os' } });
    const bodies = await awaitLive(github, 2);
    for (const [app, words] of [
      ['web-hello', 'app.js'],
      ['os-hello', 'Hello from WebAssembly'],
    ] as const) {
      const body = bodies.find(text => text.includes(`preview (${app})`));
      expect(await (await fetch(readLink(body))).text()).toContain(words);
      const deployment = github.state.deploymentList.find(({ environment }) => environment.endsWith(app));
      expect(deployment).toMatchObject({
        environment: `preview/pr-7/preview-${app}`,
        sha: PULL_REQUEST.head.sha,
        transient: true,
        production: false,
      });
      const link = () => deployment?.statuses.at(-1)?.environmentUrl ?? '';
      const isDeployed = () => URL.parse(link())?.href === readLink(body);
      await waitUntil(isDeployed, `${app} is deployed with the link of its comment`);
    }
    meeting.release();
    await expectGreen(run);
    expectEnded(github, 2);
    const states = github.state.deploymentList.map(({ statuses }) => statuses.map(({ state }) => state));
    expect(states).toEqual(Array(2).fill(['in_progress', 'success', 'inactive']));
  });

  it('keeps two previews of one job apart, and ends each on its own', async () => {
    const { run, github, meeting } = await play(readWorkflow('two-previews'), '127.0.0.42');
    await meeting.gather(run, 1);
    await awaitLive(github, 2);
    meeting.release();
    await meeting.gather(run, 1);
    const [body] = await awaitLive(github, 1);
    expect(body).toContain('service');
    meeting.release();
    await expectGreen(run);
    expectEnded(github, 2);
  });

  it('holds the step for the given time, and then succeeds', async () => {
    const { run, github } = await play(readWorkflow('hold'), '127.0.0.43');
    const [body] = await awaitLive(github, 1);
    expect((await fetch(readLink(body))).status).toBe(200);
    await expectGreen(run);
    expect(run.log).toMatch(/the preview has ended: /);
    expect(run.log).toMatch(/\| Live \| ([5-9]|\d\d)s,/);
    expectEnded(github, 1);
  });

  it('does what the README promises of the workflow it shows first, and ends the hold when asked to', async () => {
    const { run, github } = await play(readDocumented('README.md'), '127.0.0.45');
    const [body] = await awaitLive(github, 1);
    expect(await (await fetch(readLink(body))).text()).toContain('Hello from WebAssembly');
    const [journal = ''] = findJournals(run);
    writeFileSync(join(journal, '../../../hostexecutor/continue'), '');
    await expectGreen(run);
    expectEnded(github, 1);
    expect(run.log).toContain('mode os: index.js is `main` of package.json');
  });

  it('skips the pull request of a fork with a notice, and the job succeeds', async () => {
    const head = { ...PULL_REQUEST.head, repo: { full_name: 'stranger/app' } };
    const { run, github } = await play(readWorkflow('fork'), '127.0.0.44', head);
    await expectGreen(run);
    expect(run.log).toMatch(/::notice::no preview: this pull request comes from the fork stranger\/app/);
    expect(github.state.comments).toEqual([]);
  });
});
