// `expose requests` and `expose wait` against the real control API, called as cli calls them.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startControlApi } from '../../src/control/api.ts';
import { recordProcess } from '../../src/shared/processes.ts';
import { writeOutcome } from '../../src/supervisor/outcome.ts';
import { createSessionFolder, writeSession } from '../../src/supervisor/session-folder.ts';
import { useClosers } from '../support/closers.ts';
import { controlsWith } from '../support/controls.ts';
import { FakeRequestLog } from '../support/request-log.ts';
import { runPrinting } from '../support/run-command.ts';
import { findCommands } from '../support/runner-commands.ts';
import { sampleEnd } from '../support/sample-state.ts';
import { waitUntil } from '../support/wait-until.ts';

const TOKEN = 'a-token-of-this-test';
const closers = useClosers();

let temp: string;
beforeEach(() => {
  temp = mkdtempSync(join(tmpdir(), 'commands-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(temp, { recursive: true });
});

async function startPreview(name = 'web') {
  const log = new FakeRequestLog({ kind: 'paths', patterns: ['/hooks/**'] });
  const ending = new AbortController();
  const api = await startControlApi(controlsWith({ requests: log, ending: ending.signal }), TOKEN);
  closers.push(() => api.stop());
  const folder = createSessionFolder(temp);
  writeSession({ folder, name, controlToken: TOKEN }, recordProcess(process.pid, 'test'), api.url);
  return { log, api, ending, folder };
}

const printed = { out: '', err: '' };

/** Runs a command in this process; `printed` has what it prints. */
async function expose(...args: string[]) {
  Object.assign(printed, { out: '', err: '' });
  return runPrinting(args, temp, printed);
}

const JSON_POST = {
  body: Buffer.from('{"action":"opened","id":12345678901234567890,"tags":[],"user":{"name":"Zoë"}}'),
  rawHeaders: ['Content-Type', 'application/json'],
};

describe('expose requests', () => {
  it('lists what has come, and what was refused', async () => {
    const { log } = await startPreview();
    log.add({ target: '/hooks/a?x=1', body: Buffer.from('hi'), verified: 'github' });
    log.add({ method: 'PUT', refusal: 'it has no key', answer: { status: 401, durationMs: 1 } });
    log.add({ answer: undefined, isFinished: false, handshake: 'slack' });
    log.add({ answer: undefined, duplicateOf: 1 });
    log.add({ answer: undefined, problem: 'the app closed the connection' });
    const { code, out } = await expose('requests');
    expect(code).toBe(0);
    expect(out.split('\n')).toEqual([
      '    1  00:00:00  POST    /hooks/a?x=1  → 200  2 bytes  signed (github)',
      '    2  00:00:00  PUT     /hooks/gh  → 401  0 bytes  refused: it has no key',
      '    3  00:00:00  POST    /hooks/gh  no answer yet  0 bytes  handshake (slack)',
      '    4  00:00:00  POST    /hooks/gh  no answer  0 bytes  again (first: 1)',
      '    5  00:00:00  POST    /hooks/gh  no answer  0 bytes  problem: the app closed the connection',
      '',
    ]);
    expect((await expose('requests', '--path', '/hooks/a')).out.trim().split('\n')).toHaveLength(1);
    expect((await expose('requests', '--method', 'put', '--since', '1')).out).toMatch(/^ {4}2 .*\n$/);
  });

  it('prints JSON with the bodies', async () => {
    const { log } = await startPreview();
    log.add(JSON_POST);
    const { out } = await expose('requests', '--json');
    expect(JSON.parse(out)).toMatchObject({
      success: true,
      last_id: 1,
      requests: [{ id: 1, body: String(JSON_POST.body) }],
    });
  });

  it('says that there are none', async () => {
    await startPreview();
    expect(await expose('requests')).toEqual({ code: 0, out: '', err: 'expose requests: there are none\n' });
  });

  it('prints one request with its header and its body, indented if it is JSON', async () => {
    const { log } = await startPreview();
    log.add(JSON_POST);
    const { out } = await expose('requests', '1');
    expect(out.split('\n').slice(1)).toEqual([
      '',
      'Content-Type: application/json',
      '',
      '{',
      '  "action": "opened",',
      '  "id": 12345678901234567890,',
      '  "tags": [],',
      '  "user": {',
      '    "name": "Zoë"',
      '  }',
      '}',
      '',
    ]);
    expect(JSON.parse((await expose('requests', '1', '--json')).out)).toMatchObject({
      id: 1,
      method: 'POST',
    });
  });

  it('shows people no credentials and signatures, and programs everything', async () => {
    const { log } = await startPreview();
    const rawHeaders = ['X-Hub-Signature-256', 'sha256=geheim'];
    log.add({ target: '/hooks/gh?token=geheim', rawHeaders, body: Buffer.from('{"api_key":"geheim"}') });
    for (const args of [['requests'], ['requests', '1'], ['wait']]) {
      const { out, err } = await expose(...args);
      expect(out).toContain('/hooks/gh?token=[redacted]');
      expect(out + err).not.toContain('geheim');
      expect((await expose(...args, '--json')).out).toContain('sha256=geheim');
    }
  });

  it('prints bytes that are no text as hexadecimal, and says what is left out', async () => {
    const { log } = await startPreview();
    log.add({ body: Buffer.from([0xff, 0x00, 0x41, 0x42]) });
    log.add({ body: Buffer.alloc(1_000, 0xff) });
    log.add({ body: Buffer.from('cut'), bodyBytes: 5_000_000 });
    expect((await expose('requests', '1')).out).toMatch(/\n00000000 {2}ff 00 41 42 +\.\.AB\n$/);
    expect((await expose('requests', '2')).out).toMatch(
      /\n000001f0 .*\n… \(1000 bytes in all; --json prints what is kept\)\n$/,
    );
    expect((await expose('requests', '3')).out).toMatch(/\ncut\n… \(5000000 bytes in all/);
  });

  it('makes what strangers sent harmless for the terminal and for the runner', async () => {
    const { log } = await startPreview();
    const nasty = '\u001b]0;owned\u0007::set-env name=a::b\r::add-path::x\n::error::y';
    log.add({
      target: `/hooks/${nasty}`,
      method: nasty,
      body: Buffer.from(nasty),
      rawHeaders: ['X-A', nasty],
    });
    for (const args of [['requests'], ['requests', '1'], ['wait', '--method', 'X', '--timeout', '1s']]) {
      const { out, err } = await expose(...args);
      expect(findCommands(out + err)).toEqual([]);
      expect(out + err).not.toContain('\u001b');
    }
  });

  it('makes JSON harmless for them too, and it says the same', async () => {
    const { log } = await startPreview();
    const body = '##[stop-commands]x \u009b31m\u202e';
    log.add({ body: Buffer.from(body) });
    for (const args of [['requests'], ['requests', '1'], ['wait', '--timeout', '5s']]) {
      const { out } = await expose(...args, '--json');
      expect(findCommands(out)).toEqual([]);
      expect(out).not.toMatch(/[\u009b\u202e]/);
      expect(JSON.stringify(JSON.parse(out))).toContain(body);
    }
  });

  it('follows: prints each request once, when it has its answer, until the preview ends', async () => {
    const { log, api } = await startPreview();
    log.add();
    log.add({ target: '/hooks/other' });
    const request = log.add({ answer: undefined, isFinished: false });
    const following = expose('requests', '--follow', '--path', '/hooks/gh');
    await waitUntil(() => printed.out.includes('POST'), 'the first is printed');
    log.finish(request, { status: 204, durationMs: 1 });
    await waitUntil(() => printed.out.includes('204'), 'the last is printed');
    await api.stop();
    const { code, out } = await following;
    expect(code).toBe(0);
    expect(
      out
        .trim()
        .split('\n')
        .map(line => line.trim().split(' ')[0]),
    ).toEqual(['1', '3']);
  });

  it.each([
    [['requests', '7'], 1, /there is no request 7: none has been captured yet/],
    [['requests', 'x'], 2, /`id` is 'x'/],
    [['requests', '1', '--path', '/x'], 2, /an ID names one request: leave out --path/],
    [['requests', '1', '--follow'], 2, /leave out --follow/],
    [['requests', '--path', 'x'], 2, /`path` has 'x', which does not begin with \//],
    [['requests', '--follow', '--path', 'x'], 2, /`path` has 'x', which does not begin with \//],
  ])('%j ends with exit code %i and one message', async (args, code, message) => {
    await startPreview();
    expect(await expose(...args)).toEqual({ code, out: '', err: expect.stringMatching(message) });
  });
});

describe('expose wait', () => {
  it('prints the request that comes', async () => {
    const { log } = await startPreview();
    const waiting = expose(
      'wait',
      '/hooks/*',
      '--match',
      'json:$.action=opened',
      '--match',
      'header:content-type=application/json',
    );
    await waitUntil(() => log.listeners === 2, 'it waits');
    log.add();
    log.add(JSON_POST);
    expect(await waiting).toEqual({
      code: 0,
      err: '',
      out: expect.stringMatching(/^ {4}2 .* POST {4}\/hooks\/gh {2}→ 200 .*\n$/),
    });
  });

  it('prints JSON for programs, and nothing else', async () => {
    const { log } = await startPreview();
    log.add(JSON_POST);
    log.add(JSON_POST);
    const { code, out, err } = await expose('wait', '--count', '2', '--json');
    expect([code, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toMatchObject({
      success: true,
      count: 2,
      last_id: 2,
      requests: [{ id: 1 }, { id: 2 }],
    });
  });

  it('ends with exit code 124 and a report when the time is up', async () => {
    const { log } = await startPreview();
    log.add(JSON_POST);
    const { code, out, err } = await expose('wait', '--match', 'json:$.action=closed', '--timeout', '1s');
    expect([code, out]).toEqual([124, '']);
    expect(err).toMatch(
      /^expose wait: no request matched within 1s; .*\ndid not match:\n {2}1 POST \/hooks\/gh → 200: json:\$\.action is "opened", not "closed"\n/,
    );
    const failure = await expose('wait', '--since', '1', '--timeout', '1s', '--json');
    expect([failure.code, failure.err]).toEqual([124, '']);
    expect(JSON.parse(failure.out)).toMatchObject({ success: false, status: 408, matched: 0 });
  });

  it('ends with exit code 1 when the preview ends', async () => {
    const { log, ending } = await startPreview();
    const waiting = expose('wait');
    await waitUntil(() => log.listeners === 2, 'it waits');
    ending.abort(new Error('the preview has ended: stopped'));
    expect(await waiting).toMatchObject({ code: 1, err: 'expose wait: the preview has ended: stopped\n' });
  });

  it('ends with exit code 1 when the process of the preview dies', async () => {
    const { log, api } = await startPreview();
    const waiting = expose('wait');
    await waitUntil(() => log.listeners === 2, 'it waits');
    await api.stop();
    expect(await waiting).toMatchObject({ code: 1, err: 'expose wait: the preview ended during the wait\n' });
  });

  it('redraws one line in a terminal, and clears it at the end', async () => {
    const { log } = await startPreview();
    const { isTTY } = process.stderr;
    closers.push(() => Object.assign(process.stderr, { isTTY }));
    process.stderr.isTTY = true;
    log.add({ refusal: 'no key' });
    const waiting = expose('wait', '/hooks/**', '--method', 'post');
    await waitUntil(() => printed.err.includes('1 refused'), 'the line is drawn');
    log.add();
    const { err } = await waiting;
    expect(err).toMatch(
      /^(\r\u001b\[2Kwaiting for post \/hooks\/\*\* … \d+s: 0 of 1 came(, 1 refused)?)+.*\r\u001b\[2K$/,
    );
    expect(err).not.toContain('\n');
  });

  it.each([
    [['wait', '/other'], 2, /requests to \/other are not captured, only those to \/hooks\/\*\*/],
    [['wait', '--match', 'json:x=1'], 2, /`match` has 'json:x=…': its path does not begin with \$/],
    [['wait', '--count', '0'], 2, /`count` is '0'/],
    [['wait', '--timeout', '5'], 2, /`timeout` is '5', which is not a duration/],
    [['wait', '--since', '9'], 2, /`since` is 9, but no request has come yet/],
    [['wait', '/a', '/b'], 2, /unexpected argument '\/b'/],
    [['wait', '--session', 'x'], 2, /no exposure is called 'x' here/],
  ])('%j ends with exit code %i and one message', async (args, code, message) => {
    await startPreview();
    expect(await expose(...args)).toEqual({ code, out: '', err: expect.stringMatching(message) });
  });

  it('of several previews needs to know which', async () => {
    await startPreview('one');
    const { log } = await startPreview('two');
    log.add();
    expect(await expose('wait')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/several exposures are here.*\(one\).*\(two\)|several.*\(two\).*\(one\)/),
    });
    expect((await expose('wait', '--session', 'two')).code).toBe(0);
  });

  it('for a preview that has ended fails at once', async () => {
    const { folder } = await startPreview();
    writeOutcome(folder, sampleEnd({ kind: 'ended', reason: 'stopped', endedAt: new Date() }));
    expect(await expose('wait')).toMatchObject({
      code: 1,
      err: 'expose wait: web has ended, so no request can come\n',
    });
    expect(await expose('requests')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/web has ended, and its captured requests with it/),
    });
  });
});
