// The self-test of this repository, as act runs it: the action by `uses: ./` against a real bore server that the job
// starts, in the background and as a hold. act runs its Linux part.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { startAct } from '../support/act.ts';
import { describeWithReal, requirePart } from '../support/real-parts.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const WORKFLOW = readFileSync(resolve(ROOT, '.github/workflows/self-test.yml'), 'utf8');

/** What a checkout of this repository holds, as far as the job uses it. */
const CHECKED_OUT = ['.github', 'action.yml', 'dist', 'examples', 'scripts'];

const findProgram = (name: string) => execFileSync('which', [name], { encoding: 'utf8' }).trim();

function startSelfTest(lifetime: string) {
  const cache = resolve(dirname(requirePart('bore')), '..');
  return startAct({
    workflow: WORKFLOW,
    eventName: 'workflow_dispatch',
    event: { repository: { private: false, full_name: 'octo/app' } },
    actions: {
      'actions/checkout': `cd '${ROOT}' && cp -r ${CHECKED_OUT.join(' ')} "$GITHUB_WORKSPACE"`,
      'actions/cache': `mkdir -p "$HOME/.cache" && ln -s '${cache}' "$HOME/.cache/expose-action"`,
    },
    args: ['--matrix', 'os:ubuntu-24.04', '--matrix', `lifetime:${lifetime}`],
    programs: ['dirname', 'ln', 'mkdir', 'nohup', 'ps', 'sleep', 'touch', 'uname'].map(findProgram),
    secrets: {},
    variables: {},
    environment: {},
  });
}

describeWithReal(['act', 'bore', 'wasmrun'], 'the self-test', () => {
  it.each(['background', 'hold'])('sees the app and finds nothing left: %s', async lifetime => {
    const run = startSelfTest(lifetime);
    const code = await run.finished;
    expect({ code, log: run.log }).toMatchObject({ code: 0, log: expect.stringContaining('saw the app') });
    expect(run.log).toMatch(/Success - Post \S*left-nothing/);
  });
});
