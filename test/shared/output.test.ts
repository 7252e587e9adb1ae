// Writing to readers that are slow or gone, and to full disks.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LineOutput, LogFile } from '../../src/shared/output.ts';
import { waitUntil } from '../support/wait-until.ts';

const MB = 1 << 20;

/** A socket to write to, and its other end, which is not read until `resume`. */
async function openSlowReader(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far };
}

function open(name: string, flags: number): number {
  const file = openSync(name, flags);
  onTestFinished(() => closeSync(file));
  return file;
}

function makeTemp(): string {
  const folder = mkdtempSync(join(tmpdir(), 'output-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe('lines for a slow reader', () => {
  it('wait up to a limit; further ones are left out and counted', async () => {
    const { near, far } = await openSlowReader();
    const output = new LineOutput(near);
    for (let count = 0; count < 300_000; count += 1) output.writeLine(`line ${count} ${'x'.repeat(40)}`);
    expect(near.writableLength).toBeLessThan(1.1 * MB);
    let received = '';
    far.setEncoding('latin1').on('data', text => {
      received += text;
    });
    far.resume();
    await waitUntil(() => received.includes('lines left out'), 'the number of skipped lines arrives');
    output.writeLine('the end');
    await waitUntil(() => received.endsWith('the end\n'), 'a later line arrives');
    const left = Number(
      /^… (\d+) lines left out: they came faster than they were read$/m.exec(
        Buffer.from(received, 'latin1').toString('utf8'),
      )?.[1],
    );
    expect(received.match(/^line \d+ x{40}$/gm)?.length).toBe(300_000 - left);
  });

  it('are dropped once the reader is gone: one report, no error', async () => {
    const { near, far } = await openSlowReader();
    const reasons: string[] = [];
    const output = new LineOutput(near, reason => reasons.push(reason));
    far.resetAndDestroy();
    await waitUntil(() => {
      output.writeLine('is anybody there?');
      return output.isLost;
    }, 'it is noticed');
    for (let count = 0; count < 100; count += 1) output.writeLine('nobody');
    expect(reasons).toEqual([expect.stringMatching(/EPIPE|ECONNRESET/)]);
  });

  it('no longer listen to the stream once they are released', async () => {
    const { near } = await openSlowReader();
    const count = () => near.listenerCount('drain') + near.listenerCount('error');
    const before = count();
    const output = new LineOutput(near);
    expect(count()).toBe(before + 2);
    output.release();
    expect(count()).toBe(before);
  });
});

describe.skipIf(process.platform === 'win32')('a log file', () => {
  it('loses lines on a full disk, reports that once, and throws nothing', () => {
    const reasons: string[] = [];
    const log = new LogFile(open('/dev/full', constants.O_WRONLY), MB, reason => reasons.push(reason));
    for (let count = 0; count < 100; count += 1) log.writeLine('lost', true);
    expect(reasons).toEqual([expect.stringContaining('ENOSPC')]);
  });

  it('continues on a new line when there is room again, and says how many lines are missing', () => {
    const fifo = join(makeTemp(), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const file = open(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const reasons: string[] = [];
    const log = new LogFile(file, 100 * MB, reason => reasons.push(reason));
    while (reasons.length === 0) log.writeLine('y'.repeat(999), false);
    log.writeLine('y'.repeat(999), false);
    const buffer = Buffer.alloc(4 * MB);
    const before = buffer.toString('latin1', 0, readSync(file, buffer));
    log.writeLine('back', false);
    const after = buffer.toString('latin1', 0, readSync(file, buffer));
    expect(`${before}${after}`.split('\n').slice(-3)).toEqual(['(lines missing here: 1)', 'back', '']);
    expect(new Set(reasons).size).toBe(1);
  });

  it('takes only errors once it is full', () => {
    const name = join(makeTemp(), 'log');
    const log = new LogFile(open(name, constants.O_WRONLY | constants.O_CREAT), 100, () => {});
    for (let count = 0; count < 20; count += 1) log.writeLine('0123456789', false);
    log.writeLine('a mistake', true);
    expect(log.isFull).toBe(true);
    const lines = readFileSync(name, 'latin1').split('\n');
    expect(lines.slice(-4)).toEqual(['0123456789', 'the log is full; only errors follow', 'a mistake', '']);
    expect(lines).toHaveLength(13);
  });
});
