// `expose replay` against the control API of this process, as if it were a preview's.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { startControlApi } from '../../src/control/api.ts';
import { recordProcess } from '../../src/shared/processes.ts';
import { type ReplayAnswer, ReplayError, type ReplayOrder } from '../../src/shared/replay.ts';
import { createSessionFolder, writeSession } from '../../src/supervisor/session-folder.ts';
import { useClosers } from '../support/closers.ts';
import { controlsWith } from '../support/controls.ts';
import { FakeRequestLog } from '../support/request-log.ts';
import { runPrinting } from '../support/run-command.ts';

const closers = useClosers();
const TOKEN = 'a-token-of-this-test';
afterEach(() => vi.restoreAllMocks());

/** Runs the command; `answer` gets the order. */
async function replay(args: readonly string[], answer: (order: ReplayOrder) => Partial<ReplayAnswer>) {
  const temp = mkdtempSync(join(tmpdir(), 'replay-'));
  const requests = new FakeRequestLog({ kind: 'unsafe methods' });
  requests.add();
  const controls = controlsWith({
    requests,
    replay: async (_, order) => ({
      ...{
        id: 2,
        status: 200,
        headers: [],
        body: Buffer.from('fine'),
        bodyBytes: 4,
        durationMs: 7,
        hint: undefined,
      },
      ...answer(order),
    }),
  });
  const api = await startControlApi(controls, TOKEN);
  closers.push(
    () => api.stop(),
    () => rmSync(temp, { recursive: true }),
  );
  const folder = createSessionFolder(temp);
  writeSession({ folder, name: 'it', controlToken: TOKEN }, recordProcess(process.pid, 'test'), api.url);
  return runPrinting(['replay', ...args], temp);
}

it('prints status, time and the beginning of the body, without control characters', async () => {
  const body = Buffer.from('{"a":1}\n\x1b[31mred\n');
  expect(await replay(['1'], () => ({ body, bodyBytes: body.length }))).toEqual({
    code: 0,
    out: expect.stringMatching(/^request 1 was answered with 200 after 7 ms\n\n\{"a":1\}\n[^\x1b]*red\n$/),
    err: '',
  });
});

it('says how long the rest is, and does not print what is no text', async () => {
  const long = await replay(['1'], () => ({ body: Buffer.alloc(9_000, 'a'), bodyBytes: 9_000 }));
  expect(long.out).toMatch(/\na{2000}\n… \(9000 bytes in all; --json shows more\)\n$/);
  const binary = await replay(['1'], () => ({ body: Buffer.from([0xff]), bodyBytes: 1 }));
  expect(binary.out).toMatch(/\n\n\(1 byte, not text\)\n$/);
});

it('passes --to and --re-sign on, and prints the whole answer with --json', async () => {
  const orders: ReplayOrder[] = [];
  const args = ['1', '--to', 'http://localhost:3000/hooks', '--re-sign', '--json'];
  const { code, out } = await replay(args, order => {
    orders.push(order);
    return {};
  });
  expect([code, JSON.parse(out)]).toEqual([0, expect.objectContaining({ status: 200, body: 'fine' })]);
  expect(orders).toEqual([{ to: new URL('http://localhost:3000/hooks'), reSign: true }]);
});

it('exits with 1 if the app refused the request, and prints the hint beside the answer', async () => {
  const { code, out, err } = await replay(['1'], () => ({ status: 401, hint: 'the signature is old' }));
  expect([code, err]).toEqual([1, 'expose replay: the signature is old\n']);
  expect(out).toMatch(/^request 1 was answered with 401 /);
});

it('exits with 1 and the reason if there is no answer', async () => {
  const { code, out, err } = await replay(['1'], () => {
    throw new ReplayError('app away', 'the app is restarting');
  });
  expect([code, out, err]).toEqual([1, '', 'expose replay: the app is restarting\n']);
});
