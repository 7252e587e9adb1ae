// What the supervisor's document takes from the job's environment.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { INPUT_DEFAULTS, parseInputs } from '../../src/inputs/inputs.ts';
import { readHost } from '../../src/supervisor/host.ts';
import { planSupervisor } from '../../src/supervisor/plan.ts';

function hasSpareConnections(environment: NodeJS.ProcessEnv): boolean | undefined {
  const path = mkdtempSync(join(tmpdir(), 'plan-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  writeFileSync(join(path, 'index.html'), '');
  const inputs = parseInputs(name => INPUT_DEFAULTS[name] ?? '', environment, path);
  const { exposure } = planSupervisor({
    inputs,
    host: readHost(environment, tmpdir()),
    wasmrun: '',
    folder: path,
    name: 'app',
    identity: 'a preview',
    access: { kind: 'open' },
  });
  return exposure.tunnel.spareConnections;
}

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
