// One preview of a pull request from its first line to its last, kept in whole-run.md: read that file to learn what the
// log shows, what later steps get, and what GitHub is asked. `npx vitest run whole-run -u` writes it again.

import { expect, it } from 'vitest';
import type { LoggedRequest } from '../../src/demo/github/server.ts';
import { describeWithReal } from '../support/real-parts.ts';
import { click } from '../support/reviewer.ts';
import { startRealServer } from '../support/tunnel-rig.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createPreview, goLive, SECRET } from './job-rig.ts';

const HOST = '127.0.0.187';

describeWithReal(['bore'], 'a preview of a pull request', () => {
  it('has this log, these outputs, this state, this summary and these requests to GitHub', async () => {
    await startRealServer(HOST, { secret: SECRET });
    const inputs = { server: HOST, access: 'link', duration: '30m' };
    const preview = await createPreview(inputs, { 'index.html': 'the preview' });
    const { job, github } = preview;
    await goLive(preview);
    await waitUntil(() => preview.titles().includes('is live'), 'the comment says that it is live');
    const reviewer = await click(job.outputs['preview-url'] ?? '');
    expect(await (await reviewer.visit()).text()).toBe('the preview');
    const post = await job.post();

    const handed = Object.entries(job.state).map(([name, value]) => [name, JSON.parse(value)]);
    const run = [
      renderPart(
        'The inputs that the workflow gives',
        'json',
        renderJson({ secret: SECRET, path: 'app', ...inputs }),
      ),
      renderPart('The log of the step', 'text', job.log),
      renderPart('Its outputs', 'json', renderJson(job.outputs)),
      renderPart('What it hands to post', 'json', renderJson(Object.fromEntries(handed))),
      renderPart('The log of post', 'text', post.log),
      renderPart('The summary of the job', 'markdown', job.summary),
      '## Every request to GitHub\n',
      ...github.requests.map(renderRequest),
    ].join('\n');
    await expect(hideWhatChanges(run, job.outputs, job.temp)).toMatchFileSnapshot('whole-run.md');
  });
});

function renderPart(title: string, kind: string, text: string): string {
  return `## ${title}\n\n\`\`\`${kind}\n${text.trimEnd()}\n\`\`\`\n`;
}

function renderJson(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

/** A comment is shown as it is written; there are no other bodies. */
function renderRequest({ method, path, status, body }: LoggedRequest): string {
  const head = `### ${method} ${path} (${status})\n`;
  if (body === undefined) return head;
  const { body: text, ...rest } = body as { body: string };
  expect(rest).toEqual({});
  return `${head}\n\`\`\`markdown\n${text.trimEnd()}\n\`\`\`\n`;
}

/** Puts a word in capitals for all that differs between two runs; the QR code has the key. */
function hideWhatChanges(run: string, outputs: Record<string, string>, temp: string): string {
  const { key = '', port = '', 'control-url': control = '', 'control-token': token = '' } = outputs;
  return run
    .replaceAll(key, 'KEY')
    .replaceAll(/(?<=<kbd>)[█\s]+(?=<\/kbd>)/g, 'QR CODE')
    .replaceAll(token, 'CONTROL-TOKEN')
    .replaceAll(new URL(control).port, 'CONTROL-PORT')
    .replaceAll(`${HOST}:${port}`, `${HOST}:PORT`)
    .replaceAll(`"port": "${port}"`, '"port": "PORT"')
    .replaceAll(temp, 'RUNNER_TEMP')
    .replaceAll(/(?<=RUNNER_TEMP.expose-)\w{6}/g, 'RANDOM')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d UTC/g, 'DATE')
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'MOMENT')
    .replaceAll(/tickInterval \d+second/g, 'tickInterval SECONDSsecond')
    .replaceAll(/\| Live \| \d+s,/g, '| Live | SECONDSs,')
    .replaceAll(/\| \d+ ms \|/g, '| MILLISECONDS ms |')
    .replaceAll(/live (for|after) \d+s/g, 'live $1 SECONDSs')
    .replaceAll(/(?<=\binstance(?:=|": "))[\da-f]{16}/g, 'INSTANCE')
    .replaceAll(/(?<=\bsince=)[\w.%-]+Z/g, 'TIME')
    .replaceAll(/(?<=\buntil=)\d+/g, 'SECONDS')
    .replaceAll(/"pid": \d+/g, '"pid": PID')
    .replaceAll(/"startTime": "\d+"/g, '"startTime": "TICKS"')
    .replaceAll(/"log": \d+/g, '"log": BYTES')
    .replaceAll(/\b[\da-f]{32}(?=::)|(?<=::stop-commands::)[\da-f]{32}/g, 'STOP-TOKEN');
}
