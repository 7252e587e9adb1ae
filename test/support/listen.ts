// Starts a server of a test. Used wherever a test or one of its helpers listens itself.

import { once } from 'node:events';
import type { ListenOptions, Server } from 'node:net';

/** Listens on 127.0.0.1, on a free port unless `options` name one; resolves with the port. */
export async function listen(server: Server, options: ListenOptions = {}): Promise<number> {
  await once(server.listen({ host: '127.0.0.1', port: 0, ...options }), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}
