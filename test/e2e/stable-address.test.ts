// `remote-port: auto` against real bore servers: the same host and port from run to run, previews that do not take
// each other's, and an address at which another program answers.

import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { ask, awaitFree, createPreview, goLive, type Preview, SECRET } from './job-rig.ts';

const PAGE = { 'index.html': 'the preview' };
/** A program that answers with its public URL. */
const TELL_URL =
  "require('http').createServer((q, s) => s.end(process.env.EXPOSE_URL)).listen(process.env.PORT)";

/** Runs a preview to its end; returns the address it had. */
async function runOnce(
  inputs: Record<string, string>,
  run: string,
  environment: Record<string, string> = {},
): Promise<string> {
  const preview = await createPreview(inputs, PAGE, { GITHUB_RUN_ID: run, ...environment });
  const url = await goLive(preview);
  expect(await ask(url)).toBe('the preview');
  await endPreview(preview, url);
  return url;
}

async function endPreview(preview: Preview, url: string): Promise<void> {
  expect((await preview.job.post()).code).toBe(0);
  await awaitFree(url);
}

/** Listens there until the test is over. */
async function occupy(server: Server, host: string, port: number): Promise<void> {
  onTestFinished(() => void server.close());
  await once(server.listen(port, host), 'listening');
}

describeWithReal(['bore'], 'the address of a preview', () => {
  it('is the same in every run, within the range, and another one with another secret', async () => {
    const host = '127.0.0.130';
    const server = await startRealServer(host, { secret: SECRET, minPort: 24_000, maxPort: 25_999 });
    const inputs = { server: host, 'port-range': '24000-25999' };
    const first = await runOnce(inputs, '100');
    const port = Number(new URL(first).port);
    expect(port).toBeGreaterThanOrEqual(24_000);
    expect(port).toBeLessThanOrEqual(25_999);
    expect(await runOnce(inputs, '101')).toBe(first);
    await server.kill();
    await startRealServer(host, { secret: 'another-secret', minPort: 24_000, maxPort: 25_999 });
    expect(await runOnce({ ...inputs, secret: 'another-secret' }, '102')).not.toBe(first);
  });

  it('is different for two previews of a pull request that live at the same time', async () => {
    const host = '127.0.0.131';
    await startRealServer(host, { secret: SECRET });
    const inputs = { server: host, 'port-range': '20000-65535' };
    const steps = ['__wasmrun_expose-action', '__wasmrun_expose-action_2'];
    const previews = await Promise.all(
      steps.map(step => createPreview(inputs, { 'index.html': step }, { GITHUB_ACTION: step })),
    );
    const urls = await Promise.all(previews.map(goLive));
    expect(await Promise.all(urls.map(ask))).toEqual(steps);
    expect(new Set(urls).size).toBe(2);
    for (const [index, preview] of previews.entries()) await endPreview(preview, urls[index] ?? '');
    // Its own, and not what the other one left over.
    for (const [index, step] of steps.entries())
      expect(await runOnce(inputs, '101', { GITHUB_ACTION: step })).toBe(urls[index]);
  });

  it('is the second choice while the first is taken, and the first again when it is free', async () => {
    const host = '127.0.0.132';
    await startRealServer(host, { secret: SECRET });
    const inputs = { server: host, 'port-range': '20000-65535' };
    // The run before has not ended yet, and does not.
    const before = await createPreview(inputs, { 'index.html': 'the run before' });
    const first = await goLive(before);
    const after = await createPreview(inputs, PAGE, { GITHUB_RUN_ID: '101' });
    const second = await goLive(after);
    expect(second).not.toBe(first);
    expect([await ask(first), await ask(second)]).toEqual(['the run before', 'the preview']);
    await endPreview(after, second);
    await endPreview(before, first);
    expect(await runOnce(inputs, '102')).toBe(first);
  });

  it('is not announced if another program answers there', async () => {
    // Visitors come to one address, and the tunnels open on another: what answers between them is ours to choose.
    const [host, inner] = ['127.0.0.133', '127.0.0.134'];
    await startRealServer(host, { secret: SECRET, minPort: 24_000, maxPort: 24_003, bindTunnels: inner });
    const inputs = { server: host, 'port-range': '24000-24003' };
    const ports = [24_000, 24_001, 24_002, 24_003];
    const doors = new Map(ports.map(port => [port, createDoor(inner, port)]));
    for (const [port, door] of doors) await occupy(door, host, port);
    const first = await runOnceBehind(inputs, '100');

    const port = Number(new URL(first).port);
    const door = doors.get(port);
    door?.close();
    await once(door ?? createServer(), 'close');
    const asked: string[] = [];
    const impostor = createHttpServer((request, response) => {
      asked.push(request.url ?? '');
      response.end('welcome to another app');
    });
    await occupy(impostor, host, port);

    const command = `exec node -e "${TELL_URL}"`;
    const preview = await createPreview({ ...inputs, command }, {}, { GITHUB_RUN_ID: '101' });
    const second = await goLive(preview);
    expect(second).not.toBe(first);
    // The app too knows the address it has, and not the one that was left.
    expect(await ask(second)).toBe(second);
    expect(preview.job.log).toContain(`another program answers at ${first}`);
    expect(asked).toEqual([expect.stringMatching(/^\/__expose\/probe\?challenge=[0-9a-f]+$/)]);
    await waitUntil(() => preview.titles().at(-1) === 'is live', 'the comment has the link');
    expect(JSON.stringify(preview.github.requests)).not.toContain(first);
    expect((await preview.job.post()).code).toBe(0);
  });
});

/** Passes every connection on to the same port of `inner`. */
function createDoor(inner: string, port: number): Server {
  return createServer({ allowHalfOpen: true }, near => {
    const far = connect({ host: inner, port, allowHalfOpen: true });
    near.on('error', () => {}).on('close', () => far.destroy());
    far.on('error', () => {}).on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  });
}

/** As `runOnce`, where the port stays open: the doors are always there. */
async function runOnceBehind(inputs: Record<string, string>, run: string): Promise<string> {
  const preview = await createPreview(inputs, PAGE, { GITHUB_RUN_ID: run });
  const url = await goLive(preview);
  expect(await ask(url)).toBe('the preview');
  expect((await preview.job.post()).code).toBe(0);
  return url;
}
