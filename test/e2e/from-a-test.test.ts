// The tests in examples/webhooks, each run by its own tool as a later step of a job: they make a service send its webhook
// from outside, and wait for it over the REST API.

import { execFileSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { sandbox } from '../support/payments.ts';
import { startProvider } from '../support/provider.ts';
import { describeWithReal, type RealPart, requirePart } from '../support/real-parts.ts';
import { RunnerJob } from '../support/runner.ts';
import { startRealServer } from '../support/tunnel-rig.ts';

const EXAMPLE = resolve('examples/webhooks');

/** Go would compile its library into the job's empty HOME. */
const findGoCache = () => execFileSync('go', ['env', 'GOCACHE'], { encoding: 'utf8' }).trim();

const TOOLS: { tool: string; parts?: RealPart[]; host: string; command(): string; printed: RegExp }[] = [
  {
    tool: 'Vitest',
    host: '127.0.0.190',
    command: () => `'${resolve('node_modules/.bin/vitest')}' run --root '${EXAMPLE}'`,
    printed: /Tests {2}1 passed/,
  },
  {
    tool: 'pytest',
    parts: ['pytest'],
    host: '127.0.0.191',
    command: () => `'${requirePart('pytest')}' -p no:cacheprovider`,
    printed: /1 passed/,
  },
  {
    tool: 'Go',
    parts: ['go'],
    host: '127.0.2.16',
    command: () => `GOCACHE='${findGoCache()}' go test -count=1 -vet=off`,
    printed: /^ok /m,
  },
  {
    tool: 'a shell with curl',
    parts: ['jq'],
    host: '127.0.2.17',
    command: () => './webhook.sh',
    printed: /^true$/m,
  },
  {
    tool: 'a shell with expose',
    parts: ['jq'],
    host: '127.0.2.18',
    command: () => './expose-wait.sh',
    printed: /^true$/m,
  },
];

/** A job whose preview is live: the example's server, with the tests beside it. */
async function startJob(host: string): Promise<RunnerJob> {
  await startRealServer(host);
  const provider = await startProvider(sandbox);
  const job = new RunnerJob({
    inputs: {
      command: 'node server.js',
      server: host,
      access: 'link',
      'public-paths': '/hooks/**',
      comment: 'false',
    },
    environment: { PAYMENTS_API: provider.url, NO_COLOR: '1' },
  });
  cpSync(EXAMPLE, job.workspace, { recursive: true });
  onTestFinished(async () => {
    await job.post();
    job.remove();
  });
  const { code, log } = await job.main();
  if (code !== 0) throw new Error(log);
  return job;
}

for (const { tool, parts = [], host, command, printed } of TOOLS)
  describeWithReal(['bore', ...parts], `a test of ${tool}`, () => {
    it('waits for the webhook that it has caused, and sees its body', async () => {
      const job = await startJob(host);
      const { outputs } = job;
      const variables = {
        PREVIEW_URL: outputs.url,
        CONTROL_URL: outputs['control-url'],
        CONTROL_TOKEN: outputs['control-token'],
      };
      const assignments = Object.entries(variables).map(([name, value]) => `export ${name}='${value}'`);
      const { code, log } = await job.shell([...assignments, command()].join('\n'));
      expect(log).toMatch(printed);
      expect(code).toBe(0);
    });
  });
