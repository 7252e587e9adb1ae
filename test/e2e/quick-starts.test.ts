// The step each quick start tells users to paste, run with its very inputs on its example, until the hold ends.

import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { JCO } from '../../src/app/project/exec-file.ts';
import { listen } from '../support/listen.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { click, type Reviewer } from '../support/reviewer.ts';
import { RunnerJob } from '../support/runner.ts';
import { isFull } from '../support/scale.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { startWasmhub } from '../support/wasmhub-server.ts';

const SECRET = 'a-secret-of-the-bore-server';

interface Step {
  uses?: string;
  with?: Record<string, string | number | boolean>;
}

/**
 * The inputs of the action's step in the page's workflow, `index` counted from 0, as the runner would hand them over.
 */
function readInputs(page: string, index: number, host: string): Record<string, string> {
  const workflows = [...readFileSync(resolve(page), 'utf8').matchAll(/^```yaml\n(name: [\s\S]*?)^```/gm)];
  const workflow = parse(workflows[index]?.[1] ?? '') as { jobs: Record<string, { steps: Step[] }> };
  const steps = Object.values(workflow.jobs).flatMap(job => job.steps);
  const step = steps.find(({ uses }) => uses === 'wasmrun/expose-action@v1');
  const values = { '${{ vars.BORE_SERVER }}': host, '${{ secrets.BORE_SECRET }}': SECRET };
  return Object.fromEntries(
    Object.entries(step?.with ?? {}).map(([name, value]) => {
      const text = String(value);
      return [name, Object.entries(values).reduce((done, [from, to]) => done.replaceAll(from, to), text)];
    }),
  );
}

/** A job with the step of a page's first workflow; `prepare` does what the steps before it do. */
async function createJob(
  page: string,
  host: string,
  prepare: (workspace: string) => void,
  inputs = readInputs(page, 0, host),
): Promise<RunnerJob> {
  await startRealServer(host, { secret: SECRET });
  const wasmhub = await startWasmhub({ runtime: requirePart('runtime') });
  onTestFinished(() => wasmhub.stop());
  const PATH = `${join(requirePart('wasmrun'), '..')}:${process.env.PATH}`;
  const job = new RunnerJob({
    inputs,
    environment: { PATH, WASMRUN_WASMHUB_BASE_URL: wasmhub.url },
  });
  prepare(job.workspace);
  onTestFinished(async () => {
    job.signal('SIGKILL');
    await job.post();
    job.remove();
  });
  return job;
}

/** Starts the hold, and clicks the link it prints: nobody said that the repository is public. */
async function startHold(job: RunnerJob): Promise<Reviewer> {
  job.start();
  const [, link = ''] = await job.printed(/Preview: (http:\S+)/);
  expect(link).toContain('/?expose-key=');
  return click(link);
}

/** Ends the hold as a workflow can, and expects a green step and a post that leaves nothing. */
async function endHold(job: RunnerJob): Promise<void> {
  writeFileSync(join(job.workspace, 'continue'), '');
  const { code, log } = await job.finished();
  expect(log).toContain('the preview has ended: continue file');
  expect(code).toBe(0);
  expect((await job.post()).code).toBe(0);
  expect((await job.shell('ls -A "$RUNNER_TEMP"')).log).toBe('');
}

const copyExample =
  (name: string, ...to: string[]) =>
  (workspace: string) =>
    cpSync(resolve('examples', name), join(workspace, ...to), { recursive: true });

describeWithReal(['bore', 'wasmrun', 'runtime'], 'the quick start', () => {
  it('for OS mode shows the page of examples/os-hello', async () => {
    const job = await createJob('docs/os.md', '127.0.0.180', copyExample('os-hello'));
    const { visit } = await startHold(job);
    expect(await (await visit()).text()).toContain('Hello from WebAssembly');
    await endHold(job);
    expect(job.outputs.mode).toBe('os');
  });

  it('for exec mode runs examples/exec-hello with its folder and its environment', async () => {
    const job = await createJob('docs/exec.md', '127.0.0.181', workspace => {
      mkdirSync(join(workspace, 'app'));
      for (const file of ['exec-hello.wasm', 'greeting.txt'])
        cpSync(resolve('examples/exec-hello', file), join(workspace, 'app', file));
    });
    const { url, visit } = await startHold(job);
    const variables = await (await visit('/environment')).text();
    expect(variables).toContain('GREETING_FROM=the preview');
    expect(variables).toContain(`PUBLIC_URL=${url}`);
    expect(await (await visit('/files')).text()).toContain('greeting.txt');
    await endHold(job);
    expect(job.outputs.mode).toBe('exec');
  });

  it('for a web app serves examples/web-hello, its WASM included', async () => {
    const job = await createJob('docs/web.md', '127.0.0.182', copyExample('web-hello', 'dist'));
    const { visit } = await startHold(job);
    expect(await (await visit()).text()).toContain('<title>web-hello</title>');
    expect((await visit('/app.wasm')).headers.get('content-type')).toBe('application/wasm');
    await endHold(job);
    expect(job.outputs.mode).toBe('web');
  });

  it('for a command starts it with a port and the public URL', async () => {
    const job = await createJob('docs/port.md', '127.0.0.183', copyExample('os-hello'));
    const { visit } = await startHold(job);
    expect(await (await visit('/api/hello')).json()).toMatchObject({ hello: 'world' });
    await endHold(job);
    expect(job.outputs.mode).toBe('port');
  });

  it('for a service that runs already leaves it running, and later steps use the outputs', async () => {
    const host = '127.0.0.185';
    const service = createServer((_request, response) => response.end('a service of the job'));
    const port = await listen(service);
    onTestFinished(() => void service.close());
    const inputs = readInputs('docs/port.md', 1, host);
    expect(inputs.port).toBe('8080');
    inputs.port = String(port);
    const job = await createJob('docs/port.md', host, () => {}, inputs);
    expect((await job.main()).code).toBe(0);
    const { url = '', key = '' } = job.outputs;
    const header = `Authorization: Bearer ${key}`;
    expect((await job.shell(`curl -fsS -H '${header}' ${url}`)).log).toBe('a service of the job');
    expect((await job.shell(`curl -fsS ${url}`)).code).toBe(22);
    expect((await job.shell('expose url')).log.trim()).toBe(url);
    expect((await job.post()).code).toBe(0);
    expect(service.listening).toBe(true);
    expect(await (await fetch(`http://127.0.0.1:${inputs.port}`)).text()).toBe('a service of the job');
  });

  it('for the first page of all, README, picks OS mode by itself', async () => {
    const job = await createJob('README.md', '127.0.0.184', copyExample('os-hello'));
    const { visit } = await startHold(job);
    expect(await (await visit()).text()).toContain('Hello from WebAssembly');
    expect(job.log).toContain('mode os: index.js is `main` of package.json');
    await endHold(job);
  });
});

describe.runIf(isFull)('in the nightly run', () => {
  describeWithReal(['bore', 'wasmrun', 'runtime', 'jco'], 'the quick start', () => {
    it('for a component serves examples/http-component with jco', async () => {
      const host = '127.0.2.14';
      const inputs = readInputs('docs/exec.md', 1, host);
      const installed = inputs.command?.replace(`npx --yes ${JCO}`, requirePart('jco')) ?? '';
      expect(installed).toContain(requirePart('jco'));
      const job = await createJob('docs/exec.md', host, copyExample('http-component', 'app'), {
        ...inputs,
        command: installed,
      });
      const { url, visit } = await startHold(job);
      expect(await (await visit()).text()).toContain(`Hello from a component</h1><p>${url}</p>`);
      const body = randomBytes(300_000);
      const echoed = await visit('/echo', { method: 'POST', body });
      expect(Buffer.from(await echoed.arrayBuffer()).equals(body)).toBe(true);
      await endHold(job);
    });
  });
});
