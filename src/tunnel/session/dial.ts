// Opens the control connection to a server, whichever of its addresses answers. Used by session.ts.

import { lookup as lookupHost } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { resetSocket } from '../../shared/reset.ts';
import type { ServerAddress } from '../address.ts';
import { explainDial } from '../failure.ts';
import type { Timings } from '../timings.ts';
import type { Lookup } from '../tunnel.ts';

/** A connected socket, and the one address it leads to. */
export interface ControlConnection {
  socket: Socket;
  address: ServerAddress;
}

interface DialOptions {
  timings: Timings;
  lookup: Lookup | undefined;
  signal: AbortSignal;
}

const lookupAll: Lookup = host => lookupHost(host, { all: true, order: 'verbatim' });

/** Asks for the server's addresses, and dials them. Throws TunnelFailure, or the signal's reason. */
export async function dialServer(server: ServerAddress, options: DialOptions): Promise<ControlConnection> {
  const { signal, timings } = options;
  const limited = AbortSignal.any([signal, AbortSignal.timeout(timings.dial)]);
  try {
    const addresses = await resolve(server, options.lookup ?? lookupAll, limited);
    return await new Race(addresses, timings, limited).run();
  } catch (error) {
    signal.throwIfAborted();
    throw explainDial(server, error);
  }
}

async function resolve(
  { host, port }: ServerAddress,
  lookup: Lookup,
  signal: AbortSignal,
): Promise<ServerAddress[]> {
  if (isIP(host) !== 0) return [{ host, port }];
  const found = await raceSignal(lookup(host), signal);
  return found.map(({ address }) => ({ host: address, port }));
}

/**
 * The addresses in their order, each with a start on the next; none is given up because another is dialled. When all
 * were dialled it starts again with those that are silent: on a link that is down for a while every packet is lost.
 * Node's own way (autoSelectFamily) gives each address up after 250 ms: too early for another continent.
 */
class Race {
  readonly #addresses: readonly ServerAddress[];
  readonly #timings: Timings;
  readonly #outer: AbortSignal;
  readonly #signal: AbortSignal;
  readonly #over = new AbortController();
  readonly #failed = new Set<ServerAddress>();
  readonly #result = Promise.withResolvers<ControlConnection>();
  #turn = 0;

  constructor(addresses: readonly ServerAddress[], timings: Timings, signal: AbortSignal) {
    this.#addresses = addresses;
    this.#timings = timings;
    this.#outer = signal;
    this.#signal = AbortSignal.any([signal, this.#over.signal]);
  }

  async run(): Promise<ControlConnection> {
    const timer = setInterval(() => this.#dialNext(), this.#timings.dialNext);
    try {
      if (this.#addresses.length === 0) throw new Error('the host has no address');
      this.#dialNext();
      return await raceSignal(this.#result.promise, this.#outer);
    } finally {
      clearInterval(timer);
      this.#over.abort();
    }
  }

  #dialNext(): void {
    const left = this.#addresses.filter(address => !this.#failed.has(address));
    const address = this.#addresses[this.#turn] ?? left[this.#turn % Math.max(1, left.length)];
    this.#turn += 1;
    if (address !== undefined) void this.#dial(address);
  }

  async #dial(address: ServerAddress): Promise<void> {
    try {
      const socket = await dialAddress(address, this.#timings.dialAddress, this.#signal);
      if (this.#signal.aborted) resetSocket(socket);
      else this.#result.resolve({ socket, address });
      this.#over.abort();
    } catch (error) {
      this.#failed.add(address);
      if (this.#failed.size === this.#addresses.length) this.#result.reject(error);
      else if (this.#turn < this.#addresses.length && !this.#signal.aborted) this.#dialNext();
    }
  }
}

/** One TCP connection: small writes go out at once, and the end of one direction is not the end of the other. */
function dialAddress({ host, port }: ServerAddress, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
    let isOver = false;
    const settle = () => {
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const giveUp = (reason: unknown) => {
      settle();
      socket.destroy();
      reject(reason);
    };
    const onAbort = () => giveUp(signal.reason);
    const late = () => isOver || giveUp(new Error(`no answer within ${timeoutMs / 1_000} s`));
    // After a stall of this process the timer comes first, and the answer waits in the kernel.
    const timer = setTimeout(() => setImmediate(late), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', giveUp); // and stays: whoever reads the socket sees 'close'
    socket.once('connect', () => {
      settle();
      resolve(socket);
    });
  });
}

/** A look-up cannot be called back, only left alone. */
function raceSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    // Whatever becomes of it later is heard, or it would end the process.
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) onAbort();
  });
}
