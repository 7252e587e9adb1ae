// Starts the background process of a job as main does: configuration on standard input, address of the control API over
// IPC, states from the API. Used by the cases that measure this process instead of the command line.

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ALLOCATOR_SETTINGS } from '../../src/supervisor/background.ts';
import type { SupervisorConfig } from '../../src/supervisor/config.ts';
import { OPEN_GATEWAY } from '../../test/support/open-gateway.ts';
import { CONTROL_PORT, PORT_RANGE, SECRET } from './bore-server.ts';
import { startProgram, waitUntil } from './process.ts';
import { PROGRAMS } from './programs.ts';
import type { OwnName, OwnState, RunningTunnel, TunnelTarget } from './tunnels.ts';

/** A fixed token is good enough here, because the API listens on loopback only. */
const CONTROL_TOKEN = 'the-token-of-the-benchmark';
const STARTUP_TIMEOUT_MS = 30_000;

export interface RunningSupervisor extends RunningTunnel {
  /** Milliseconds from the start of the process until the tunnel was connected. */
  readonly connectedMs: number;
  /** Milliseconds from the start of the process until the exposure was live. */
  readonly liveMs: number;
}

/** Resolves when the exposure is live. */
export async function startSupervisor(name: OwnName, target: TunnelTarget): Promise<RunningSupervisor> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-supervisor-'));
  const states: { state: OwnState; at: number }[] = [];
  const began = performance.now();
  const program = startProgram(
    process.execPath,
    [target.fromSource ? PROGRAMS.supervisorSource : PROGRAMS.supervisor],
    {
      environment: ALLOCATOR_SETTINGS,
      input: JSON.stringify(describeConfig(name, target, folder)),
      onMessage: message => {
        const { controlUrl } = message as { controlUrl: string };
        followStates(controlUrl, state => states.push({ state, at: performance.now() - began }));
      },
    },
  );
  const waitForState = (what: string, matches: (state: OwnState) => boolean) =>
    waitUntil(() => states.find(({ state }) => matches(state)), `the supervisor's state ${what}`);
  const connected = await waitForState('Connected', state => state.status === 'Connected');
  const live = await waitForState('live', state => state.exposure.phase === 'live');
  const port = live.state.public_port ?? 0;
  const stop = async () => {
    await program.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `http://${target.server}:${port}`;
  const { pid } = program;
  const tunnel = { name, pid, pids: [pid], host: target.server, port, headers: [], url, program, stop };
  return { ...tunnel, connectedMs: connected.at, liveMs: live.at };
}

function describeConfig(name: OwnName, target: TunnelTarget, folder: string): SupervisorConfig {
  const protocol = name === 'raw' ? 'tcp' : 'http';
  return {
    folder,
    name: 'bench',
    controlToken: CONTROL_TOKEN,
    logLevel: 'quiet',
    exposure: {
      protocol,
      spec: { mode: 'port', path: folder, port: target.port },
      env: {},
      baseEnvironment: {},
      ...(protocol === 'http' && { healthPath: '/' }),
      startupTimeoutMs: STARTUP_TIMEOUT_MS,
      gateway: OPEN_GATEWAY,
      tunnel: {
        servers: [{ address: { host: target.server, port: CONTROL_PORT }, secret: SECRET }],
        // A new identity each time, because the previous preview's port may not be free yet.
        identity: randomUUID(),
        remotePort: { kind: 'auto', ...PORT_RANGE },
        publicUrl: protocol === 'tcp' ? 'tcp://{host}:{port}' : 'http://{host}:{port}',
      },
    },
  };
}

/** Follows the API's event stream, with node:http because the first `fetch` of a process takes tens of milliseconds. */
function followStates(controlUrl: string, onState: (state: OwnState) => void): void {
  const headers = { Authorization: `Bearer ${CONTROL_TOKEN}` };
  get(`${controlUrl}/api/events`, { headers }, response => {
    createInterface({ input: response }).on('line', line => {
      if (line.startsWith('data: ')) onState(JSON.parse(line.slice('data: '.length)) as OwnState);
    });
    response.on('error', () => {}); // the stream ends with the process
  }).on('error', () => {});
}
