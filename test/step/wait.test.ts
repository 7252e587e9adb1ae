// The `wait` action as the runner sees it: each test runs it in a process of its own, against a control API in this one.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { startControlApi } from '../../src/control/api.ts';
import { recordProcess } from '../../src/shared/processes.ts';
import { writeOutcome } from '../../src/supervisor/outcome.ts';
import { createSessionFolder, sessionFiles, writeSession } from '../../src/supervisor/session-folder.ts';
import { useClosers } from '../support/closers.ts';
import { controlsWith } from '../support/controls.ts';
import { FakeRequestLog } from '../support/request-log.ts';
import { findCommands } from '../support/runner-commands.ts';
import { sampleEnd } from '../support/sample-state.ts';
import { waitUntil } from '../support/wait-until.ts';

const closers = useClosers();
const TOKEN = 'a-token-of-this-test';
const { inputs: declared } = parse(readFileSync(resolve('wait/action.yml'), 'utf8')) as {
  inputs: Record<string, { default?: string }>;
};

let temp: string;
beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'step-wait-'));
});
afterEach(() => rmSync(temp, { recursive: true, force: true }));

async function startPreview(name = 'web') {
  const log = new FakeRequestLog({ kind: 'paths', patterns: ['/hooks/**'] });
  const api = await startControlApi(controlsWith({ requests: log }), TOKEN);
  closers.push(() => api.stop());
  const folder = createSessionFolder(temp);
  writeSession({ folder, name, controlToken: TOKEN }, recordProcess(process.pid, 'test'), api.url);
  return { log, folder, session: sessionFiles(folder).session };
}

/** Starts the action with these inputs, and the defaults of action.yml for all others. */
function startAction(inputs: Record<string, string> = {}) {
  const outputFile = join(temp, `output-${performance.now()}`);
  writeFileSync(outputFile, '');
  const all = Object.fromEntries(
    Object.entries(declared).map(([name, input]) => [
      `INPUT_${name.toUpperCase()}`,
      inputs[name] ?? input.default ?? '',
    ]),
  );
  const child = spawn(process.execPath, [resolve('src/wait.ts')], {
    env: { PATH: process.env.PATH, RUNNER_TEMP: temp, GITHUB_OUTPUT: outputFile, ...all },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  closers.push(() => child.kill('SIGKILL'));
  const finish = async () => {
    const [log, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    return { code: code as number | null, log, outputs: readOutputs(outputFile) };
  };
  return { child, finished: finish() };
}

const run = (inputs: Record<string, string> = {}) => startAction(inputs).finished;

function readOutputs(file: string): Record<string, string> {
  const blocks = readFileSync(file, 'utf8').matchAll(/^(.+?)<<(.+)\n([\s\S]*?)\n\2$/gm);
  return Object.fromEntries([...blocks].map(([, name = '', , value = '']) => [name, value]));
}

const POST = {
  target: '/hooks/gh?token=geheim',
  body: Buffer.from('{"action":"opened",\r\n"name":"Zoë"}\n'),
  rawHeaders: [
    'Content-Type',
    'application/json',
    'X-Event',
    'a',
    'x-event',
    'b',
    'X-Hub-Signature-256',
    'geheim',
  ],
};

describe('the wait action', () => {
  it('hands the requests that came to later steps', async () => {
    const { log } = await startPreview();
    const { finished } = startAction({
      path: '/hooks/*',
      count: '2',
      match: 'json:$.action=opened\nheader:x-event=b',
    });
    await waitUntil(() => log.listeners === 2, 'it waits');
    for (const request of [POST, { ...POST, rawHeaders: [] }, POST]) log.add(request);
    const { code, outputs, log: printed } = await finished;
    expect(code).toBe(0);
    expect(outputs.body).toBe(String(POST.body));
    expect(JSON.parse(outputs.headers ?? '')).toEqual({
      'content-type': 'application/json',
      'x-event': 'a, b',
      'x-hub-signature-256': 'geheim',
    });
    expect(outputs).toMatchObject({ count: '2', 'last-id': '3' });
    expect(JSON.parse(outputs.requests ?? '')).toMatchObject([{ id: 1, body: String(POST.body) }, { id: 3 }]);
    expect(printed).toContain('waiting for /hooks/* … 0s: 0 of 2 came\n');
    expect(printed).toMatch(/::group::2 requests came\n.*\n1 POST \/hooks\/gh → 200, 36 bytes\n3 POST/);
    expect(printed).not.toContain('geheim');
  });

  it('goes on behind the last request with `since`', async () => {
    const { log } = await startPreview();
    for (let count = 0; count < 3; count += 1) log.add(POST);
    const first = await run();
    expect(first.outputs['last-id']).toBe('1');
    expect((await run({ since: first.outputs['last-id'] ?? '' })).outputs['last-id']).toBe('2');
  });

  it('fails with a report when the time is up', async () => {
    const { log } = await startPreview();
    log.add(POST);
    const { code, log: printed, outputs } = await run({ match: 'json:$.action=closed', timeout: '1s' });
    expect(code).toBe(1);
    expect(printed).toMatch(
      /^::error::no request matched within 1s; .*%0A {2}1 POST \/hooks\/gh → 200: json:\$\.action is "opened", not "closed"%0A/m,
    );
    expect(printed).not.toContain('geheim');
    expect(outputs.count).toBe('0');
  });

  it.each([
    [{ path: '/other' }, /requests to \/other are not captured/],
    [{ match: 'json:a=1' }, /`match` has 'json:a=…'/],
    [{ count: 'x' }, /`count` is 'x'/],
    [{ timeout: '60' }, /`timeout` is '60', which is not a duration/],
    [{ since: '9' }, /`since` is 9/],
    [{ session: 'other' }, /no exposure is called 'other' here/],
  ])('fails at once with %j', async (inputs, message) => {
    await startPreview();
    const { code, log } = await run(inputs);
    expect([code, log]).toEqual([1, expect.stringMatching(message)]);
  });

  it('is green with a notice, and counts 0, if the preview was skipped', async () => {
    const { code, log, outputs } = await run();
    expect([code, log]).toEqual([
      0,
      '::notice::nothing is exposed in this job, so there is no request to wait for\n',
    ]);
    expect(outputs).toEqual({ requests: '[]', body: '', headers: '{}', count: '0', 'last-id': '0' });
  });

  it('lists the previews if there are several, and takes the one that `session` names', async () => {
    await startPreview('one');
    const { log, session } = await startPreview('two');
    log.add(POST);
    const unclear = await run();
    expect([unclear.code, unclear.log]).toEqual([
      1,
      expect.stringMatching(/several exposures are here.*\(one\)/),
    ]);
    expect((await run({ session })).outputs.count).toBe('1');
  });

  it('fails at once if the preview has ended', async () => {
    const { folder } = await startPreview();
    writeOutcome(folder, sampleEnd({ kind: 'ended', reason: 'stopped', endedAt: new Date() }));
    const { code, log } = await run();
    expect([code, log]).toEqual([1, '::error::web has ended, so no request can come\n']);
  });

  it('ends when the job is cancelled, and nothing waits any more', async () => {
    const { log } = await startPreview();
    const { child, finished } = startAction({ timeout: '1h' });
    await waitUntil(() => log.listeners === 2, 'it waits');
    child.kill('SIGINT');
    await finished;
    await waitUntil(() => log.listeners === 1, 'the API has dropped the wait');
  });

  it('leaves bodies out that are too long for a later step, and says how to get them', async () => {
    const { log } = await startPreview();
    log.add({ body: Buffer.alloc(130_000, 'x') });
    const { code, outputs, log: printed } = await run();
    expect([code, outputs.body]).toEqual([0, '']);
    expect(JSON.parse(outputs.requests ?? '')).toMatchObject([{ id: 1, body: null, body_bytes: 130_000 }]);
    expect(printed).toMatch(/^::warning::the requests are too long .*`expose requests 1 --json` prints it$/m);
    expect(printed).toMatch(/^::warning::the body of request 1 has 130000 bytes/m);
  });

  it('hands over a body that is not text as base64', async () => {
    const { log } = await startPreview();
    log.add({ body: Buffer.from([0xff, 0xfe]) });
    expect((await run()).outputs.body).toBe('//4=');
  });

  it('prints what strangers sent so that the runner finds no command in it', async () => {
    const { log } = await startPreview();
    log.add({ target: '/hooks/x\r::set-env name=a::b', method: '##[add-path]x' });
    const { log: printed } = await run();
    expect(findCommands(printed).filter(command => /set-env|add-path\]/.test(command))).toEqual([]);
  });
});
