// A process of a live preview is killed while a visitor is connected: what the step, comment, deployment and post report,
// what goes on, and that post leaves nothing behind.

import { cpSync, existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, dirname, join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithReal, realPart, requirePart } from '../support/real-parts.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { startWasmhub } from '../support/wasmhub-server.ts';
import {
  ask,
  awaitFree,
  awaitGone,
  createPreview,
  goLive,
  type Preview,
  SECRET,
  SERVER,
  STREAM,
  startHold,
  UPLOAD,
  visit,
} from './job-rig.ts';

const PATH = `${dirname(realPart('wasmrun') ?? '')}:${process.env.PATH}`;

/** Post reports no failure, and nothing is left of the preview. */
async function expectCleanEnd(preview: Preview, url: string, title: string): Promise<string> {
  const records = preview.processes();
  const post = await preview.job.post();
  expect(post.code).toBe(0);
  await awaitGone(records);
  await awaitFree(url);
  expect(readdirSync(preview.job.temp)).toEqual([]);
  expect(preview.titles().at(-1)).toBe(title);
  return post.log;
}

/** A second start of wasmrun, Chrome and the runtime, on a machine that runs other tests too, took 20 s. */
const RESTART_DEADLINE_MS = 45_000;

/** The preview answers at its old address, one restart later, and nobody was told of an outage that short. */
async function expectRestart(preview: Preview, url: string, answer: string, message: RegExp): Promise<void> {
  await preview.awaitStatus(({ restarts }) => restarts === 1, 'the loss is seen');
  await waitUntil(async () => (await ask(url)).includes(answer), `${url} answers again`, RESTART_DEADLINE_MS);
  expect(await preview.status()).toMatchObject({
    status: 'Connected',
    app: { status: 'running' },
    exposure: { phase: 'live' },
    restarts: 1,
    reconnects: 0,
  });
  const log = readFileSync(join(preview.folder(), 'expose.log'), 'utf8');
  expect(log).toMatch(message);
  expect(preview.titles()).toEqual(expect.not.arrayContaining(['is away for a moment', 'failed']));
}

describeWithReal(['bore'], 'a supervisor that is killed', () => {
  it('is reported in the step, its visitor is disconnected, and post ends its children', async () => {
    const host = '127.0.0.84';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview(
      { server: host, mode: 'port', command: 'node server.js', hold: 'true' },
      { 'server.js': SERVER },
    );
    const url = await startHold(preview);
    const visitor = await visit(url, STREAM);
    process.kill(preview.find('supervisor').pid, 'SIGKILL');
    const main = await preview.job.finished();
    expect(main.code).toBe(1);
    expect(main.log).toContain('the supervisor died');
    await waitUntil(() => visitor.gone, 'the visitor is hung up on');
    await awaitFree(url);
    const log = await expectCleanEnd(preview, url, 'failed');
    expect(log).toContain('ended processes that were left behind: the command');
    const [comment] = preview.github.state.comments;
    expect(comment?.body).toContain('the process that kept the preview alive was killed');
    expect(comment?.body).not.toContain(`(${url}`);
  });

  it('is reported by a later step and by post in background mode', async () => {
    const host = '127.0.0.85';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview(
      { server: host, deployment: 'true' },
      { 'index.html': 'the preview' },
    );
    const url = await goLive(preview);
    const { deploymentList } = preview.github.state;
    await waitUntil(() => deploymentList[0]?.statuses.at(-1)?.state === 'success', 'it is deployed');
    process.kill(preview.find('supervisor').pid, 'SIGKILL');
    await awaitFree(url);
    const status = await preview.job.shell('expose status');
    expect(status).toMatchObject({ code: 1, log: expect.stringContaining('its process died') });
    const log = await expectCleanEnd(preview, url, 'failed');
    expect(log).toContain(
      '::warning::the preview failed: the process that kept the preview alive was killed',
    );
    expect(deploymentList).toHaveLength(1);
    expect(deploymentList[0]?.statuses.at(-1)).toMatchObject({
      state: 'inactive',
      description: 'It failed: the process that kept the preview alive was killed',
    });
  });
});

describeWithReal(['bore'], 'a command that is killed', () => {
  it('is started again at the same address, and its visitor is disconnected', async () => {
    const host = '127.0.0.86';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview(
      { server: host, mode: 'port', command: 'exec node server.js' },
      { 'server.js': SERVER },
    );
    const url = await goLive(preview);
    const visitor = await visit(url, STREAM);
    const old = preview.find('the command');
    expect(await ask(url)).toBe(`pid ${old.pid}`);
    process.kill(old.pid, 'SIGKILL');
    await waitUntil(() => visitor.gone, 'the visitor is hung up on');
    await expectRestart(
      preview,
      url,
      'pid',
      /the command ended by signal SIGKILL; it is started again \(1 of 5\)/,
    );
    expect(await ask(url)).toBe(`pid ${preview.find('the command').pid}`);
    await expectCleanEnd(preview, url, 'has ended');
  });

  it('does not publish who takes its port (port taken over by another process), and is back when it is free', async () => {
    const host = '127.0.0.87';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview(
      { server: host, mode: 'port', port: '18087', command: 'exec node server.js' },
      { 'server.js': SERVER },
    );
    const url = await goLive(preview);
    const visitor = await visit(url, STREAM);
    const thief = createServer((_, response) => response.end('somebody else'));
    onTestFinished(() => void thief.close());
    thief.on('error', () => setImmediate(() => thief.listen(18087, '127.0.0.1')));
    thief.listen(18087, '127.0.0.1');
    process.kill(preview.find('the command').pid, 'SIGKILL');
    // The kernel gives the port to the next taker before anybody can hear of the death: from the word on it counts.
    await preview.awaitStatus(({ app }) => app.status !== 'running', 'the death is noticed');
    const answers: string[] = [];
    let isOver = false;
    const asking = waitUntil(async () => {
      answers.push(await ask(url));
      return isOver;
    }, 'the visits are over');
    await preview.awaitStatus(
      ({ restarts }) => visitor.gone && restarts === 3,
      'the port was found taken twice',
    );
    isOver = true;
    await asking;
    expect(thief.listening).toBe(true);
    expect(answers.at(-1)).toBe('status 503');
    expect(answers).not.toContain('somebody else');
    expect((await preview.status()).app.reason).toContain('port 18087 is taken by another process');
    thief.close();
    thief.closeAllConnections();
    await waitUntil(async () => (await ask(url)).startsWith('pid'), `${url} answers again`);
    await expectCleanEnd(preview, url, 'has ended');
  });
});

describeWithReal(['bore', 'wasmrun'], 'wasmrun exec that is killed', () => {
  it('is started again at the same address, and its visitor gets no wrong answer', async () => {
    const host = '127.0.0.88';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ server: host, path: 'app/exec-hello.wasm' }, {}, { PATH });
    cpSync(
      resolve('examples/exec-hello/exec-hello.wasm'),
      join(preview.job.workspace, 'app/exec-hello.wasm'),
    );
    const url = await goLive(preview);
    const before = (await preview.status()).visits;
    const visitor = await visit(url, UPLOAD, { awaitAnswer: false });
    await preview.awaitStatus(({ visits }) => visits > before, 'the visitor is in');
    process.kill(preview.find('wasmrun exec exec-hello.wasm').pid, 'SIGKILL');
    await waitUntil(() => visitor.gone || visitor.received !== '', 'the visitor is answered');
    expect(visitor.received).toMatch(/^($|HTTP\/1.1 50[23] )/);
    await expectRestart(
      preview,
      url,
      'exec-hello',
      /wasmrun exec exec-hello.wasm ended by signal SIGKILL; it is started again \(1 of 5\)/,
    );
    await expectCleanEnd(preview, url, 'has ended');
  });
});

async function createOsPreview(server: string, vm: string): Promise<Preview> {
  const wasmhub = await startWasmhub({ runtime: requirePart('runtime') });
  onTestFinished(() => wasmhub.stop());
  const preview = await createPreview({ server, vm }, {}, { PATH, WASMRUN_WASMHUB_BASE_URL: wasmhub.url });
  cpSync(resolve('examples/os-hello'), join(preview.job.workspace, 'app'), { recursive: true });
  return preview;
}

describeWithReal(['bore', 'wasmrun', 'runtime', 'chromium'], 'OS mode whose process is killed', () => {
  it.each([
    ['wasmrun', 'node', '127.0.0.89', /wasmrun ended by signal SIGKILL; it is started again \(1 of 5\)/],
    ['page host', 'node', '127.0.0.90', /page host.*; it is started again \(1 of 5\)/],
    ['Chrome', 'browser', '127.0.0.91', /Chrome.*; it is started again \(1 of 5\)/],
  ])('is started again as a whole: %s (vm: %s)', async (role, vm, host, message) => {
    await startRealServer(host, { secret: SECRET });
    const preview = await createOsPreview(host, vm);
    const url = await goLive(preview);
    const old = preview.processes();
    const before = (await preview.status()).visits;
    const visitor = await visit(url, UPLOAD, { awaitAnswer: false });
    await preview.awaitStatus(({ visits }) => visits > before, 'the visitor is in');
    process.kill(preview.find(role).pid, 'SIGKILL');
    await waitUntil(() => visitor.gone || visitor.received !== '', 'the visitor is answered');
    expect(visitor.received).toMatch(/^($|HTTP\/1.1 50[23] )/);
    await expectRestart(preview, url, 'Hello from WebAssembly', message);
    // Nothing of the first start is left beside the second.
    await awaitGone(old.slice(1));
    await expectCleanEnd(preview, url, 'has ended');
  });

  it.each([
    ['node', '127.0.0.96'],
    ['browser', '127.0.0.97'],
  ])('leaves nothing behind if the supervisor is killed (vm: %s)', async (vm, host) => {
    await startRealServer(host, { secret: SECRET });
    const preview = await createOsPreview(host, vm);
    const url = await goLive(preview);
    // Chrome keeps its socket in the system's temp folder, and a link to it in its profile.
    const sockets = readdirSync(preview.folder(), { recursive: true, encoding: 'utf8' })
      .filter(name => basename(name) === 'SingletonSocket')
      .map(name => dirname(readlinkSync(join(preview.folder(), name))));
    expect(sockets.filter(existsSync)).toHaveLength(vm === 'browser' ? 1 : 0);
    const before = (await preview.status()).visits;
    const visitor = await visit(url, UPLOAD, { awaitAnswer: false });
    await preview.awaitStatus(({ visits }) => visits > before, 'the visitor is in');
    process.kill(preview.find('supervisor').pid, 'SIGKILL');
    await waitUntil(() => visitor.gone, 'the visitor is hung up on');
    const log = await expectCleanEnd(preview, url, 'failed');
    expect(log).toContain('ended processes that were left behind:');
    expect(log).toContain('wasmrun');
    expect(sockets.filter(existsSync)).toEqual([]);
  });
});
