// Finds a free port for a program that does not choose one itself. Used by the modes exec, port and os.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { AppError, hasCode } from '../../shared/errors.ts';

/** Then any port will do: on an unusual machine some address may be refused for every port. */
const MAX_ATTEMPTS = 20;

/** A TCP port, at most `max`, that was free a moment ago. */
export async function findFreePort(max = 65_535): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await tryToListen('127.0.0.1', 0);
    // The program may listen at all addresses, and then another program at any of them is in its way.
    if (port <= max && (attempt > MAX_ATTEMPTS || (await isFreePort(port)))) return port;
  }
}

/** Every address that a program may listen on. Some systems let two programs have one port at different addresses. */
const ADDRESSES = ['127.0.0.1', '::1', '0.0.0.0', '::'];

/** Whether a program may listen on `port`, at whichever address it does. */
export async function isFreePort(port: number): Promise<boolean> {
  for (const address of ADDRESSES) {
    const failure: unknown = await tryToListen(address, port).then(
      () => undefined,
      error => error,
    );
    // A machine without IPv6 cannot have the port taken there.
    if (failure !== undefined && !hasCode(failure, 'EADDRNOTAVAIL', 'EAFNOSUPPORT')) return false;
  }
  return true;
}

/** Listens for a moment, and resolves with the port. Rejects with the system's error. */
async function tryToListen(host: string, port: number): Promise<number> {
  const server = createServer().listen({ host, port, ipv6Only: true });
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new AppError(`no free port on ${host}`);
  return address.port;
}
