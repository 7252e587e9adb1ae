// Starts the server and the client of rathole, another tunnel, with its defaults. Used by cases/outages.ts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OutageServer, OutageTunnel } from './outage-lane.ts';
import { type Program, startProgram } from './process.ts';
import { PROGRAMS } from './programs.ts';

const CONTROL_PORT = 2_333;
const PUBLIC_PORT = 20_100;
const TOKEN = 'the-token-of-the-benchmark';

/** Resolves when it listens on `host`. */
export async function startRatholeServer(host: string): Promise<OutageServer> {
  const config = [
    ...['[server]', `bind_addr = "${host}:${CONTROL_PORT}"`, `default_token = "${TOKEN}"`],
    ...['[server.services.app]', `bind_addr = "${host}:${PUBLIC_PORT}"`],
  ];
  const { program, at } = await startRathole('server', config, `Listening at ${host}:${CONTROL_PORT}`);
  const kill = async () => {
    program.kill('SIGKILL');
    await program.ended;
  };
  return { listeningAt: at, kill };
}

/** Resolves when visitors of the server on `host` reach `port` of 127.0.0.1. */
export async function startRatholeClient(host: string, port: number): Promise<OutageTunnel> {
  const config = [
    ...['[client]', `remote_addr = "${host}:${CONTROL_PORT}"`, `default_token = "${TOKEN}"`],
    ...['[client.services.app]', `local_addr = "127.0.0.1:${port}"`],
  ];
  const { program } = await startRathole('client', config, 'Control channel established');
  return { name: 'rathole', host, port: PUBLIC_PORT, program, stop: () => program.stop() };
}

/** Resolves when it has printed `line`, and with when that was. It has read its configuration by then. */
async function startRathole(
  role: 'server' | 'client',
  config: readonly string[],
  line: string,
): Promise<{ program: Program; at: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-rathole-'));
  try {
    const file = join(folder, `${role}.toml`);
    writeFileSync(file, `${config.join('\n')}\n`);
    const program = startProgram(PROGRAMS.rathole, [`--${role}`, file]);
    const { at } = await program.waitFor(text => text.includes(line) || undefined, `the line "${line}"`);
    return { program, at };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
