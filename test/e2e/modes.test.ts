// The other three modes, driven as the runner does: the page and a POST through a real bore server with a secret.

import { cpSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { describeWithReal, requirePart } from '../support/real-parts.ts';
import { RunnerJob } from '../support/runner.ts';
import { accepts, startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';

const SECRET = 'a-secret-of-the-bore-server';

interface Exposed {
  job: RunnerJob;
  url: string;
  log: string;
  /** Runs post; checks that the port is free and the session folder gone. */
  end(): Promise<void>;
}

/** Runs main in a job of its own; `prepare` fills the workspace. */
async function expose(
  host: string,
  inputs: Record<string, string>,
  prepare: (workspace: string) => void = () => {},
): Promise<Exposed> {
  await startRealServer(host, { secret: SECRET });
  const PATH = `${join(requirePart('wasmrun'), '..')}:${process.env.PATH}`;
  const job = new RunnerJob({
    inputs: { server: host, secret: SECRET, access: 'open', ...inputs },
    environment: { PATH },
  });
  onTestFinished(() => job.remove());
  prepare(job.workspace);
  const { code, log } = await job.main();
  expect(log).toContain('Preview: http://');
  expect(code).toBe(0);
  const { url = '', port } = job.outputs;
  const end = async () => {
    expect((await job.post()).code).toBe(0);
    // The server looks after its ports every half second.
    await waitUntil(async () => !(await accepts(host, Number(port))), 'the public port is free');
    expect((await job.shell('ls -A "$RUNNER_TEMP"')).log).toBe('');
  };
  return { job, url, log, end };
}

describeWithReal(['bore', 'wasmrun'], 'a job', () => {
  it('exposes one .wasm file in exec mode', async () => {
    const { job, url, log, end } = await expose('127.0.0.33', { path: 'exec-hello.wasm' }, workspace =>
      cpSync(resolve('examples/exec-hello/exec-hello.wasm'), join(workspace, 'exec-hello.wasm')),
    );
    expect(job.outputs.mode).toBe('exec');
    expect(log).toContain('mode exec: the path is a .wasm file');
    expect((await fetch(url)).status).toBe(200);
    await end();
  });

  it('exposes a folder with a built web app, with the right types', async () => {
    const { job, url, end } = await expose('127.0.0.34', { path: 'site' }, workspace => {
      cpSync(resolve('examples/web-hello'), join(workspace, 'site'), { recursive: true });
      writeFileSync(join(workspace, 'site', '.env'), 'TOKEN=1');
    });
    expect([job.outputs.mode, job.outputs['app-port']]).toEqual(['web', '']);
    expect(await (await fetch(url)).text()).toContain('<!doctype html>');
    expect((await fetch(`${url}/app.wasm`)).headers.get('content-type')).toBe('application/wasm');
    expect((await fetch(`${url}/.env`)).status).toBe(404);
    await end();
  });

  it('exposes a command, which knows its public URL and nothing of the secret', async () => {
    const program = `require('http').createServer((q, s) => {
      if (q.method === 'POST') return q.pipe(s);
      s.end(JSON.stringify({ url: process.env.EXPOSE_URL, extra: process.env.EXTRA, all: process.env }));
    }).listen(process.env.PORT, '127.0.0.1')`;
    const { url, end } = await expose(
      '127.0.0.35',
      { command: 'exec node app.cjs', env: 'EXTRA=at {url}' },
      workspace => writeFileSync(join(workspace, 'app.cjs'), program),
    );
    const answer = await (await fetch(url)).text();
    expect(JSON.parse(answer)).toMatchObject({ url, extra: `at ${url}` });
    expect(answer).not.toContain(SECRET);
    expect(answer).not.toMatch(/"(INPUT_|GITHUB_|ACTIONS_|RUNNER_TEMP)/);
    const echo = await fetch(url, { method: 'POST', body: 'a webhook' });
    expect(await echo.text()).toBe('a webhook');
    await end();
  });

  it('exposes a port that something else serves', async () => {
    const service = createServer((_, response) => response.end('somebody else'));
    await new Promise<void>(done => service.listen(0, '127.0.0.1', done));
    onTestFinished(() => void service.close());
    const { port } = service.address() as { port: number };
    const { job, url, end } = await expose('127.0.0.36', { port: String(port) });
    expect(job.outputs['app-port']).toBe(String(port));
    expect(await (await fetch(url)).text()).toBe('somebody else');
    await end();
  });
});

describe('the stop action', () => {
  it('succeeds without a preview to stop after one that was skipped', async () => {
    const job = new RunnerJob({
      inputs: {},
      eventName: 'pull_request',
      event: { pull_request: { number: 7, head: { sha: 'a'.repeat(40), repo: { full_name: 'fork/app' } } } },
    });
    onTestFinished(() => job.remove());
    expect((await job.main()).code).toBe(0);
    expect(job.outputs.status).toBe('Skipped');
    const stop = await job.stopAction();
    expect(stop.log).toContain('nothing is exposed in this job');
    expect(stop.code).toBe(0);
  });
});
