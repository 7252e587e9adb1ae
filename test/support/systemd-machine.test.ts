// What a machine with systemd leaves on the machine that runs the tests: nothing.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { describeWithReal, requirePart } from './real-parts.ts';
import { bootSystemd } from './systemd-machine.ts';
import { waitUntil } from './wait-until.ts';

describeWithReal(['systemd'], 'a machine with systemd', () => {
  it('removes what an earlier one left behind when it was killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'systemd-files-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const killed = spawn(requirePart('systemd'), [folder], { stdio: ['pipe', 'pipe', 'ignore'] });
    await once(killed.stdout, 'data');
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    const name = `expose-systemd-${killed.pid}`;
    const groups = [`/sys/fs/cgroup/${name}`, `/sys/fs/cgroup/*/${name}`];
    const left = () => globSync([...groups, join(tmpdir(), name)]).length;
    expect(left()).toBeGreaterThan(0);
    const lists = globSync(groups.map(group => `${group}/**/cgroup.procs`));
    await waitUntil(() => lists.every(list => readFileSync(list, 'utf8') === ''), 'all of it has ended');

    const machine = await bootSystemd({});
    await machine.stop();
    expect(left()).toBe(0);
  });
});
