// Opens the control connection to a server, on the first of its addresses that answers. Used by session.ts.

import { lookup as lookupHost } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { raceSignal } from '../../shared/abort.ts';
import { resetSocket } from '../../shared/reset.ts';
import type { ServerAddress } from '../address.ts';
import { explainDial } from '../failure.ts';
import type { Timings } from '../timings.ts';
import type { Lookup } from '../tunnel.ts';

/** A connected socket, and the IP address it leads to. */
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

/** Looks up the server's addresses and dials them. Throws TunnelFailure, or the signal's reason. */
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
 * Dials the addresses in their order, each some time before the next one; starting a dial does not end the others. When
 * all were dialled, it starts again with the silent ones: while a link is down, every packet is lost.
 * Node's own algorithm (autoSelectFamily) gives up each address after 250 ms: too early for another continent.
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
      if (this.#addresses.length === 0) throw new Error('the host name has no address');
      this.#dialNext();
      return await raceSignal(this.#result.promise, this.#outer);
    } finally {
      clearInterval(timer);
      this.#over.abort();
    }
  }

  #dialNext(): void {
    const silent = this.#addresses.filter(address => !this.#failed.has(address));
    const address = this.#addresses[this.#turn] ?? silent[this.#turn % Math.max(1, silent.length)];
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

/** One TCP connection: small writes go out at once, and the end of one direction does not end the other. */
function dialAddress({ host, port }: ServerAddress, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
    let isOver = false;
    const finish = () => {
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (reason: unknown) => {
      finish();
      socket.destroy();
      reject(reason);
    };
    const onAbort = () => fail(signal.reason);
    const onTimeout = () => isOver || fail(new Error(`no answer within ${timeoutMs / 1_000} s`));
    // After a stall of this process the timer fires first, while the answer waits in the kernel.
    const timer = setTimeout(() => setImmediate(onTimeout), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', fail); // never removed: the connection's later readers rely on 'close' alone
    socket.once('connect', () => {
      finish();
      resolve(socket);
    });
  });
}
