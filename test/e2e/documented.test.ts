// The workflows of the documentation that no other test runs under act, as users paste them: each with a checkout of
// its example, visited, and ended. What act has not, or does in its own way, and stands for it here:
// - cargo, rustup, psql: the runner's image has them; scripts that do as much as the example needs.
// - `services:` needs Docker: a server of the test listens on the service's port. docs/port.md shows a part of a job with
//   `container:`, which needs it, too, and is not run.
// - a process that a step leaves behind: act hangs up on it; it is started deaf to that.
// - `concurrency`, and the approval of an `environment`: act passes over both.

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findFreePort } from '../../src/app/process/free-port.ts';
import { JCO } from '../../src/app/project/exec-file.ts';
import { type GitHubServer, startGitHubServer } from '../../src/demo/github/server.ts';
import { type ActRun, findProcesses, startAct } from '../support/act.ts';
import { listen } from '../support/listen.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { click, type Reviewer } from '../support/reviewer.ts';
import { isFull } from '../support/scale.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { startWasmhub } from '../support/wasmhub-server.ts';
import { readDocumented } from '../support/workflows.ts';

interface Play {
  workflow: string;
  host: string;
  /** Shell script: what the checkout leaves in the workspace. */
  checkout: string;
  /** `pull_request` by default. */
  eventName?: 'pull_request' | 'pull_request_target' | 'push' | 'workflow_dispatch';
  /** Repository of the pull request's head. */
  headRepository?: string;
  /** Programs of the runner's image: name → bash script. */
  scripts?: Record<string, string>;
  programs?: string[];
  secrets?: Record<string, string>;
}

const copyExample = (name: string, to = '.') =>
  `mkdir -p ${to} && cp -r '${resolve('examples', name)}'/. ${to}`;

async function play(options: Play): Promise<ActRun> {
  return (await playWithGitHub(options)).run;
}

async function playWithGitHub(options: Play): Promise<{ run: ActRun; github: GitHubServer }> {
  const { workflow, host, checkout, eventName = 'pull_request', headRepository = 'octo/app' } = options;
  const secret = randomBytes(16).toString('hex');
  const head = { sha: 'a'.repeat(40), ref: 'feature', repo: { full_name: headRepository } };
  const pull = { number: 7, state: 'open' as const, head };
  const github = await startGitHubServer({ repository: 'octo/app', pulls: [pull] });
  onTestFinished(() => github.stop());
  const wasmhub = await startWasmhub({ runtime: requirePart('runtime') });
  onTestFinished(() => wasmhub.stop());
  await startRealServer(host, { secret });
  const run = startAct({
    workflow,
    eventName,
    event: {
      ...(eventName.startsWith('pull_request') && { pull_request: pull }),
      repository: { private: true, full_name: 'octo/app' },
    },
    actions: { 'actions/checkout': checkout },
    programs: [
      ...['mkdir', 'install'].map(findProgram),
      ...(options.programs ?? []),
      ...writeScripts(options.scripts),
    ],
    secrets: { BORE_SECRET: secret, GITHUB_TOKEN: github.state.token, ...options.secrets },
    variables: { BORE_SERVER: host },
    environment: { GITHUB_API_URL: github.url, WASMRUN_WASMHUB_BASE_URL: wasmhub.url },
  });
  return { run, github };
}

const findProgram = (name: string) => `/usr/bin/${name}`;

/** Paths of the programs. */
function writeScripts(scripts: Record<string, string> = {}): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'scripts-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return Object.entries(scripts).map(([name, text]) => {
    const file = join(folder, name);
    writeFileSync(file, `#!/usr/bin/env bash\n${text}\n`);
    chmodSync(file, 0o755);
    return file;
  });
}

/** Clicks the link that the held step prints: nobody said that the repository is public, so it has a key. */
async function clickPrinted(run: ActRun): Promise<Reviewer> {
  await run.printed(/Preview: http:\S+/);
  const [, link = ''] = /Preview: (http:\S+)/.exec(run.log) ?? [];
  expect(link).toContain('/?expose-key=');
  return click(link);
}

async function expectGreen(run: ActRun): Promise<void> {
  const code = await run.finished;
  if (code !== 0) throw new Error(`act ended with ${code}:\n${run.log}`);
  await waitUntil(() => findProcesses(run.home).length === 0, 'no process of the run is left');
  expect(readdirSync(resolve(run.home, '../temp'))).toEqual([]);
}

/** Ends the hold as a user can: by a file in the workspace. */
async function endHold(run: ActRun): Promise<void> {
  const [workspace = ''] = readdirSync(run.home, { recursive: true, encoding: 'utf8' }).filter(file =>
    file.endsWith('/hostexecutor'),
  );
  writeFileSync(join(run.home, workspace, 'continue'), '');
  await expectGreen(run);
  expect(run.log).toContain('the preview has ended: continue file');
}

describeWithReal(['act', 'bore', 'wasmrun', 'runtime'], 'act runs the workflow of', () => {
  it('docs/os.md', async () => {
    const workflow = readDocumented('docs/os.md');
    const run = await play({ workflow, host: '127.0.3.40', checkout: copyExample('os-hello') });
    const { visit } = await clickPrinted(run);
    expect(await (await visit()).text()).toContain('Hello from WebAssembly');
    await endHold(run);
  });

  it('docs/web.md', async () => {
    const workflow = readDocumented('docs/web.md');
    const run = await play({ workflow, host: '127.0.3.41', checkout: copyExample('web-hello', 'dist') });
    const { visit } = await clickPrinted(run);
    expect(await (await visit()).text()).toContain('<title>web-hello</title>');
    expect((await visit('/app.wasm')).headers.get('content-type')).toBe('application/wasm');
    await endHold(run);
  });

  it('docs/exec.md, whose program reads its folder and its environment', async () => {
    const built = 'target/wasm32-wasip1/release';
    const run = await play({
      workflow: readDocumented('docs/exec.md'),
      host: '127.0.3.42',
      checkout: `${copyExample('exec-hello')} && mkdir -p ${built} && cp exec-hello.wasm ${built}`,
      scripts: { rustup: '', cargo: '' },
    });
    const { url, visit } = await clickPrinted(run);
    const variables = await (await visit('/environment')).text();
    expect(variables).toContain('GREETING_FROM=the preview');
    expect(variables).toContain(`PUBLIC_URL=${url}`);
    expect(await (await visit('/files')).text()).toContain('greeting.txt');
    await endHold(run);
  });

  it('docs/port.md, with a command', async () => {
    const workflow = readDocumented('docs/port.md');
    const run = await play({ workflow, host: '127.0.3.43', checkout: copyExample('os-hello') });
    const { visit } = await clickPrinted(run);
    expect(await (await visit('/api/hello')).json()).toMatchObject({ hello: 'world' });
    await endHold(run);
  });

  it('docs/port.md, with an app that an earlier step has started, and that goes on', async () => {
    const port = String(await findFreePort());
    const workflow = readDocumented('docs/port.md', 1)
      .replaceAll('8080', port)
      .replace('run: PORT=', "run: trap '' HUP; PORT=");
    expect(workflow).toContain("trap '' HUP");
    const run = await play({ workflow, host: '127.0.3.44', checkout: copyExample('os-hello') });
    const code = await run.finished;
    expect((await fetch(`http://127.0.0.1:${port}/api/hello`)).status).toBe(200);
    for (const pid of findProcesses(run.home)) process.kill(pid);
    expect({ code, log: run.log }).toMatchObject({ code: 0, log: expect.stringMatching(/\| \{\s*"hello"/) });
  });

  it('docs/tcp.md, with another service behind the port', async () => {
    const service = createServer(socket => socket.on('error', () => {}).end('the database answers\n'));
    const port = String(await listen(service));
    onTestFinished(() => void service.close());
    const text = readDocumented('docs/tcp.md');
    const workflow = text
      .replace(/^ {4}services:\n(?: {6}.*\n)+/m, '')
      .replace('port: 5432', `port: ${port}`);
    expect(workflow).not.toContain('postgres:17');
    expect(workflow).toContain(port);
    const run = await play({
      workflow,
      host: '127.0.3.45',
      checkout: ':',
      scripts: { psql: 'cat <"/dev/tcp/$PGHOST/$PGPORT"', sleep: '' },
      secrets: { PREVIEW_DB_PASSWORD: 'of-the-test' },
    });
    await expectGreen(run);
    expect(run.log).toContain('the database answers');
  });

  it('docs/deployments.md', async () => {
    const { run, github } = await playWithGitHub({
      workflow: readDocumented('docs/deployments.md'),
      host: '127.0.3.50',
      checkout: copyExample('web-hello'),
    });
    const { url } = await clickPrinted(run);
    const list = () => github.state.deploymentList.map(({ statuses }) => statuses.map(({ state }) => state));
    await waitUntil(() => list().flat().includes('success'), 'the deployment is a success');
    expect(JSON.stringify(github.state.deploymentList)).toContain(url);
    await endHold(run);
    expect(list()).toEqual([expect.arrayContaining(['in_progress', 'success', 'inactive'])]);
  });

  it('docs/forks.md, for an approved commit of a fork', async () => {
    const run = await play({
      workflow: readDocumented('docs/forks.md'),
      host: '127.0.3.46',
      checkout: copyExample('web-hello'),
      eventName: 'pull_request_target',
      headRepository: 'stranger/app',
    });
    const { visit } = await clickPrinted(run);
    expect(await (await visit()).text()).toContain('<title>web-hello</title>');
    await endHold(run);
  });

  it('docs/migration.md, to look at an app', async () => {
    const workflow = readDocumented('docs/migration.md');
    const checkout = `${copyExample('os-hello')} && cp index.js server.js`;
    const run = await play({ workflow, host: '127.0.3.47', checkout, eventName: 'workflow_dispatch' });
    const { visit } = await clickPrinted(run);
    expect(await (await visit('/api/hello')).json()).toMatchObject({ hello: 'world' });
    await endHold(run);
  });

  it('docs/migration.md, with a public address for a callback', async () => {
    const workflow = readDocumented('docs/migration.md', 1);
    const checkout = `${copyExample('os-hello')} && cp index.js server.js`;
    const run = await play({ workflow, host: '127.0.3.48', checkout, eventName: 'push' });
    await expectGreen(run);
    expect(run.log).toContain('Hello from WebAssembly');
  });
});

describe.runIf(isFull)('in the nightly run', () => {
  describeWithReal(['act', 'bore', 'wasmrun', 'runtime', 'jco'], 'act runs the workflow of', () => {
    it('docs/exec.md for a component', async () => {
      const workflow = readDocumented('docs/exec.md', 1);
      expect(workflow).toContain(`npx --yes ${JCO} serve`);
      const built = 'target/wasm32-wasip2/release';
      const run = await play({
        workflow,
        host: '127.0.3.49',
        checkout: `${copyExample('http-component')} && mkdir -p ${built} && cp app.wasm ${built}/http_component.wasm`,
        // jco leaves a temp folder where it is killed.
        scripts: { rustup: '', cargo: '', npx: `TMPDIR=$PWD exec '${requirePart('jco')}' "\${@:3}"` },
        programs: [findProgram('env')],
      });
      const { url, visit } = await clickPrinted(run);
      expect(await (await visit()).text()).toContain(`Hello from a component</h1><p>${url}</p>`);
      const body = randomBytes(300_000);
      const echoed = await visit('/echo', { method: 'POST', body });
      expect(Buffer.from(await echoed.arrayBuffer()).equals(body)).toBe(true);
      await endHold(run);
    });
  });
});
