// `expose verify`, on saved requests and on recorded ones of a control API in this process.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { startControlApi } from '../../src/control/api.ts';
import { checkSignature } from '../../src/exposure/signature-check.ts';
import { parseRules } from '../../src/gateway/webhooks/verify/parse-rules.ts';
import { recordProcess } from '../../src/shared/processes.ts';
import { createSessionFolder, writeSession } from '../../src/supervisor/session-folder.ts';
import { useClosers } from '../support/closers.ts';
import { controlsWith } from '../support/controls.ts';
import { FakeRequestLog } from '../support/request-log.ts';
import { runPrinting } from '../support/run-command.ts';

const closers = useClosers();
const TOKEN = 'a-token-of-this-test';
afterEach(() => vi.restoreAllMocks());

// docs.github.com, "Validating webhook deliveries".
const SECRET = "It's a Secret to Everybody";
const BODY = 'Hello, World!';
const SIGNATURE = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';

/** Runs the command in a folder with the files `secret` and `body`, beside a preview with one recorded request. */
async function verify(args: readonly string[], rules = '') {
  const folder = mkdtempSync(join(tmpdir(), 'verify-'));
  closers.push(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'secret'), `${SECRET}\n`);
  writeFileSync(join(folder, 'body'), BODY);
  const requests = new FakeRequestLog({ kind: 'unsafe methods' });
  requests.add({
    target: '/hooks/github?a=b',
    rawHeaders: ['x-hub-signature-256', SIGNATURE],
    body: Buffer.from(BODY),
    bodyBytes: BODY.length,
  });
  const controls = controlsWith({
    requests,
    checkSignature: question => checkSignature(question, parseRules(rules), 'http://bore.example:1'),
  });
  const api = await startControlApi(controls, TOKEN);
  closers.push(() => api.stop());
  const session = createSessionFolder(folder);
  writeSession(
    { folder: session, name: 'it', controlToken: TOKEN },
    recordProcess(process.pid, 'x'),
    api.url,
  );
  const complete = (arg: string) => arg.replace('FOLDER', folder);
  const printed = await runPrinting(['verify', ...args.map(complete)], folder);
  expect(`${printed.out}${printed.err}`).not.toContain(SECRET);
  return printed;
}

const SAVED = ['--provider', 'github', '--secret-file', 'FOLDER/secret', '--body-file', 'FOLDER/body'];

it('says that a saved request is signed rightly, and exits with 0', async () => {
  const header = ['--header', 'Accept: */*', '--header', `X-Hub-Signature-256: ${SIGNATURE}`];
  expect(await verify([...SAVED, ...header])).toEqual({
    code: 0,
    out: 'right: signed for github\n',
    err: '',
  });
  const { code, out } = await verify([...SAVED, ...header, '--json']);
  expect([code, JSON.parse(out)]).toEqual([
    0,
    { success: true, right: true, verified: 'github', handshake: null, reason: null },
  ]);
});

it('says what is wrong with a saved request, and exits with 1', async () => {
  expect(await verify(SAVED)).toEqual({
    code: 1,
    out: 'wrong: it is not signed: it has no X-Hub-Signature-256\n',
    err: '',
  });
  const header = ['--header', `X-Hub-Signature-256: ${SIGNATURE.replace('7', '8')}`];
  expect((await verify([...SAVED, ...header])).out).toMatch(
    /^wrong: its signature does not match the github secret/,
  );
});

it('takes the options of a rule, the URL and the time', async () => {
  const other = [...SAVED.with(1, 'hmac-sha256'), '--header', `X-Mine: ${SIGNATURE}`];
  expect((await verify([...other, '--option', 'header=X-Mine', '--option', 'prefix=sha256='])).code).toBe(0);
  const slack = [...SAVED.with(1, 'slack'), '--header', 'X-Slack-Request-Timestamp: 1531420618'];
  const stale = await verify([...slack, '--header', 'X-Slack-Signature: v0=1', '--at', '1531420618']);
  expect(stale.out).toContain('does not match');
});

it('checks a recorded request by the rules of the preview, or by another rule', async () => {
  const rule = `github /hooks/github "${SECRET}"`;
  expect(await verify(['1'], rule)).toEqual({ code: 0, out: 'right: signed for github\n', err: '' });
  expect((await verify(['1'], 'github /hooks/* another-secret')).code).toBe(1);
  expect((await verify(['1', ...SAVED.slice(0, 4)])).code).toBe(0);
  const none = await verify(['1']);
  expect([none.code, none.err]).toEqual([expect.any(Number), expect.stringContaining('no rule of `verify`')]);
  expect((await verify(['7'], rule)).err).toContain('there is no request 7');
});

it.each([
  [[], /which provider\? Give --provider, or the id/],
  [['--provider', 'github'], /which secret\? Give --secret-file/],
  [['--provider', 'gihub', '--secret-file', 'FOLDER/secret'], /did you mean github\?/],
  [['--provider', 'github', '--secret-file', 'FOLDER/none'], /--secret-file .*none cannot be read/],
  [[...SAVED.slice(0, 4), '--body-file', 'FOLDER/none'], /--body-file .*none cannot be read/],
  [[...SAVED, '--header', 'nonsense'], /--header is not written like/],
  [[...SAVED, '--option', 'nonsense'], /--option is not written like/],
  [[...SAVED, '--option', 'header=X'], /`header` is only for hmac-sha256/],
  [[...SAVED, '--url', '/x'], /--url is '\/x'/],
  [[...SAVED, '--at', 'now'], /--at is 'now'/],
  [['1', '--body-file', 'FOLDER/body'], /--body-file describes a saved request/],
  [['first'], /'first' is not the id of a request/],
])('refuses wrong usage with 2: %j', async (args, message) => {
  const { code, err } = await verify(args);
  expect(err).toMatch(message);
  expect(code).toBe(2);
});
