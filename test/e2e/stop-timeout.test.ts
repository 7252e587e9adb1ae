// `stop-timeout`: how long the app may take to stop, in every way a preview ends. The gate does it in short; the
// nightly run takes the times of real apps: 8 s to clean up, as `docker compose up` needs.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { isRunning } from '../support/running.ts';
import { isFull, scale } from '../support/scale.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { awaitGone, createPreview, goLive, type Preview, SECRET, SERVER, visit } from './job-rig.ts';

const CLEAN_UP_S = scale(2, 8);
const ENOUGH = scale(6, 12);
const TOO_SHORT = scale(1, 5);

/** Serves, and takes its time to clean up on SIGTERM, as `docker compose up` does. */
const COMMAND = `trap 'sleep ${CLEAN_UP_S}; echo done > cleaned; exit' TERM
node server.js &
while :; do wait; done`;

async function createSlow(host: string, stopTimeout: number): Promise<Preview> {
  await startRealServer(host, { secret: SECRET });
  return createPreview(
    { server: host, command: COMMAND, 'stop-timeout': `${stopTimeout}s` },
    { 'server.js': SERVER },
  );
}

const hasCleaned = ({ job }: Preview) => existsSync(join(job.workspace, 'app', 'cleaned'));

describeWithReal(['bore'], 'an app that needs time to stop', () => {
  it('gets the time that it was given, and the comment shows the end meanwhile', async () => {
    const preview = await createSlow('127.0.0.200', ENOUGH);
    await goLive(preview);
    const records = preview.processes();
    const post = preview.job.post();
    await waitUntil(() => preview.titles().at(-1) === 'has ended', 'the comment shows the end');
    expect(hasCleaned(preview)).toBe(false);
    const { code, log } = await post;
    expect(code).toBe(0);
    expect(hasCleaned(preview)).toBe(true);
    expect(log).not.toContain('killed');
    await awaitGone(records);
    expect(preview.titles().filter(title => title === 'has ended')).toHaveLength(1);
  });

  it('is killed after a shorter time, and post says what was killed', async () => {
    const preview = await createSlow('127.0.0.201', TOO_SHORT);
    await goLive(preview);
    const records = preview.processes();
    const { pid } = preview.find('the command');
    const { code, log } = await preview.job.post();
    expect(code).toBe(0);
    expect(hasCleaned(preview)).toBe(false);
    expect(log).toMatch(
      new RegExp(
        `the command did not stop within ${TOO_SHORT}s, the \`stop-timeout\`, and was killed: .*bash \\(${pid}\\)`,
      ),
    );
    await awaitGone(records);
  });

  it('gets it from post, too, when the process that kept the preview was killed', async () => {
    const preview = await createSlow('127.0.0.202', ENOUGH);
    await goLive(preview);
    const supervisor = preview.find('supervisor');
    process.kill(supervisor.pid, 'SIGKILL');
    await waitUntil(() => !isRunning(supervisor.pid), 'it is dead');
    const { pid } = preview.find('the command');
    const { log } = await preview.job.post();
    expect(hasCleaned(preview)).toBe(true);
    expect(log).toContain(`ended processes that were left behind: the command (${pid})`);
    expect(log).not.toContain('killed, because');
  });

  it('is killed by post after a shorter time, and named', async () => {
    const preview = await createSlow('127.0.0.203', TOO_SHORT);
    await goLive(preview);
    const supervisor = preview.find('supervisor');
    process.kill(supervisor.pid, 'SIGKILL');
    await waitUntil(() => !isRunning(supervisor.pid), 'it is dead');
    const { pid } = preview.find('the command');
    const { log } = await preview.job.post();
    expect(hasCleaned(preview)).toBe(false);
    expect(log).toContain(
      `killed, because it did not stop within ${TOO_SHORT}s, the \`stop-timeout\`: the command (${pid})`,
    );
  });

  it('gets it when the step ends by itself', async () => {
    const host = '127.0.0.204';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview(
      { server: host, command: COMMAND, 'stop-timeout': `${ENOUGH}s`, hold: '1s' },
      { 'server.js': SERVER },
    );
    const { code, log } = await preview.job.main();
    expect(log).toContain('the preview has ended: duration over');
    expect(code).toBe(0);
    expect(hasCleaned(preview)).toBe(true);
  });
});

describe.runIf(isFull)('at the limit', () => {
  describeWithReal(['bore'], 'post', () => {
    it.each([
      ['a supervisor that works', '127.0.0.205', undefined],
      ['a supervisor that hangs', '127.0.0.206', 'SIGSTOP'],
      ['a supervisor that was killed', '127.0.0.207', 'SIGKILL'],
    ] as const)(
      'ends within 30 s, with a visitor that stays and an app that does not stop, and %s',
      async (_, host, signal) => {
        await startRealServer(host, { secret: SECRET });
        const command = `trap '' TERM; node -e 'process.on("SIGTERM", () => {}); require("http").createServer((q, s) => q.url === "/slow" ? s.write("begun") : s.end("up")).listen(process.env.PORT)' & while :; do wait; done`;
        const preview = await createPreview({ server: host, command, 'stop-timeout': '20s' });
        const url = await goLive(preview);
        const records = preview.processes();
        await visit(`${url}/slow`, 'GET /slow HTTP/1.1\r\nHost: HOST\r\n\r\n');
        if (signal !== undefined) process.kill(preview.find('supervisor').pid, signal);
        const began = performance.now();
        const { code, log } = await preview.job.post();
        expect(performance.now() - began).toBeLessThan(30_000);
        expect(code).toBe(0);
        expect(log).toMatch(/killed/);
        await awaitGone(records);
      },
      60_000,
    );
  });
});
