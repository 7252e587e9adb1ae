// Opens TCP connections to the server. Used by client.ts for the control connection, by visitors.ts for the others.

import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import type { ServerAddress } from './address.ts';
import { explainDial } from './failure.ts';
import type { Timings } from './timings.ts';

/** A connected socket, and the one address it leads to. */
export interface Line {
  socket: Socket;
  address: ServerAddress;
}

/**
 * Tries the server's addresses one after the other. Throws TunnelFailure, or the signal's reason.
 * Node's own way through several addresses (autoSelectFamily) allows 250 ms each: too little for another continent.
 */
export async function dialServer(
  server: ServerAddress,
  timings: Timings,
  signal: AbortSignal,
): Promise<Line> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(timings.dial)]);
  try {
    return await dialEach(await resolve(server, limited), timings, limited);
  } catch (error) {
    signal.throwIfAborted();
    throw explainDial(server, error);
  }
}

/** One TCP connection: small writes go out at once, and the end of one direction is not the end of the other. */
export function dialAddress(
  { host, port }: ServerAddress,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const giveUp = (reason: unknown) => {
      settle();
      socket.destroy();
      reject(reason);
    };
    const onAbort = () => giveUp(signal.reason);
    const timer = setTimeout(() => giveUp(new Error(`no answer within ${timeoutMs / 1_000} s`)), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', giveUp); // and stays: whoever reads the socket sees 'close'
    socket.once('connect', () => {
      settle();
      resolve(socket);
    });
  });
}

async function resolve({ host, port }: ServerAddress, signal: AbortSignal): Promise<ServerAddress[]> {
  if (isIP(host) !== 0) return [{ host, port }];
  const found = await raceSignal(lookup(host, { all: true, order: 'verbatim' }), signal);
  return found.map(({ address }) => ({ host: address, port }));
}

async function dialEach(addresses: ServerAddress[], timings: Timings, signal: AbortSignal): Promise<Line> {
  let failure: unknown = new Error('the host has no address');
  for (const address of addresses) {
    try {
      return { socket: await dialAddress(address, timings.dialAddress, signal), address };
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  throw failure;
}

/** A look-up cannot be called back, only left alone. */
function raceSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = () => signal.removeEventListener('abort', onAbort);
    promise.then(resolve, reject).finally(settle);
  });
}
