// What post makes of a preview whose process was killed: the summary has what that process had saved.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { StepState } from '../../src/step/state.ts';
import { writeLatest } from '../../src/supervisor/outcome.ts';
import { createSessionFolder } from '../../src/supervisor/session-folder.ts';
import { EVENTFUL } from '../support/sample-history.ts';
import { LIVE } from '../support/sample-state.ts';

it('the summary of a killed preview has its life, its visits and its interruptions', () => {
  const temp = mkdtempSync(join(tmpdir(), 'step-killed-'));
  onTestFinished(() => rmSync(temp, { recursive: true, force: true }));
  const folder = createSessionFolder(temp);
  writeLatest(folder, LIVE, EVENTFUL);
  const state = {
    folder,
    hold: false,
    mode: 'os',
    logLevel: 'info',
    stopTimeoutMs: 5_000,
    supervisor: { pid: 4_000_000, startTime: '1', role: 'supervisor' },
    report: {
      identity: { key: 'k', name: 'web' },
      preview: { commit: 'a1b2c3d', warnings: [], showConsole: false },
    },
  } as const satisfies Partial<StepState>;
  const summary = join(temp, 'summary.md');
  writeFileSync(summary, '');
  const code = `const { tearDown } = await import(${JSON.stringify(resolve('src/step/teardown.ts'))});\nawait tearDown();`;
  execFileSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      STATE_exposure: JSON.stringify(state),
      GITHUB_REPOSITORY: 'octo/app',
      GITHUB_WORKSPACE: temp,
      GITHUB_STEP_SUMMARY: summary,
    },
  });
  const text = readFileSync(summary, 'utf8');
  expect(text).toContain('`the process that kept the preview alive was killed`');
  expect(text).toContain('| Visits | 7;');
  expect(text).toContain('`no heartbeat for 3 s`');
});
