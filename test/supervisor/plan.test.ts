// What the supervisor's document takes from the job's environment.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { INPUT_DEFAULTS, parseInputs } from '../../src/inputs/inputs.ts';
import { readHost } from '../../src/supervisor/host.ts';
import { describeLeftOut, planSupervisor, type SupervisorPlan } from '../../src/supervisor/plan.ts';

function planExposure(
  environment: NodeJS.ProcessEnv,
  given: Record<string, string> = {},
  access: SupervisorPlan['access'] = { kind: 'open' },
) {
  const path = mkdtempSync(join(tmpdir(), 'plan-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  writeFileSync(join(path, 'index.html'), '');
  const inputs = parseInputs(name => given[name] ?? INPUT_DEFAULTS[name] ?? '', environment, path);
  const host = readHost(environment, tmpdir());
  const { exposure } = planSupervisor({
    inputs,
    host,
    wasmrun: '',
    folder: path,
    name: 'app',
    identity: 'a preview',
    access,
  });
  return { exposure, leftOut: describeLeftOut(inputs.app, host) };
}

const hasSpareConnections = (environment: NodeJS.ProcessEnv) =>
  planExposure(environment).exposure.tunnel.spareConnections;

const JOB = { PATH: '/bin', JAVA_HOME: '/opt/java', STRIPE_KEY: 'secret-value', FEATURE_X: 'on' };

it('gives a command the tools of the job, and says by name what it does not get', () => {
  const { exposure, leftOut } = planExposure(JOB, { command: 'java -jar app.jar', env: 'FEATURE_X' });
  expect(exposure.baseEnvironment).toEqual({ PATH: '/bin', JAVA_HOME: '/opt/java' });
  expect(exposure.env).toEqual({ FEATURE_X: 'on' });
  expect(leftOut).toBe(
    'variables of the job that `command` does not see, unless you name them in `env`: STRIPE_KEY',
  );
});

it('gives nothing of that to the other modes', () => {
  for (const given of [{}, { port: '80' }]) {
    const { exposure, leftOut } = planExposure(JOB, given);
    expect(exposure.baseEnvironment).toEqual({ PATH: '/bin' });
    expect(leftOut).toBeUndefined();
  }
});

it.each(['off', 'OFF', 'false', 'False', '0', ' off '])(
  'EXPOSE_WARM_CONNECTIONS=%s switches spare connections off',
  word => {
    expect(hasSpareConnections({ EXPOSE_WARM_CONNECTIONS: word })).toBe(false);
  },
);

it.each([{}, { EXPOSE_WARM_CONNECTIONS: '' }, { EXPOSE_WARM_CONNECTIONS: 'on' }])(
  'spare connections are opened with the environment %j',
  environment => {
    expect(hasSpareConnections(environment)).toBe(true);
  },
);

it('gives the public inspector a new key in every run, and shows it only where the preview needs no secret', () => {
  const plan = (access?: SupervisorPlan['access']) =>
    planExposure({}, { inspector: 'true' }, access).exposure.inspector;
  const link = { kind: 'link', key: 'k'.repeat(32) } as const;
  expect(plan()).toMatchObject({ isPublished: true, remotePort: { kind: 'auto' } });
  expect(plan({ ...link, isGenerated: true })?.isPublished).toBe(true);
  expect(plan({ ...link, isGenerated: false })?.isPublished).toBe(false);
  expect(plan({ kind: 'basic', user: 'u', password: 'p' })?.isPublished).toBe(false);
  // 192 bits in base64url.
  expect(plan()?.key).toMatch(/^[\w-]{32}$/);
  expect(plan()?.key).not.toBe(plan()?.key);
  expect(planExposure({}).exposure.inspector).toBeUndefined();
});
