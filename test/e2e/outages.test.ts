// The bore server goes away and comes back, or only the control connection is lost: the same address answers again,
// and comment and deployment speak only of what lasted.

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { scale } from '../support/scale.ts';
import { startForwarder, startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { ask, awaitGone, createPreview, goLive, SECRET } from './job-rig.ts';

function describeStatus({ status, exposure }: { status: string; exposure: { phase: string } }): string {
  return `${status} ${exposure.phase}`;
}

/** The deployment's state, by what the comment says. */
const STATES: Record<string, string> = {
  'is starting': 'in_progress',
  'is live': 'success',
  'is away for a moment': 'in_progress',
  'has ended': 'inactive',
};

describeWithReal(['bore'], 'an outage of the bore server', () => {
  it.each([
    [1, '127.0.0.92', ['is starting', 'is live', 'has ended']],
    [5, '127.0.0.93', ['is starting', 'is live', 'has ended']],
    // Long enough to be shown (OUTAGE_SHOWN_AFTER_MS in src/github/view.ts).
    [scale(17, 20), '127.0.0.94', ['is starting', 'is live', 'is away for a moment', 'is live', 'has ended']],
  ])('of %i s ends with the same address', async (seconds, host, titles) => {
    const server = await startRealServer(host, { secret: SECRET });
    const preview = await createPreview(
      { server: host, deployment: 'true' },
      { 'index.html': 'the preview' },
    );
    const url = await goLive(preview);
    expect(await ask(url)).toBe('the preview');
    await waitUntil(() => preview.titles().length === 2, 'the comment has the link');
    await server.kill();
    const killed = performance.now();
    await preview.awaitStatus(
      status => describeStatus(status) === 'Reconnecting live',
      'the status is Reconnecting',
    );
    // The length of the outage is what is tested.
    await delay(seconds * 1_000 - (performance.now() - killed));
    expect(describeStatus(await preview.status())).toBe('Reconnecting live');
    await startRealServer(host, { secret: SECRET });
    const restarted = performance.now();
    await waitUntil(async () => (await ask(url)) === 'the preview', `${url} answers again`);
    const backMs = Math.round(performance.now() - restarted);
    console.log(`after an outage of ${seconds} s the address answered ${backMs} ms after the restart`);
    expect(backMs).toBeLessThan(10_000);
    expect(await preview.status()).toMatchObject({ status: 'Connected', reconnects: 1, restarts: 0 });
    const records = preview.processes();
    expect((await preview.job.post()).code).toBe(0);
    await awaitGone(records);
    expect(preview.titles()).toEqual(titles);
    const { deploymentList } = preview.github.state;
    expect(deploymentList).toMatchObject([{ environment: 'preview/pr-7', sha: 'a'.repeat(40) }]);
    const statuses = deploymentList[0]?.statuses ?? [];
    expect(statuses.map(({ state }) => state)).toEqual(titles.map(title => STATES[title]));
    const links = statuses.flatMap(({ environmentUrl }) => (environmentUrl === '' ? [] : environmentUrl));
    expect(new Set(links)).toEqual(new Set([preview.job.outputs['preview-url']]));
  });
});

describeWithReal(['bore'], 'a control connection that is cut', () => {
  it('does not disturb a download', async () => {
    const host = '127.0.0.95';
    const server = await startRealServer(host, { secret: SECRET });
    const forwarder = await startForwarder(server.address);
    const { address } = forwarder;
    const preview = await createPreview({
      server: `${address.host}:${address.port}`,
      // The public port is the server's, not the forwarder's.
      'public-url': `http://${host}:{port}`,
      // The server gives out the first port that is asked for: the first connection is the one that stays.
      'port-range': '20000-65535',
    });
    const file = Buffer.alloc(64 * 1024 * 1024, createHash('sha256').update('a preview').digest());
    writeFileSync(join(preview.job.workspace, 'app', 'index.html'), 'the preview');
    writeFileSync(join(preview.job.workspace, 'app', 'large.bin'), file);
    const url = await goLive(preview);
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    onTestFinished(() => void socket.destroy());
    socket.write(`GET /large.bin HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n\r\n`);
    const hash = createHash('sha256');
    let head: string | undefined;
    let length = 0;
    let isCut = false;
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      const body = head === undefined ? chunk.subarray(chunk.indexOf('\r\n\r\n') + 4) : chunk;
      head ??= chunk.toString('latin1', 0, 15);
      hash.update(body);
      length += body.length;
      if (isCut || length < file.length / 2) continue;
      // Half of it is there: the rest comes after the loss.
      isCut = true;
      forwarder.pairs[0]?.near.resetAndDestroy();
      await preview.awaitStatus(({ reconnects }) => reconnects === 1, 'the tunnel is back');
    }
    expect({ head, length }).toEqual({ head: 'HTTP/1.1 200 OK', length: file.length });
    expect(hash.digest('hex')).toBe(createHash('sha256').update(file).digest('hex'));
    expect(await ask(url)).toBe('the preview');
    expect(readFileSync(join(preview.folder(), 'expose.log'), 'utf8')).toMatch(/reconnect|again|lost/i);
    expect((await preview.job.post()).code).toBe(0);
    expect(preview.titles()).toEqual(['is starting', 'is live', 'has ended']);
  });
});
