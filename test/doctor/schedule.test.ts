// How checks are run, and that docs/doctor.md knows all of them.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Check, fault, ok, Skip, warning } from '../../src/doctor/check.ts';
import { CHECKS } from '../../src/doctor/checks/checks.ts';
import { renderReports } from '../../src/doctor/report.ts';
import { runChecks } from '../../src/doctor/schedule.ts';
import { Subject } from '../../src/doctor/subject.ts';

const subject = new Subject({
  server: { host: '127.0.0.1', port: 7835 },
  secret: undefined,
  range: undefined,
  publicUrl: 'http://{host}:{port}',
  trustedProxy: false,
  isWebPage: true,
  signal: AbortSignal.timeout(20_000),
});

function check(name: Check['name'], run: Check['run'], needs: Check['needs'] = []): Check {
  return { name, title: name.toUpperCase(), needs, deadlineMs: 50, run };
}

describe('checks', () => {
  it('are skipped if one that they need, directly or not, found a fault', async () => {
    const report = await runChecks(
      [
        check('dns', async () => [fault('no name')]),
        check('secret', async () => [ok('never run')], ['dns']),
        check('version', async () => [ok('never run')], ['secret']),
        check('clock', async () => [ok('run')]),
      ],
      subject,
    );
    expect(report.map(({ status }) => status)).toEqual(['fault', 'skipped', 'skipped', 'ok']);
    expect(report[2]?.messages[0]?.message).toBe('skipped: needs SECRET');
  });

  it('run behind one that only warns, or could say nothing', async () => {
    const report = await runChecks(
      [
        check('dns', async () => [ok('fine'), warning('odd')]),
        check('secret', async () => new Skip('nothing to say'), ['dns']),
        check('version', async () => [ok('run')], ['secret']),
        check('clock', async () => [{ ...warning('cannot be reached'), blocks: true }]),
        check('latency', async () => [ok('never run')], ['clock']),
      ],
      subject,
    );
    expect(report.map(({ status }) => status)).toEqual(['warning', 'skipped', 'ok', 'warning', 'skipped']);
    expect(renderReports([{ server: 'bore.example.com:7835', checks: report }])).toBe(
      `bore.example.com:7835
  ✓ DNS      fine
  !          odd
  - SECRET   skipped: nothing to say
  ✓ VERSION  run
  ! CLOCK    cannot be reached
  - LATENCY  skipped: needs CLOCK

no faults, 2 warnings`,
    );
  });

  it('that never end, or fail, are faults', async () => {
    const report = await runChecks(
      [
        check('dns', () => new Promise(() => {})),
        check('secret', async () => {
          throw new Error('a mistake of ours');
        }),
      ],
      subject,
    );
    expect(report.flatMap(({ messages }) => messages)).toEqual([
      { status: 'fault', message: 'could not be checked: it took too long' },
      { status: 'fault', message: 'could not be checked: a mistake of ours' },
    ]);
  });

  it('stand behind those that they need', () => {
    for (const [index, { needs }] of CHECKS.entries())
      expect(CHECKS.slice(0, index).map(({ name }) => name)).toEqual(expect.arrayContaining([...needs]));
  });

  it('are all in docs/doctor.md, with their names and titles', () => {
    const page = readFileSync('docs/doctor.md', 'utf8');
    const rows = [...page.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) => cell.split(', '));
    expect(rows).toEqual(expect.arrayContaining(CHECKS.map(({ title }) => title)));
    const listed = /^- `check`: (.*?), in this order/ms.exec(page)?.[1] ?? '';
    expect([...listed.matchAll(/`([\w-]+)`/g)].map(([, name]) => name)).toEqual(
      CHECKS.map(({ name }) => name),
    );
  });
});
