import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  endProcess,
  findAncestor,
  isAlive,
  readStartTime,
  recordProcess,
} from '../../src/shared/processes.ts';
import { readJournal, reapJournal, writeJournal } from '../../src/supervisor/journal.ts';
import { isRunning } from '../support/running.ts';

const GRACE_MS = 5_000;

let journal: string;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'processes-'));
  journal = join(folder, 'journal');
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

/** A child in a group of its own; resolves when it has printed a line. */
async function start(script: string): Promise<{ child: ChildProcess; pid: number; line: string }> {
  const child = spawn('bash', ['-c', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const { pid } = child;
  if (pid === undefined) throw new Error('no bash');
  onTestFinished(() => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // gone, as it should be
    }
  });
  const [line] = await once(child.stdout, 'data');
  return { child, pid, line: String(line).trim() };
}

const SLEEP = 'echo up; exec sleep 300';

describe('a recorded process', () => {
  it('is alive until it has ended', async () => {
    const { child, pid } = await start(SLEEP);
    const record = recordProcess(pid, 'sleep');
    expect(isAlive(record)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isAlive(record)).toBe(false);
  });

  it('is never signalled where its number belongs to a process of another start time', async () => {
    const { pid } = await start(SLEEP);
    const recycled = { ...recordProcess(pid, 'somebody before'), startTime: '1' };
    expect(isAlive(recycled)).toBe(false);
    writeJournal(journal, recycled);
    await endProcess(recycled, GRACE_MS);
    expect(await reapJournal(journal, GRACE_MS)).toEqual([]);
    expect(isRunning(pid)).toBe(true);
  });

  it('is never signalled where it had ended before its start time was read', async () => {
    const { pid } = await start(SLEEP);
    await endProcess({ pid, startTime: 'unknown', role: 'somebody before' }, GRACE_MS);
    expect(isRunning(pid)).toBe(true);
  });

  it('is ended with its group', async () => {
    const { pid, line } = await start('sleep 300 & echo $!; wait');
    await endProcess(recordProcess(pid, 'bash'), GRACE_MS);
    expect([pid, Number(line)].filter(isRunning)).toEqual([]);
  });

  it('is ended as a group whose leader is gone', async () => {
    const { child, pid, line } = await start('sleep 300 & echo $!');
    const record = recordProcess(pid, 'bash');
    if (child.exitCode === null) await once(child, 'exit');
    const orphan = Number(line);
    expect(isAlive(record)).toBe(false);
    expect(isRunning(orphan)).toBe(true);
    writeJournal(journal, record);
    expect(await reapJournal(journal, GRACE_MS)).toEqual([record]);
    expect(isRunning(orphan)).toBe(false);
  });

  it('is killed where it does not listen to SIGTERM', async () => {
    const { pid } = await start("trap '' TERM; echo up; while :; do sleep 1; done");
    await endProcess(recordProcess(pid, 'bash'), 200);
    expect(isRunning(pid)).toBe(false);
  });

  it('has a start time that stays the same', () => {
    expect(readStartTime(process.pid)).toBe(readStartTime(process.pid));
    expect(readStartTime(process.pid)).not.toBe(readStartTime(process.ppid));
  });
});

describe('the journal', () => {
  it('is read newest first, and a torn last line is skipped', () => {
    const records = ['supervisor', 'wasmrun'].map((role, at) => ({ pid: 100 + at, startTime: '5', role }));
    for (const record of records) writeJournal(journal, record);
    appendFileSync(journal, '{"pid":102,"startTi');
    expect(readJournal(journal)).toEqual(records.reverse());
    expect(statSync(journal).mode & 0o777).toBe(0o600);
  });

  it('names nobody who must not be signalled', () => {
    const lines = [0, 1, -5, 1.5].map(pid => JSON.stringify({ pid, startTime: '5', role: 'all' }));
    writeFileSync(journal, lines.join('\n'));
    expect(readJournal(journal)).toEqual([]);
  });

  it('that is not there is empty', async () => {
    expect(await reapJournal(join(journal, 'nowhere'), GRACE_MS)).toEqual([]);
  });
});

describe('an ancestor', () => {
  it('is found by its name, with its start time', () => {
    const name = readFileSync(`/proc/${process.ppid}/comm`, 'utf8').trim();
    const found = findAncestor(name);
    expect(found).toEqual(recordProcess(process.ppid, name));
    expect(found && isAlive(found)).toBe(true);
  });

  it('of a name that nobody has is not replaced by a parent', () => {
    expect(findAncestor('No.Such.Worker')).toBeUndefined();
  });
});
