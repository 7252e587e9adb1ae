// A job whose steps wait for webhooks that come through a real bore server: the built `wait` action, and `expose wait`.

import { expect, it } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { createPreview, goLive, SECRET } from './job-rig.ts';

/** Answers webhooks after a moment, so that a wait that did not wait for the answer would show. */
const APP = `require('node:http').createServer((request, response) => {
  request.resume().on('end', () => setTimeout(() => response.writeHead(204).end(), 50));
}).listen(process.env.PORT, '127.0.0.1');`;

const HOST = '127.0.2.10';

const send = (url: string, body: object) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-github-event': 'pull_request' },
    body: JSON.stringify(body),
  });

describeWithReal(['bore'], 'a job that needs a webhook', () => {
  it('waits for it, and goes on with its body and header', async () => {
    await startRealServer(HOST, { secret: SECRET });
    const inputs = { server: HOST, command: `'${process.execPath}' app.js`, 'public-paths': '/hooks/**' };
    const preview = await createPreview(inputs, { 'app.js': APP });
    const url = await goLive(preview);
    const { job } = preview;

    const sent = Promise.all([
      send(`${url}/hooks/gh`, { action: 'closed' }),
      send(`${url}/hooks/gh`, { action: 'opened', number: 1 }),
    ]);
    const first = await job.waitAction({ path: '/hooks/*', match: 'json:$.action=opened' });
    expect([first.code, first.log]).toEqual([0, expect.stringContaining('::group::1 request came\n')]);
    expect(JSON.parse(job.outputs.body ?? '')).toEqual({ action: 'opened', number: 1 });
    expect(JSON.parse(job.outputs.headers ?? '')).toMatchObject({ 'x-github-event': 'pull_request' });
    expect(JSON.parse(job.outputs.requests ?? '')).toMatchObject([{ status: 204, finished: true }]);
    await sent;

    const { 'last-id': last = '' } = job.outputs;
    const waiting = job.shell('expose wait /hooks/gh --since 2 --json');
    await send(`${url}/hooks/gh`, { action: 'reopened' });
    expect(['1', '2']).toContain(last);
    expect(JSON.parse((await waiting).log)).toMatchObject({
      requests: [{ id: 3, body: '{"action":"reopened"}' }],
    });

    const late = await job.waitAction({ since: '3', timeout: '1s' });
    expect([late.code, late.log]).toEqual([1, expect.stringContaining('Nothing has come since request 3')]);
    expect((await job.post()).code).toBe(0);
  });
});
