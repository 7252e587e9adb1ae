// The file with all captured requests.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { expect, it } from 'vitest';
import {
  RequestsFile,
  type RequestsFileOptions,
} from '../../../../src/gateway/webhooks/record/requests-file.ts';
import { createRedactor } from '../../../../src/shared/redaction.ts';
import {
  describeRequest,
  type RequestMessage,
  RequestMessageSchema,
} from '../../../../src/shared/request-json.ts';
import { useClosers } from '../../../support/closers.ts';
import { FakeRequestLog } from '../../../support/request-log.ts';
import { findCommands } from '../../../support/runner-commands.ts';
import { scale } from '../../../support/scale.ts';
import { waitUntil } from '../../../support/wait-until.ts';

/** The child may be faster than the disk. */
const LineSchema = v.union([RequestMessageSchema, v.object({ missing: v.object({ count: v.number() }) })]);

const closers = useClosers();

function open(options: Partial<RequestsFileOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'requests-file-'));
  closers.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'requests.ndjson');
  const requests = new FakeRequestLog({ kind: 'none' });
  const problems: string[] = [];
  const file = new RequestsFile({
    path,
    requests,
    redact: message => message,
    onProblem: problem => void problems.push(problem),
    ...options,
  });
  return { path: options.path ?? path, requests, file, problems };
}

function readLines(path: string): unknown[] {
  const text = readFileSync(path, 'utf8');
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line));
}

/** As a reader should do it: the last line of each id counts. */
function readRequests(path: string): RequestMessage[] {
  const last = new Map<number, RequestMessage>();
  for (const line of readLines(path)) {
    const request = v.parse(RequestMessageSchema, line);
    last.set(request.id, request);
  }
  return [...last.values()].sort((one, other) => one.id - other.id);
}

it('is there from the beginning, empty, and only its user can read it', () => {
  const { path } = open();
  expect(readFileSync(path, 'utf8')).toBe('');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it('holds no workflow command that its sender has written: a step may print it', async () => {
  const { path, requests, file } = open();
  requests.add({ body: Buffer.from('##[stop-commands]x'), target: '/hooks/##[error]y' });
  await file.close();
  expect(findCommands(readFileSync(path, 'utf8'))).toEqual([]);
  expect(readLines(path)).toMatchObject([{ body: '##[stop-commands]x', target: '/hooks/##[error]y' }]);
});

it('has room for the requests that were let in, however many were refused', async () => {
  const { path, requests, file, problems } = open({ maxBytes: 64 * 1024 });
  for (let count = 1; count <= 200; count += 1) {
    requests.add({ refusal: 'it had no key', body: Buffer.alloc(500, 'x') });
    if (count % 20 === 0)
      await waitUntil(
        () => problems.length > 0 || readLines(path).length === count,
        'the refused ones are written',
      );
  }
  requests.add({ target: '/hooks/good' });
  await file.close();
  expect(statSync(path).size).toBeLessThan(32 * 1024);
  expect(readRequests(path).at(-1)).toMatchObject({ target: '/hooks/good', refusal: null });
  expect(problems).toEqual([expect.stringContaining('no more refused requests')]);
});

it('gets a request once that is finished: a slow one holds up none behind it', async () => {
  const { path, requests, file } = open();
  const slow = requests.add({ isFinished: false, answer: undefined });
  requests.add({ refusal: 'it had no key' });
  await waitUntil(() => readLines(path).length === 1, 'the second request is written');
  requests.finish(slow);
  await waitUntil(() => readLines(path).length === 2, 'the slow one is written');
  expect(readLines(path)).toMatchObject([
    { id: 2, refusal: 'it had no key' },
    { id: 1, status: 200 },
  ]);
  await file.close();
});

it('holds in the end what memory holds: text, binary and large bodies, changes, and requests without an answer', async () => {
  const { path, requests, file } = open();
  for (let index = 0; index < 300; index += 1)
    requests.add({
      body: Buffer.from(`{"n":${index},"text":"\\u2028 😀 \\u0000"}`),
      target: `/hooks/${index}`,
    });
  requests.add({ body: Buffer.from([0xff, 0, 0x0a, 0x80]), method: 'PUT', problem: 'it broke' });
  requests.add({ body: Buffer.alloc(1024 ** 2, 'x') });
  const queued = requests.add({ answer: { status: 202, durationMs: 1 } });
  requests.add({ isFinished: false, answer: undefined });
  await waitUntil(() => readLines(path).length >= 303, 'all that are finished are written');
  const outcome = { kind: 'delivered', at: new Date(5), status: 500, durationMs: 9 } as const;
  Object.assign(queued, { delivery: { queuedAt: new Date(4), attempts: 2, outcome } });
  requests.finish(queued);
  await file.close();
  expect(readRequests(path)).toEqual(requests.list().map(request => describeRequest(request)));
  expect(
    readLines(path).filter(line => v.is(RequestMessageSchema, line) && line.id === queued.id),
  ).toHaveLength(2);
});

it('shows of a body above 1 MB the first MB, as text without a broken character', async () => {
  const { path, requests, file } = open();
  requests.add({ body: Buffer.from(`a${'é'.repeat(1024 ** 2)}`) });
  await file.close();
  const [request] = readRequests(path);
  expect(request).toMatchObject({ body_bytes: 1 + 2 * 1024 ** 2, body_encoding: 'utf8' });
  expect(request?.body).toBe(`a${'é'.repeat(1024 ** 2 / 2 - 1)}`);
});

it('shows no credentials', async () => {
  const { path, requests, file } = open({ redact: createRedactor() });
  requests.add({
    target: '/a?token=abc',
    rawHeaders: ['Authorization', 'Bearer abc'],
    body: Buffer.from('{"token":"abc"}'),
  });
  await file.close();
  expect(readFileSync(path, 'utf8')).not.toContain('abc');
});

it('goes on behind a request that cannot be written', async () => {
  const { path, requests, file, problems } = open({
    redact: message => {
      if (message.id === 2) throw new Error('a bug');
      return message;
    },
  });
  for (let index = 0; index < 3; index += 1) requests.add();
  await file.close();
  expect(readLines(path)).toMatchObject([{ id: 1 }, { missing: { count: 1 } }, { id: 3 }]);
  expect(problems).toEqual([expect.stringMatching(/^requests-file misses a request .*a bug$/)]);
});

it('ends with a line that says so when it has become too long', async () => {
  const { path, requests, file, problems } = open({ maxBytes: 10_000 });
  for (let index = 0; index < 100; index += 1) {
    requests.add({ body: Buffer.alloc(100, 'x') });
    await waitUntil(() => readLines(path).length > index || problems.length > 0, 'it is written');
  }
  await file.close();
  const lines = readLines(path);
  expect(statSync(path).size).toBeLessThanOrEqual(10_000);
  expect(lines.length).toBeGreaterThan(10);
  expect(lines.at(-1)).toEqual({ cut: { at: expect.any(String), max_bytes: 10_000 } });
  expect(problems).toEqual([expect.stringMatching(/^requests-file has reached 10000 bytes, and ends there/)]);
});

it('says once that the disk is full', async () => {
  const { requests, file, problems } = open({ path: '/dev/full' });
  for (let index = 0; index < 3; index += 1) requests.add();
  await waitUntil(() => problems.length > 0, 'the problem is told');
  requests.add();
  await file.close();
  expect(problems).toEqual([expect.stringMatching(/^requests-file misses requests.*ENOSPC/)]);
});

it('counts what a full disk kept out, once there is room again, and has whole lines only', async () => {
  const { path, requests, file, problems } = open();
  requests.add();
  await waitUntil(() => readLines(path).length === 1, 'the first is written');
  const { size } = statSync(path);
  // As a full disk does it: a part of the line fits.
  const limit = await limitFiles(size + 100);
  requests.add();
  requests.add();
  await waitUntil(() => problems.length === 1, 'the problem is told');
  await waitUntil(() => statSync(path).size === size, 'the part is removed');
  await limitFiles(limit);
  requests.add();
  await file.close();
  expect(readLines(path)).toMatchObject([{ id: 1 }, { missing: { count: 2 } }, { id: 4 }]);
});

/** Sets how long the files of this process may become, in bytes; resolves with the limit before. */
async function limitFiles(bytes: number | 'unlimited'): Promise<'unlimited'> {
  const child = spawn('prlimit', [`--pid=${process.pid}`, `--fsize=${bytes}:unlimited`]);
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
  return 'unlimited';
}

it('is whole up to the last line if the process is killed in a burst', { timeout: 60_000 }, async () => {
  const script = fileURLToPath(new URL('../../../support/requests-file-child.ts', import.meta.url));
  for (let round = 0; round < scale(4, 40); round += 1) {
    const { path, file } = open();
    await file.close();
    const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    await waitUntil(() => statSync(path).size > round * 100_000, 'it is in the middle');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lines = readFileSync(path, 'utf8').split('\n');
    const whole = lines.slice(0, -1).map(line => v.parse(LineSchema, JSON.parse(line)));
    const ids = whole.flatMap(line => ('id' in line ? line.id : []));
    expect(ids.length).toBeGreaterThan(0);
    expect(ids).toEqual(ids.toSorted((one, other) => one - other));
  }
});
