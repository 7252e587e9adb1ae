// What a supervisor is told, as far as it comes from the job's environment.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { INPUT_DEFAULTS, parseInputs } from '../../src/inputs/inputs.ts';
import { readHost } from '../../src/supervisor/host.ts';
import { planSupervisor } from '../../src/supervisor/plan.ts';

function isWarm(environment: NodeJS.ProcessEnv): boolean | undefined {
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
  'EXPOSE_WARM_CONNECTIONS=%s switches them off',
  word => {
    expect(isWarm({ EXPOSE_WARM_CONNECTIONS: word })).toBe(false);
  },
);

it.each([{}, { EXPOSE_WARM_CONNECTIONS: '' }, { EXPOSE_WARM_CONNECTIONS: 'on' }])(
  'connections are opened ahead of visitors with %j',
  environment => {
    expect(isWarm(environment)).toBe(true);
  },
);
