// Finds a free port for a program that does not choose one itself. Used by the modes exec, port and os.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { AppError } from '../../shared/errors.ts';

/** A TCP port of 127.0.0.1, at most `max`, that was free a moment ago. */
export async function findFreePort(max = 65_535): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new AppError('no free port on 127.0.0.1');
  return address.port <= max ? address.port : await findFreePort(max);
}
