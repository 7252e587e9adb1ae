// A local port for a program that has to be told one. Used by the rig.

import { once } from 'node:events';
import { createServer } from 'node:net';

/** wasmrun looks for a second port from 20 above its own on. */
const MAX_PORT = 65_000;

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return port > 0 && port <= MAX_PORT ? port : findFreePort();
}
