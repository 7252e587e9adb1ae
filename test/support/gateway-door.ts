// A gateway behind a server on loopback (a door) in place of the tunnel, and a client that sends raw bytes.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { type Gateway, type GatewayOptions, startGateway } from '../../src/gateway/gateway.ts';
import type { HostRule } from '../../src/shared/host-rule.ts';
import type { AppState } from '../../src/shared/state.ts';
import { OPEN_GATEWAY } from './open-gateway.ts';

export const PROOF_KEY = Buffer.alloc(32, 7);

/** The public URL of a door, unless a test sets another. */
export const PUBLIC_URL = 'http://bore.example:4321';

export interface Door {
  gateway: Gateway;
  port: number;
  url: string;
  /** What the gateway has logged, each line after its level. */
  log: string[];
  stop(): Promise<void>;
}

/** The options of a gateway, and two of the door itself. */
interface DoorOptions extends Partial<Omit<GatewayOptions, 'rules'>> {
  publicUrl?: string;
  rules?: Partial<GatewayOptions['rules']>;
}

/**
 * `app`: the port of the app, or its state. `publicUrl`: the URL that visitors open, with `{port}` for the door's port.
 */
export async function openDoor(
  app: number | (() => AppState),
  { publicUrl = PUBLIC_URL, rules, ...options }: DoorOptions = {},
): Promise<Door> {
  const log: string[] = [];
  const logAs = (level: string) => (message: string) => void log.push(`${level} ${message}`);
  let place = { url: publicUrl, host: '127.0.0.1', port: 0 };
  const gateway = startGateway({
    app: typeof app === 'number' ? () => runningOn(app) : app,
    // As behind a proxy: both names are ours.
    place: () => place,
    rules: { ...OPEN_GATEWAY, ...rules },
    proofKey: PROOF_KEY,
    logger: { debug: logAs('debug'), info: logAs('info'), warn: logAs('warn'), error: logAs('error') },
    ...options,
  });
  // Half open, as the tunnel's sockets are.
  const door = createServer({ allowHalfOpen: true }, socket => gateway.accept(socket));
  await once(door.listen(0, '127.0.0.1'), 'listening');
  const address = door.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  place = { ...place, url: publicUrl.replace('{port}', `${port}`), port };
  const stop = async () => {
    door.close();
    await gateway.stop();
  };
  return { gateway, port, url: `http://127.0.0.1:${port}`, log, stop };
}

export function runningOn(port: number, hostHeader: HostRule = 'rewrite'): AppState {
  return { status: 'running', upstream: { kind: 'address', host: '127.0.0.1', port, hostHeader } };
}

/** Sends the bytes, and resolves with everything received until the gateway closed the connection. */
export async function sendRaw(port: number, bytes: string, deadlineMs = 10_000): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  const timer = setTimeout(() => socket.destroy(new Error(`not closed within ${deadlineMs} ms`)), deadlineMs);
  try {
    let answer = '';
    socket.on('data', chunk => {
      answer += chunk;
    });
    socket.write(bytes, 'latin1');
    await once(socket, 'close');
    return answer;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
