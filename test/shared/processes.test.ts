// Processes and process groups of this machine.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  endProcess,
  findAncestor,
  isAlive,
  isPresent,
  ProcessGroup,
  readProcessStat,
  readStartTime,
  recordProcess,
} from '../../src/shared/processes.ts';
import { startGroup } from '../support/process-group.ts';
import { isRunning } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';

const GRACE_MS = 5_000;

const SLEEP = 'echo up; exec sleep 300';

describe('a recorded process', () => {
  it('is alive until it has ended', async () => {
    const { child, pid } = await startGroup(SLEEP);
    const record = recordProcess(pid, 'sleep');
    expect(isAlive(record)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isAlive(record)).toBe(false);
  });

  it('is never signalled if its number belongs to a process with another start time', async () => {
    const { pid } = await startGroup(SLEEP);
    const recycled = { ...recordProcess(pid, 'somebody before'), startTime: '1' };
    expect([isAlive(recycled), isPresent(recycled)]).toEqual([false, false]);
    await endProcess(recycled, GRACE_MS);
    expect(isRunning(pid)).toBe(true);
  });

  it('is never signalled if it had ended before its start time was read', async () => {
    const { pid } = await startGroup(SLEEP);
    await endProcess({ pid, startTime: 'unknown', role: 'somebody before' }, GRACE_MS);
    expect(isRunning(pid)).toBe(true);
  });

  it('is ended with its group', async () => {
    const { pid, line } = await startGroup('sleep 300 & echo $!; wait');
    await endProcess(recordProcess(pid, 'bash'), GRACE_MS);
    expect([pid, Number(line)].filter(isRunning)).toEqual([]);
  });

  it('that has ended is ended with what is left of its group', async () => {
    const { child, pid, line } = await startGroup('sleep 300 & echo $!');
    const record = recordProcess(pid, 'bash');
    if (child.exitCode === null) await once(child, 'exit');
    const orphan = Number(line);
    expect([isAlive(record), isPresent(record)]).toEqual([false, true]);
    expect(isRunning(orphan)).toBe(true);
    await endProcess(record, GRACE_MS);
    expect(isRunning(orphan)).toBe(false);
  });

  it('is killed if it ignores SIGTERM', async () => {
    const { pid } = await startGroup("trap '' TERM; echo up; while :; do sleep 1; done");
    expect(await endProcess(recordProcess(pid, 'bash'), 200)).toEqual({ killed: true });
    expect(isRunning(pid)).toBe(false);
  });

  it('has a start time that stays the same', () => {
    expect(readStartTime(process.pid)).toBe(readStartTime(process.pid));
    expect(readStartTime(process.pid)).not.toBe(readStartTime(process.ppid));
  });
});

describe('a process group', () => {
  it('ends with its leader and its other members', async () => {
    const { pid, line } = await startGroup('sleep 300 & echo $!; wait');
    const group = new ProcessGroup(pid);
    expect(group.isRunning()).toBe(true);
    await group.end(GRACE_MS);
    expect([pid, Number(line)].filter(isRunning)).toEqual([]);
    expect(group.isRunning()).toBe(false);
  });

  it.each([200, 0])('that ignores SIGTERM is killed after %i ms', async graceMs => {
    const { pid } = await startGroup("trap '' TERM; echo up; while :; do sleep 1; done");
    const killed = await new ProcessGroup(pid).end(graceMs);
    expect(isRunning(pid)).toBe(false);
    // Killing at once is what was asked for, and nothing to report.
    if (graceMs === 0) expect(killed).toEqual([]);
    else expect(killed).toContainEqual({ pid, name: 'bash' });
  });

  it('counts as gone if only a zombie is left', async () => {
    // Its parent, which sleeps, does not reap it.
    const { line } = await startGroup(
      'setsid -f bash -c "exit 0" ; (setsid sleep 0.1 & echo $!; exec sleep 300)',
    );
    const zombie = Number(line);
    await waitUntil(() => !isRunning(zombie), 'it has ended');
    expect(new ProcessGroup(zombie).isRunning()).toBe(false);
  });
});

describe('the stat of a process', () => {
  it('is read past a name with spaces and parentheses', async () => {
    const { pid } = await startGroup(
      `printf 'a) Z 1' > /proc/self/comm; echo up; read -t 300 < <(sleep 300)`,
    );
    expect(readProcessStat(pid)).toEqual({
      name: 'a) Z 1',
      parent: process.pid,
      group: pid,
      startTime: readStartTime(pid),
    });
  });

  it('of a process that is not there is undefined', () => {
    expect(readProcessStat(2 ** 22 + 1)).toBeUndefined();
  });
});

describe('an ancestor', () => {
  it('is found by its name, with its start time', () => {
    const name = readFileSync(`/proc/${process.ppid}/comm`, 'utf8').trim();
    const found = findAncestor(name);
    expect(found).toEqual(recordProcess(process.ppid, name));
    expect(found && isAlive(found)).toBe(true);
  });

  it('is undefined if no ancestor has the name', () => {
    expect(findAncestor('No.Such.Worker')).toBeUndefined();
  });
});
