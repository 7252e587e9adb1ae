// The secrets among the inputs of the action are masked before anything else is printed.

import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { listSecrets } from '../../src/exposure/config.ts';
import { INPUT_DEFAULTS } from '../../src/inputs/inputs.ts';
import { readActionInputs } from '../../src/step/action-inputs.ts';
import { readMachine } from '../../src/step/machine.ts';
import { planSupervisor } from '../../src/supervisor/plan.ts';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

function read(given: Readonly<Record<string, string>>) {
  vi.stubEnv('RUNNER_TEMP', tmpdir());
  vi.stubEnv('GITHUB_WORKSPACE', process.cwd());
  for (const [name, value] of Object.entries({ ...INPUT_DEFAULTS, ...given }))
    vi.stubEnv(`INPUT_${name.toUpperCase()}`, value);
  const lines: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation(chunk => {
    lines.push(String(chunk).trim());
    return true;
  });
  const machine = readMachine();
  try {
    return { machine, inputs: readActionInputs(machine), lines };
  } catch (error) {
    return { machine, error: String(error), lines };
  } finally {
    vi.restoreAllMocks();
  }
}

it('masks each secret of verify, in the log of the step and in that of the preview', () => {
  const verify = 'github /a first-secret\n\nhmac-sha256 /b "second secret" header=X-S\n';
  const { machine, inputs, lines } = read({ mode: 'port', port: '3000', verify });
  expect(lines).toEqual(expect.arrayContaining(['::add-mask::first-secret', '::add-mask::second secret']));
  if (inputs === undefined) throw new Error('the inputs were refused');
  const { exposure } = planSupervisor({
    ...{ inputs, host: machine, wasmrun: '', folder: '/x', name: 'x', identity: 'x' },
    access: { kind: 'open' },
  });
  expect(listSecrets(exposure)).toEqual(expect.arrayContaining(['first-secret', 'second secret']));
});

it('masks what may be a secret in a line of verify that is wrong', () => {
  const { error, lines } = read({
    mode: 'port',
    port: '3000',
    verify: 'github first-secret\nslack /a part1 part2',
  });
  expect(error).toMatch(/line 1 .*\n.*line 2/);
  for (const secret of ['first-secret', 'part1', 'part2']) {
    expect(lines).toContain(`::add-mask::${secret}`);
    expect(error).not.toContain(secret);
  }
});

it.each([
  ['github-hosted', 4],
  ['self-hosted', 8],
])('lets a hold of 8 h on a %s runner, whose job began 1 h ago, last for about %i h', (runner, hours) => {
  const folder = mkdtempSync(join(tmpdir(), 'event-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const event = join(folder, 'event.json');
  writeFileSync(event, '{}');
  const began = new Date(Date.now() - 3_600_000);
  utimesSync(event, began, began);
  vi.stubEnv('RUNNER_ENVIRONMENT', runner);
  vi.stubEnv('GITHUB_EVENT_PATH', event);
  const { inputs } = read({ mode: 'port', port: '3000', hold: '8h' });
  expect(Math.floor((inputs?.durationMs ?? 0) / 3_600_000)).toBe(hours);
});
