// Finds a free local port for programs that must be given one. Used for wasmrun and iperf3.

import { once } from 'node:events';
import { createServer } from 'node:net';

/** wasmrun also looks for a second port, at least 20 above the given one. */
const MAX_PORT = 65_000;

/** A TCP port of 127.0.0.1 that was free when it was checked. Another program may take it before it is used. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return port > 0 && port <= MAX_PORT ? port : findFreePort();
}
