// `expose demo`: a whole preview on this machine alone, with a built-in bore-compatible server and an example app.

import { randomBytes } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { INPUT_DEFAULTS, parseInputs } from '../inputs/inputs.ts';
import { resolveAccess } from '../supervisor/access.ts';
import { planSupervisor } from '../supervisor/plan.ts';
import { createSessionFolder } from '../supervisor/session-folder.ts';
import { startBoreServer } from '../tunnel/server/server.ts';
import type { Command } from './command.ts';
import { runForeground } from './foreground.ts';
import { print } from './terminal.ts';

export const demo: Command = {
  summary: 'Try everything on this machine: a bore server, an example app, and a link to it.',
  usage: '',
  flags: {},
  async run({ flags, shell }) {
    const example = findExample('web-hello');
    const secret = randomBytes(16).toString('hex');
    const server = await startBoreServer({ secret });
    try {
      const given: Record<string, string> = {
        path: example,
        mode: 'web',
        server: `127.0.0.1:${server.controlPort}`,
        secret,
        // Server and secret are new each time, so a port that stays the same is not possible.
        'remote-port': 'random',
      };
      const inputs = parseInputs(
        name => given[name] ?? INPUT_DEFAULTS[name] ?? '',
        shell.variables,
        process.cwd(),
      );
      const { access } = resolveAccess(inputs.gateway.access, inputs.protocol, false);
      if (!flags.json)
        print(
          `bore server  127.0.0.1:${server.controlPort} (built in, with a secret)\napp          ${example}`,
        );
      const config = planSupervisor({
        inputs,
        host: shell.host,
        wasmrun: '',
        folder: createSessionFolder(shell.host.tempFolder),
        name: 'demo',
        identity: 'demo',
        access,
      });
      return await runForeground(config, flags.json === true);
    } finally {
      await server.stop();
    }
  },
};

/** The folder `examples` is beside `dist` and `src`. */
function findExample(name: string): string {
  const script = realpathSync(process.argv[1] ?? '');
  for (let folder = dirname(script); folder !== dirname(folder); folder = dirname(folder))
    if (existsSync(join(folder, 'examples', name))) return join(folder, 'examples', name);
  throw new Error(
    `examples/${name} is not beside ${script}: the demo runs from a checkout of the repository`,
  );
}
