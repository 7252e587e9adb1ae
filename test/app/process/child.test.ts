// Programs as children: their lines, their environment and their end.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { type ChildOptions, describeEnd, startChild } from '../../../src/app/process/child.ts';
import { findFreePort } from '../../../src/app/process/free-port.ts';
import { AppError, hasCode } from '../../../src/shared/errors.ts';
import { isRunning } from '../../support/running.ts';

describe('startChild', () => {
  it('reports both streams line by line, including the unfinished last line', async () => {
    const lines: string[] = [];
    const child = await startChild(bash('printf "one\\r\\ntwo\\n"; printf "häl" >&2; printf "f" >&2', lines));
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(lines.sort()).toEqual(['hälf', 'one', 'two']);
  });

  it('keeps the last 20 lines', async () => {
    const child = await startChild(bash('seq 1 50; exit 3'));
    expect(await child.ended).toEqual({ code: 3, signal: null });
    expect(child.lastLines()).toEqual(Array.from({ length: 20 }, (_, index) => String(index + 31)));
  });

  it('cuts a line that never ends into pieces', async () => {
    const lines: string[] = [];
    const child = await startChild(bash('head -c 100000 /dev/zero | tr "\\0" x', lines));
    await child.ended;
    expect(lines.join('')).toHaveLength(100_000);
    expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(16_384);
  });

  it('gives the program only the environment that the caller passes (secrets to the child)', async () => {
    process.env.SECRET_OF_THE_JOB = 'leak';
    const lines: string[] = [];
    const child = await startChild({ ...bash('/usr/bin/env', lines), environment: { GREETING: 'hello' } });
    await child.ended;
    delete process.env.SECRET_OF_THE_JOB;
    expect(lines).toContain('GREETING=hello');
    expect(lines.join('\n')).not.toContain('leak');
  });

  it('reports the child synchronously after the spawn', async () => {
    const seen: unknown[] = [];
    const starting = startChild({ ...bash('true'), onChild: child => seen.push(child) });
    expect(seen).toHaveLength(1);
    const child = await starting;
    expect(seen).toEqual([{ pid: child.pid, role: 'the command' }]);
    await child.ended;
  });

  it('names the missing program and the remedy', async () => {
    const failure = await startChild({ ...bash(''), command: 'no-such-program' }).catch(error => error);
    expect(failure).toBeInstanceOf(AppError);
    expect(failure.message).toBe(
      'the command cannot start: the program no-such-program was not found; install it, or put its folder on PATH',
    );
    expect(hasCode(failure.cause, 'ENOENT')).toBe(true);
    expect(failure.restartable).toBe(false);
  });

  it('does not mistake a missing folder for a missing program', async () => {
    await expect(startChild({ ...bash('true'), cwd: '/no/such/folder' })).rejects.toThrow(
      'its folder /no/such/folder does not exist',
    );
  });

  it('stops grandchildren too, and may be stopped twice', async () => {
    const lines: string[] = [];
    const child = await startChild(bash('sleep 600 & echo $!; wait', lines));
    const grandchild = Number(await waitForLine(lines));
    await Promise.all([child.stop(), child.stop()]);
    await child.stop();
    expect(isRunning(grandchild)).toBe(false);
    expect(describeEnd(await child.ended)).toBe('by signal SIGTERM');
  });

  it('kills a group that ignores SIGTERM', async () => {
    const lines: string[] = [];
    const child = await startChild(bash('trap "" TERM; echo ready; while :; do sleep 1; done', lines));
    await waitForLine(lines);
    await child.stop(50);
    expect(await child.ended).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('reports the end although a grandchild keeps the pipes open, and stops the grandchild, too', async () => {
    const lines: string[] = [];
    const child = await startChild(bash('sleep 600 & echo $!; exit 7', lines));
    expect(await child.ended).toEqual({ code: 7, signal: null });
    const grandchild = Number(lines[0]);
    expect(isRunning(grandchild)).toBe(true);
    await child.stop();
    expect(isRunning(grandchild)).toBe(false);
  });
});

describe('findFreePort', () => {
  it('finds a port that can be listened on', async () => {
    const port = await findFreePort();
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
  });
});

function bash(script: string, lines: string[] = []): ChildOptions {
  return {
    command: 'bash',
    args: ['-c', script],
    cwd: tmpdir(),
    environment: { PATH: process.env.PATH ?? '' },
    role: 'the command',
    onLine: line => lines.push(line),
    onChild: () => undefined,
  };
}

async function waitForLine(lines: readonly string[]): Promise<string> {
  return await expect
    .poll(() => lines[0], { timeout: 10_000 })
    .toBeDefined()
    .then(() => lines[0] ?? '');
}
