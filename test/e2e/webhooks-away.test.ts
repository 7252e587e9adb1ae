// A job whose app is killed while webhooks come through the real bore server: they are delivered when it is back, are in
// requests-file, and can be sent again.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { RequestMessage } from '../../src/shared/request-json.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { WEBHOOK_PROGRAM } from '../support/webhook-program.ts';
import { awaitGone, createPreview, goLive, SECRET } from './job-rig.ts';

/** The last line of each request. */
function readRecords(path: string): RequestMessage[] {
  const last = new Map<number, RequestMessage>();
  for (const text of readFileSync(path, 'utf8').trim().split('\n')) {
    const message: RequestMessage = JSON.parse(text);
    last.set(message.id, message);
  }
  return [...last.values()].sort((one, other) => one.id - other.id);
}

describeWithReal(['bore'], 'an app that is killed while webhooks come', () => {
  it('gets them in order when it is back, and one of them again with `expose replay`', async () => {
    const host = '127.0.0.194';
    await startRealServer(host, { secret: SECRET });
    const preview = await createPreview(
      {
        server: host,
        mode: 'port',
        command: 'exec node app.cjs',
        access: 'link',
        'public-paths': '/hooks/**',
      },
      { 'app.cjs': WEBHOOK_PROGRAM, go: '' },
    );
    const { job } = preview;
    const file = (name: string) => join(job.workspace, 'app', name);
    const post = async (body: string) => (await fetch(`${url}/hooks/a`, { method: 'POST', body })).status;
    const got = () => (existsSync(file('got')) ? readFileSync(file('got'), 'utf8').trim().split('\n') : []);
    const line = (body: string) => `/hooks/a ${Buffer.from(body).toString('base64')}`;
    const url = await goLive(preview);
    rmSync(file('go'));
    process.kill(Number(readFileSync(file('pid'), 'utf8')), 'SIGKILL');
    await preview.awaitStatus(({ app }) => app.status === 'restarting', 'the app is restarting');
    const bodies = Array.from({ length: 20 }, (_, index) => `webhook ${index} \u{1f389}\u2028`);
    for (const body of bodies) expect(await post(body)).toBe(202);
    expect(await post('{"type":"url_verification","challenge":"c"}')).toBe(503);
    writeFileSync(file('go'), '');
    await waitUntil(() => got().length === bodies.length, 'all are delivered');
    expect(got()).toEqual(bodies.map(line));
    const replay = await job.shell('expose replay 3');
    expect(replay.log).toMatch(/^request 3 was answered with 200 after \d+ ms\n\ndone$/m);
    expect(got()).toEqual([...bodies.map(line), line(bodies[2] ?? '')]);
    await waitUntil(
      () => readRecords(job.outputs['requests-file'] ?? '').length === 22,
      'the replay is in requests-file',
    );
    const records = readRecords(job.outputs['requests-file'] ?? '');
    expect(records.map(({ status, delivery }) => [status, delivery?.status])).toEqual([
      ...bodies.map(() => [202, 200]),
      [503, undefined],
      [200, undefined],
    ]);
    const processes = preview.processes();
    expect((await job.post()).code).toBe(0);
    await awaitGone(processes);
  });
});
