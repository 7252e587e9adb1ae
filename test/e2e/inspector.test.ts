// The public inspector of a job on a pull request: where its link is shown, and that it ends with the preview.

import { beforeEach, expect, it } from 'vitest';
import { describeWithReal } from '../support/real-parts.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createPreview, goLive, SECRET } from './job-rig.ts';

const HOST = '127.0.0.193';

describeWithReal(['bore'], 'the public inspector of a job', () => {
  beforeEach(() => startRealServer(HOST, { secret: SECRET }));

  it.each([
    ['shown where the key of the preview is', { access: 'link' }, ['comment', 'log', 'summary']],
    ['shown nowhere beside a given key', { 'access-key': 'a-key-of-the-workflow-author' }, []],
  ])('has its link in an output, and %s', async (_, access, shown) => {
    const inputs = { server: HOST, inspector: 'true', ...access };
    const preview = await createPreview(inputs, { 'index.html': 'the app' });
    const { job, github } = preview;
    await goLive(preview);
    const link = job.outputs['inspector-url'] ?? '';
    expect(link).toMatch(/^http:\/\/127\.0\.0\.193:\d+\/#key=[\w-]{32}$/);
    const key = link.split('#key=')[1] ?? '';
    const page = await fetch(link);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const api = new URL('/api/inspector', link);
    expect((await fetch(api)).status).toBe(401);
    expect((await fetch(api, { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
    const comment = () => github.state.comments[0]?.body ?? '';
    await waitUntil(() => comment().includes('is live'), 'the comment says that it is live');
    // The runner is told once what to mask.
    const log = job.log.replaceAll(/^::add-mask::.*$/gm, '');
    const places = Object.entries({ comment: comment(), log, summary: job.summary });
    expect(places.flatMap(([name, text]) => (text.includes(key) ? [name] : []))).toEqual(shown);
    expect(job.log.includes(`::add-mask::${key}`)).toBe(shown.length === 0);
    expect(log).not.toContain(job.outputs['control-token']);
    const post = await job.post();
    expect(comment()).not.toContain(key);
    expect(post.log).not.toContain(key);
    await expect(fetch(link)).rejects.toThrow();
  });
});
