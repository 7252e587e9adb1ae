// `expose server`: the embedded bore-compatible server, for laptops and tests.

import { once } from 'node:events';
import { parseWholeNumber } from '../inputs/values.ts';
import { InputError } from '../shared/errors.ts';
import { createLogger } from '../shared/log.ts';
import { startBoreServer } from '../tunnel/server/server.ts';
import { DEFAULT_CONTROL_PORT } from '../tunnel/wire/protocol.ts';
import type { Command, Flags } from './command.ts';
import { readSecret } from './secrets.ts';
import { print, printAside, printJson } from './terminal.ts';

export const server: Command = {
  summary: 'Run a bore-compatible server; for anything public use the real `bore server`.',
  usage: '[--port 7835] [--min-port 1024] [--max-port 65535]',
  notes: 'The secret comes from BORE_SECRET or --secret-file; without one, anybody can open tunnels.',
  flags: {
    'host ADDRESS': 'address to listen on (default 127.0.0.1; 0.0.0.0: all networks)',
    'port N': `control port (default ${DEFAULT_CONTROL_PORT})`,
    'min-port N': 'lowest public port (default 1024)',
    'max-port N': 'highest public port (default 65535)',
    'secret-file FILE': 'file that holds the secret',
  },
  async run(call) {
    const { flags } = call;
    // A file usually ends with a line break, which is not part of the secret.
    const secret = readSecret('secret', call).trim();
    const host = typeof flags.host === 'string' ? flags.host : '127.0.0.1';
    const minPort = readPort(flags, 'min-port', 1024);
    const maxPort = readPort(flags, 'max-port', 65_535);
    if (minPort > maxPort) throw new InputError(`--min-port ${minPort} is above --max-port ${maxPort}`);
    const running = await startBoreServer({
      host,
      controlPort: readPort(flags, 'port', DEFAULT_CONTROL_PORT),
      minPort,
      maxPort,
      ...(secret !== '' && { secret }),
      logger: createLogger({
        level: 'info',
        hidden: [secret],
        write: printAside,
      }),
    });
    const address = { host, port: running.controlPort, minPort, maxPort, secret: secret !== '' };
    const text = `listening on ${host}:${running.controlPort}, public ports ${minPort} to ${maxPort}, ${secret === '' ? 'no secret' : 'secret required'}`;
    if (flags.json) printJson(address);
    else print(text);
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
    await running.stop();
    return 0;
  },
};

function readPort(flags: Flags, name: string, fallback: number): number {
  const text = flags[name];
  return parseWholeNumber(typeof text === 'string' ? text : undefined, `--${name}`, 0, 65_535) ?? fallback;
}
