// What post prints, as the runner sees it: each test runs post in a process of its own, with the state that main saved.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { StepState } from '../../src/step/state.ts';
import { writeOutcome } from '../../src/supervisor/outcome.ts';
import { createSessionFolder, sessionFiles } from '../../src/supervisor/session-folder.ts';
import { sampleEnd } from '../support/sample-state.ts';

/** What post prints after a preview of five minutes whose address changed `addressChanges` times. */
function tearDown({ hold, addressChanges }: { hold: boolean; addressChanges: number }): string {
  return runPost(makeTemp(), { hold, addressChanges }).said;
}

function makeTemp(): string {
  const temp = mkdtempSync(join(tmpdir(), 'step-teardown-'));
  onTestFinished(() => rmSync(temp, { recursive: true, force: true }));
  return temp;
}

interface Ended {
  hold: boolean;
  addressChanges: number;
  keepsRequests?: boolean;
  /** What requests-file holds. */
  requests?: string;
}

function runPost(temp: string, ended: Ended): { said: string; folder: string } {
  const { hold, addressChanges, keepsRequests = false, requests } = ended;
  const folder = createSessionFolder(temp);
  const [liveAt, endedAt] = [new Date('2026-05-04T10:00:00Z'), new Date('2026-05-04T10:05:00Z')];
  const phase = { kind: 'ended', reason: 'job ended', liveAt, endedAt } as const;
  writeOutcome(folder, sampleEnd(phase, { reconnects: addressChanges, addressChanges }));
  const supervisor = { pid: 4_000_000, startTime: '1', role: 'supervisor' };
  const report = {
    identity: { key: 'k', name: 'web' },
    preview: { commit: 'a1b2c3d', warnings: [], showConsole: false },
  };
  if (requests !== undefined) writeFileSync(sessionFiles(folder).requests, requests);
  const common = { hold, mode: 'web', logLevel: 'info', stopTimeoutMs: 5_000, report, supervisor } as const;
  const state: StepState = { ...common, folder, keepsRequests };
  const module = JSON.stringify(resolve('src/step/teardown.ts'));
  const code = `const { tearDown } = await import(${module});\nawait tearDown();`;
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      STATE_exposure: JSON.stringify(state),
      GITHUB_REPOSITORY: 'octo/app',
      GITHUB_WORKSPACE: temp,
    },
  });
  return { said, folder };
}

const QUIET = { hold: false, addressChanges: 0 } as const;

it('warns if later steps may have used an old address', () => {
  expect(tearDown({ hold: false, addressChanges: 1 })).toMatch(
    /^::warning::the public address changed once .* they should call `expose url` instead$/m,
  );
  expect(tearDown({ hold: false, addressChanges: 2 })).toMatch(
    /^::warning::the public address changed 2 times/m,
  );
});

it('does not warn in a hold, or if the address never changed', () => {
  expect(tearDown({ hold: true, addressChanges: 1 })).not.toContain('the public address changed');
  expect(tearDown({ hold: false, addressChanges: 0 })).not.toContain('the public address changed');
});

it('keeps the recorded requests, and nothing else, if their paths were named', () => {
  const temp = makeTemp();
  const { said, folder } = runPost(temp, { ...QUIET, keepsRequests: true, requests: '{"id":1}\n' });
  const { requests } = sessionFiles(folder);
  expect(readdirSync(folder).map(name => join(folder, name))).toEqual([requests]);
  expect(readFileSync(requests, 'utf8')).toBe('{"id":1}\n');
  expect(said).toContain(`the recorded requests stay in ${requests}`);
});

it.each([
  ['no paths were named', { keepsRequests: false, requests: '{"id":1}\n' }],
  ['nothing was recorded', { keepsRequests: true, requests: '' }],
  ['the file could not be made', { keepsRequests: true }],
])('leaves nothing if %s', (_, file) => {
  const temp = makeTemp();
  runPost(temp, { ...QUIET, ...file });
  expect(readdirSync(temp)).toEqual([]);
});
