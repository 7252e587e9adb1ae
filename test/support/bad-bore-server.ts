// A server that does what a bore server should not do. Used by the tests of the tunnel, the exposure and e2e.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface BadBoreServer {
  readonly address: { host: string; port: number };
  /** What clients sent: one text for each connection, in the order in which they came. */
  readonly received: readonly string[];
}

/** Behaves as the server on one connection; `number` counts connections from 0. */
export type Behaviour = (socket: Socket, number: number) => void;

/** Runs until the test is finished. */
export async function startBadBoreServer(behave: Behaviour): Promise<BadBoreServer> {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, socket => {
    const number = received.push('') - 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', chunk => {
      received[number] += chunk.toString('latin1');
    });
    behave(socket, number);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  return {
    address: { host: '127.0.0.1', port: typeof address === 'object' && address !== null ? address.port : 0 },
    received,
  };
}

/** Accepts and sends nothing. */
export const staySilent: Behaviour = () => {};

/** Never ends a frame. */
export const flood: Behaviour = socket => {
  const write = () => {
    while (socket.writable && socket.write(Buffer.alloc(65_536, 'A')));
  };
  socket.on('drain', write);
  write();
};

/** Sends the text (a NUL ends a frame) once the client has sent something. */
export function reply(text: string): Behaviour {
  return socket => void socket.once('data', () => socket.write(text));
}

/** Sends the text at once. */
export function greetWith(text: string): Behaviour {
  return socket => void socket.write(text);
}
