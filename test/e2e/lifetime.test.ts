// How a preview ends, driven through the built action: in a hold, in the background, by command, by cancelling, and
// when main did not get to its end.

import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { isRunning } from '../support/running.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import {
  ask,
  awaitFree,
  awaitGone,
  createPreview,
  goLive,
  type Preview,
  SECRET,
  SERVER,
  startHold,
} from './job-rig.ts';

const PAGE = { 'index.html': '<h1>the preview</h1>' };
const COMMAND = { mode: 'port', command: 'node server.js' };

/** After post: nothing runs, nothing lies about, the port is free, and the comment's last word is this. */
async function expectNothingLeft(preview: Preview, url: string, title: string): Promise<void> {
  const records = preview.processes();
  expect((await preview.job.post()).code).toBe(0);
  await awaitGone(records);
  await awaitFree(url);
  expect(readdirSync(preview.job.temp)).toEqual([]);
  expect(preview.titles().at(-1)).toBe(title);
  expect(preview.github.state.comments).toHaveLength(1);
}

describeWithReal(['bore'], 'a hold', () => {
  it('is left within 5 s of SIGINT, and post takes the preview down', async () => {
    const host = '127.0.0.70';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ server: host, hold: 'true' }, PAGE);
    const url = await startHold(preview);
    const began = performance.now();
    preview.job.signal('SIGINT');
    const main = await preview.job.finished();
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(main.code).toBe(1);
    expect(main.log).toContain('cancelled; the post step takes the preview down');
    // The runner's command parser is off while the preview's log is repeated: a command would be shown as it stands.
    expect(main.log).not.toContain('::error::cancelled');
    expect(await ask(url)).toContain('the preview');
    await expectNothingLeft(preview, url, 'has ended');
  });

  it('succeeds when a file named continue is made, although there was one before', async () => {
    const host = '127.0.0.71';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ server: host, hold: 'true' }, PAGE);
    const file = join(preview.job.workspace, 'continue');
    writeFileSync(file, '');
    const url = await startHold(preview);
    expect((await preview.status()).exposure.phase).toBe('live');
    rmSync(file);
    writeFileSync(file, 'go on');
    const main = await preview.job.finished();
    expect(main.log).toContain('the preview has ended: continue file');
    expect(main.code).toBe(0);
    expect(preview.job.outputs.url).toBe(url);
    await expectNothingLeft(preview, url, 'has ended');
  });

  it('of 5 s succeeds 5 s after the link was given out, although a link to itself is named continue', async () => {
    const host = '127.0.0.72';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ server: host, hold: '5s' }, PAGE);
    symlinkSync('continue', join(preview.job.workspace, 'continue'));
    const url = await startHold(preview);
    const main = await preview.job.finished();
    expect(main.code).toBe(0);
    expect(main.log).toContain('the preview has ended: duration over');
    const { live_at = '', ended_at = '' } = (await preview.status()).exposure;
    const life = Date.parse(ended_at) - Date.parse(live_at);
    expect(life).toBeGreaterThanOrEqual(5_000);
    expect(life).toBeLessThan(6_000);
    expect(Date.parse(preview.job.outputs['expires-at'] ?? '') - Date.parse(live_at)).toBe(5_000);
    await expectNothingLeft(preview, url, 'has ended');
  });

  it('fails when the tunnel is lost for good', async () => {
    const host = '127.0.0.73';
    const server = await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ server: host, hold: 'true' }, PAGE);
    const url = await startHold(preview);
    await server.kill();
    await startRealServer(host, { secret: 'another secret' });
    const main = await preview.job.finished();
    expect(main.code).toBe(1);
    expect(main.log).toContain('secret');
    expect(preview.job.outputs.status).toBe('Failed');
    await expectNothingLeft(preview, url, 'failed');
  });
});

describeWithReal(['bore'], 'a preview in the background', () => {
  it('lives until post, which says how short that was', async () => {
    const host = '127.0.0.74';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ server: host, ...COMMAND }, { 'server.js': SERVER });
    const url = await goLive(preview);
    expect(await ask(url)).toContain('pid');
    const records = preview.processes();
    const post = await preview.job.post();
    expect(post.code).toBe(0);
    expect(post.log).toContain('the preview has ended: job ended');
    expect(post.log).toContain('hold: 30m');
    await awaitGone(records);
    expect(preview.titles().at(-1)).toBe('has ended');

    // A second post finds nothing to do, and leaves the comment's last word alone.
    const again = await preview.job.post();
    expect(again).toMatchObject({ code: 0, log: expect.stringContaining('already taken down') });
    expect(preview.titles().at(-1)).toBe('has ended');
  });

  it('ends at its duration although the job goes on, and leaves its log to later steps', async () => {
    const host = '127.0.0.75';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview(
      { server: host, duration: '3s', ...COMMAND },
      { 'server.js': SERVER },
    );
    const url = await goLive(preview);
    const records = preview.processes();
    await awaitGone(records);
    await awaitFree(url);
    expect((await preview.status()).exposure).toMatchObject({ phase: 'ended', reason: 'duration over' });
    expect(preview.titles().at(-1)).toBe('has ended');
    expect(existsSync(preview.job.outputs['log-file'] ?? '')).toBe(true);
    await expectNothingLeft(preview, url, 'has ended');
  });

  it.each([
    ['the stop action', '127.0.0.76', (preview: Preview) => preview.job.stopAction()],
    ['expose stop', '127.0.0.77', (preview: Preview) => preview.job.shell('expose stop')],
  ])('ends with %s, which may be used twice', async (_, host, stop) => {
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ server: host, ...COMMAND }, { 'server.js': SERVER });
    const url = await goLive(preview);
    const records = preview.processes();
    expect(await stop(preview)).toMatchObject({ code: 0 });
    await awaitFree(url);
    await awaitGone(records);
    const again = await stop(preview);
    expect(again).toMatchObject({ code: 0, log: expect.stringContaining('had ended already') });
    expect((await preview.status()).exposure).toMatchObject({ phase: 'ended', reason: 'stopped' });
    await expectNothingLeft(preview, url, 'has ended');
  });

  it('cannot give the runner a command through its name', async () => {
    const host = '127.0.1.98';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ server: host, name: '::stop-commands::pwned' }, PAGE);
    await goLive(preview);
    for (const said of [' has ended', ' had ended already'])
      expect(await preview.job.stopAction()).toMatchObject({
        code: 0,
        log: `:\\x3astop-commands::pwned${said}\n`,
      });
    expect((await preview.job.post()).code).toBe(0);
  });

  it('does not touch another preview of the same job', async () => {
    const host = '127.0.0.78';
    await startRealServer(host, { secret: SECRET });
    const one = await createPreview({ server: host, name: 'one' }, PAGE);
    const two = await createPreview({ server: host, name: 'two' }, PAGE, { RUNNER_TEMP: one.job.temp });
    const urls = [await goLive(one), await goLive(two)];
    expect(new Set(urls).size).toBe(2);
    const unclear = await one.job.stopAction();
    expect(unclear.code).toBe(1);
    expect(unclear.log).toMatch(/several exposures.*\(one\).*\(two\)|several exposures.*\(two\).*\(one\)/);
    const { session = '' } = one.job.outputs;
    expect(await one.job.stopAction({ session })).toMatchObject({ code: 0, log: 'one has ended\n' });
    expect(await ask(urls[1] ?? '')).toContain('the preview');
    expect((await one.job.post()).code).toBe(0);
    expect(await ask(urls[1] ?? '')).toContain('the preview');
    expect((await two.job.post()).code).toBe(0);
    expect(readdirSync(one.job.temp)).toEqual([]);
    expect([one.titles().at(-1), two.titles().at(-1)]).toEqual(['has ended', 'has ended']);
  });
});

describeWithReal(['bore'], 'a job that broke off', () => {
  it('is cleaned up if main was killed before the preview was live', async () => {
    const host = '127.0.0.79';
    await startRealServer(host, { secret: SECRET });
    // Never listens, so that the start lasts.
    const preview = await createPreview({ server: host, mode: 'port', command: 'exec sleep 300' });
    preview.job.start();
    await waitUntil(
      () => existsSync(preview.folder()) && preview.processes().some(({ role }) => role === 'the command'),
      'the command is started',
    );
    preview.job.signal('SIGKILL');
    expect(await preview.job.finished()).toMatchObject({ signal: 'SIGKILL' });
    const records = preview.processes();
    expect(records.every(({ pid }) => isRunning(pid))).toBe(true);
    expect((await preview.job.post()).code).toBe(0);
    await awaitGone(records);
    expect(readdirSync(preview.job.temp)).toEqual([]);
    expect(preview.titles().at(-1)).toBe('has ended');
  });

  it('is cleaned up if main was killed right after it started the supervisor', async () => {
    const host = '127.0.0.80';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ server: host }, PAGE);
    preview.job.start();
    await waitUntil(() => existsSync(join(preview.folder(), 'journal')), 'the supervisor is spawned');
    preview.job.signal('SIGKILL');
    await preview.job.finished();
    const records = preview.processes();
    const post = await preview.job.post();
    expect(post.code).toBe(0);
    expect(post.log).not.toContain('a bug in expose');
    await awaitGone(records);
    expect(readdirSync(preview.job.temp)).toEqual([]);
    // It may have come as far as "live" before the kill: what counts is that no such word is the last one.
    expect(['has ended', 'failed', undefined]).toContain(preview.titles().at(-1));
  });

  it('leaves nothing to do for post if main never ran', async () => {
    const preview = await createPreview({ server: '127.0.0.81' }, PAGE);
    expect(await preview.job.post()).toMatchObject({ code: 0, log: '' });
    expect(preview.github.requests).toEqual([]);
  });

  it('is ended by post in time even if the supervisor hangs', async () => {
    const host = '127.0.0.82';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview({ server: host, ...COMMAND }, { 'server.js': SERVER });
    const url = await goLive(preview);
    process.kill(preview.find('supervisor').pid, 'SIGSTOP');
    const began = performance.now();
    await expectNothingLeft(preview, url, 'failed');
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  it('ends its preview when the runner itself is gone', async () => {
    const host = '127.0.0.83';
    await startRealServer(host, { secret: SECRET });
    const folder = mkdtempSync(join(tmpdir(), 'worker-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const worker = join(folder, 'Runner.Worker');
    writeFileSync(worker, WORKER, { mode: 0o755 });
    const preview = await createPreview({ server: host, ...COMMAND }, { 'server.js': SERVER }, {}, worker);
    preview.job.start();
    await preview.job.printed(/main ended with 0/);
    const records = preview.processes();
    expect(records.map(({ role }) => role)).toEqual(['supervisor', 'the command']);
    expect(records.every(({ pid }) => isRunning(pid))).toBe(true);
    preview.job.signal('SIGKILL');
    await preview.job.finished();
    await awaitGone(records);
    expect(preview.titles().at(-1)).toBe('has ended');
    expect(preview.github.state.comments[0]?.body).toContain('The runner went away');
  });
});

/** Runs a step, then waits for the next, which never comes. Linux names the process of a script after its file. */
const WORKER = `#!/bin/bash
"$@"
echo "main ended with $?"
exec 3<> <(:)
read -rt 120 -u 3
`;
