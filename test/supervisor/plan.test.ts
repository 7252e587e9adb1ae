// What a supervisor is told, as far as it comes from the job's environment.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { INPUT_DEFAULTS, parseInputs } from '../../src/inputs/inputs.ts';
import { silentLogger } from '../../src/shared/log.ts';
import { planExposure } from '../../src/supervisor/plan.ts';

async function isWarm(environment: NodeJS.ProcessEnv): Promise<boolean | undefined> {
  const path = mkdtempSync(join(tmpdir(), 'plan-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  writeFileSync(join(path, 'index.html'), '');
  const inputs = parseInputs(name => INPUT_DEFAULTS[name] ?? '', environment, path);
  const surroundings = {
    environment,
    tempFolder: tmpdir(),
    identity: 'a preview',
    access: { kind: 'open' },
  } as const;
  return (await planExposure(inputs, surroundings, silentLogger)).tunnel.warm;
}

it.each(['off', 'OFF', 'false', 'False', '0', ' off '])(
  'EXPOSE_WARM_CONNECTIONS=%s switches them off',
  async word => {
    expect(await isWarm({ EXPOSE_WARM_CONNECTIONS: word })).toBe(false);
  },
);

it.each([{}, { EXPOSE_WARM_CONNECTIONS: '' }, { EXPOSE_WARM_CONNECTIONS: 'on' }])(
  'connections are opened ahead of visitors with %j',
  async environment => {
    expect(await isWarm(environment)).toBe(true);
  },
);
