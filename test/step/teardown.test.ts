// What post says at the end, as the runner sees it: in a process of its own, with the state main left.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { StepState } from '../../src/step/state.ts';
import { createSessionFolder, writeOutcome } from '../../src/supervisor/session.ts';

/** The log of post after a preview of five minutes whose address changed `moves` times. */
function tearDown({ hold, moves }: { hold: boolean; moves: number }): string {
  const temp = mkdtempSync(join(tmpdir(), 'step-teardown-'));
  onTestFinished(() => rmSync(temp, { recursive: true, force: true }));
  const folder = createSessionFolder(temp);
  const [liveAt, endedAt] = [new Date('2026-05-04T10:00:00Z'), new Date('2026-05-04T10:05:00Z')];
  writeOutcome(folder, {
    mode: 'web',
    phase: { kind: 'ended', reason: 'job ended', liveAt, endedAt },
    tunnel: { status: 'Disconnected' },
    app: { status: 'stopped' },
    url: undefined,
    link: undefined,
    verified: undefined,
    doubt: undefined,
    restarts: 0,
    reconnects: moves,
    moves,
    visits: 0,
    warnings: [],
  });
  const preview = { commit: 'a1b2c3d', warnings: [], showConsole: false };
  const supervisor = { pid: 4_000_000, startTime: '1', role: 'supervisor' };
  const identity = { key: 'k', name: 'web' };
  const state: StepState = { folder, hold, identity, mode: 'web', preview, supervisor };
  const module = JSON.stringify(resolve('src/step/teardown.ts'));
  const code = `const { tearDown } = await import(${module});\nawait tearDown();`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      STATE_exposure: JSON.stringify(state),
      GITHUB_REPOSITORY: 'octo/app',
      GITHUB_WORKSPACE: temp,
    },
  });
}

it('warns where later steps may have used an address that was left', () => {
  expect(tearDown({ hold: false, moves: 1 })).toMatch(
    /^::warning::the public address changed once .* let them ask `expose url`$/m,
  );
  expect(tearDown({ hold: false, moves: 2 })).toMatch(/^::warning::the public address changed 2 times/m);
});

it('does not warn of an address that no step could use: in a hold, or where it never changed', () => {
  expect(tearDown({ hold: true, moves: 1 })).not.toContain('the public address changed');
  expect(tearDown({ hold: false, moves: 0 })).not.toContain('the public address changed');
});
