// The journal of processes, and the end of what it lists.

import { once } from 'node:events';
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { recordProcess } from '../../src/shared/processes.ts';
import { readJournal, reapJournal, writeJournal } from '../../src/supervisor/process-journal.ts';
import { startGroup } from '../support/process-group.ts';
import { isRunning } from '../support/running.ts';

const GRACE_MS = 5_000;

let journal: string;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'journal-'));
  journal = join(folder, 'journal');
  onTestFinished(() => rmSync(folder, { recursive: true }));
});

describe('the journal', () => {
  it('is read newest first, and a torn last line is skipped', () => {
    const records = ['supervisor', 'wasmrun'].map((role, at) => ({ pid: 100 + at, startTime: '5', role }));
    for (const record of records) writeJournal(journal, record);
    appendFileSync(journal, '{"pid":102,"startTi');
    expect(readJournal(journal)).toEqual(records.reverse());
    expect(statSync(journal).mode & 0o777).toBe(0o600);
  });

  it('skips numbers that do not mean a single process', () => {
    const lines = [0, 1, -5, 1.5].map(pid => JSON.stringify({ pid, startTime: '5', role: 'all' }));
    writeFileSync(journal, lines.join('\n'));
    expect(readJournal(journal)).toEqual([]);
  });

  it('is empty if there is no file', async () => {
    expect(await reapJournal(join(journal, 'nowhere'), GRACE_MS)).toEqual([]);
  });

  it('never signals a process that got the number of a recorded one', async () => {
    const { pid } = await startGroup('echo up; exec sleep 300');
    writeJournal(journal, { ...recordProcess(pid, 'somebody before'), startTime: '1' });
    expect(await reapJournal(journal, GRACE_MS)).toEqual([]);
    expect(isRunning(pid)).toBe(true);
  });

  it('ends a group whose leader is gone', async () => {
    const { child, pid, line } = await startGroup('sleep 300 & echo $!');
    const record = recordProcess(pid, 'bash');
    if (child.exitCode === null) await once(child, 'exit');
    writeJournal(journal, record);
    expect(await reapJournal(journal, GRACE_MS)).toEqual([{ ...record, killed: false }]);
    expect(isRunning(Number(line))).toBe(false);
  });
});
