// Which public port of one server to ask for next. Used by attempts.ts, through server-choice.ts.

import { type Asked, explainFixedPort, explainNoCandidate, type TunnelFailure } from '../failure.ts';
import type { Timings } from '../timings.ts';
import type { RemotePort, TunnelOptions, TunnelServer } from '../tunnel.ts';
import { isBlockedPort } from './blocked-ports.ts';
import { listCandidates } from './placement.ts';

/**
 * Candidates of `auto` that are asked for. Where half of all ports are taken, 32 in a row are in one of four billion
 * runs; and where the server's own range is narrower, all of them are refused within seconds, which is when people
 * should hear of it.
 */
export const MAX_CANDIDATES = 32;

/** What a server gives out without a privilege, and where it ends. */
const LOWEST_PORT = 1_024;
const HIGHEST_PORT = 65_535;

/** After a port was not given: ask again after a pause, ask for the next one at once, or leave it. */
export type PortVerdict = 'later' | 'next' | 'never';

type PortOptions = Pick<TunnelOptions, 'identity' | 'remotePort' | 'preferred'> & { timings: Timings };

export class PortChoice {
  readonly #server: TunnelServer;
  readonly #options: PortOptions;
  /** Where strangers answer. */
  readonly #left = new Set<number>();
  #list: Iterator<number, void>;
  #port: number;
  #patience: number;
  #takenSince: number | undefined;
  /** Of this round through the list. */
  #asked = 1;
  #wasTaken = false;
  #wasRefused = false;
  #isWholeRound = false;
  /** The server is asked for one of its own choice. */
  #isAnyPort = false;
  #served = false;

  constructor(server: TunnelServer, options: PortOptions) {
    this.#server = server;
    this.#options = options;
    this.#list = listPorts(server, options);
    this.#port = this.#list.next().value ?? 0;
    const { portAgain, portFirst } = options.timings;
    this.#patience = readPreferred(server, options) === undefined ? portFirst : portAgain;
  }

  /** What to put into `Hello`; 0 for any. */
  get port(): number {
    return this.#port;
  }

  /** The server gave us `port`: it is the one to ask for from now on. */
  settle(port: number): void {
    this.#port = port;
    this.#served = true;
    this.#isWholeRound = false;
    this.#expect(this.#options.timings.portAgain);
  }

  /** A stranger answers at our port: it is not asked for again. False where there is no other. */
  leave(): boolean {
    if (this.#port === 0) return true; // any port is another one
    this.#left.add(this.#port);
    if (this.#advance()) return true;
    this.#startOver();
    return !this.#left.has(this.#port);
  }

  /**
   * The server did not give us the port (kind `port-taken` or `port-refused`); `now` is of a monotonic clock. Where
   * another server has served before (`isTakeover`), visitors wait, and the address changes in any case.
   */
  judge({ kind }: TunnelFailure, now: number, isTakeover: boolean): PortVerdict {
    if (kind === 'port-taken') {
      this.#takenSince ??= now;
      if (!isTakeover && now - this.#takenSince < this.#patience) return 'later';
      this.#wasTaken = true;
    } else this.#wasRefused = true;
    if (this.#advance()) return 'next';
    // Who has served for an hour waits for a port to become free; but a range that does not fit stays as it is.
    const hasServed = this.#served || isTakeover;
    if (!hasServed || (this.#isWholeRound && !this.#wasTaken)) return 'never';
    this.#startOver();
    return 'later';
  }

  /** The server could not be asked: how long the port is taken already counts anew. */
  forgetTaken(): void {
    this.#takenSince = undefined;
  }

  /** True while our own port is taken, by what is left of the session before. */
  isBeingFreed(now: number): boolean {
    return this.#served && this.#takenSince !== undefined && now - this.#takenSince < this.#patience;
  }

  /** What came of this round through the list so far. */
  get asked(): Asked {
    return { count: this.#asked, allTaken: !this.#wasRefused };
  }

  /** What people are told of a port that was not given: advice about `remote-port` only where they chose it. */
  explain(failure: TunnelFailure): TunnelFailure {
    return this.#options.remotePort.kind === 'fixed' ? explainFixedPort(failure) : failure;
  }

  /** What people are told after `never`. */
  explainEnd(last: TunnelFailure): TunnelFailure {
    const { remotePort } = this.#options;
    return remotePort.kind === 'auto'
      ? explainNoCandidate(this.#server.address, remotePort, this.asked)
      : this.explain(last);
  }

  #expect(patience: number): void {
    this.#patience = patience;
    this.#takenSince = undefined;
  }

  /** False where the list has no other port. */
  #advance(): boolean {
    for (let next = this.#list.next(); !next.done; next = this.#list.next()) {
      if (this.#left.has(next.value)) continue;
      if (next.value === this.#port) return false;
      this.#port = next.value;
      this.#isAnyPort ||= next.value === 0;
      this.#asked += 1;
      this.#expect(0);
      return true;
    }
    return false;
  }

  #startOver(): void {
    // Who was given none of them once need not ask for all of them again.
    this.#list = this.#isAnyPort ? [0].values() : listPorts(this.#server, this.#options);
    this.#advance();
    this.#expect(0);
    this.#asked = 1;
    this.#wasTaken = false;
    this.#wasRefused = false;
    this.#isWholeRound = true;
  }
}

function* listPorts(server: TunnelServer, options: PortOptions): Generator<number, void> {
  const wish = options.remotePort;
  if (wish.kind === 'fixed') {
    yield wish.port;
    return;
  }
  const before = readPreferred(server, options);
  if (before !== undefined) yield before;
  if (wish.kind === 'random') for (;;) yield 0;
  let count = 0;
  for (const port of listCandidates(options.identity, server.secret, wish)) {
    if (port !== before) yield port;
    count += 1;
    if (count === MAX_CANDIDATES) break;
  }
  // Where any port will do, one that changes from run to run is better than none.
  if (isWholeRange(wish)) yield 0;
}

/** True where any port that a server gives out will do. */
export function isWholeRange({ min, max }: { min: number; max: number }): boolean {
  return min <= LOWEST_PORT && max === HIGHEST_PORT;
}

/** The port the tunnel had on this server before, where the wish allows it. */
function readPreferred(
  { address }: TunnelServer,
  { preferred, remotePort }: PortOptions,
): number | undefined {
  if (preferred === undefined || preferred.host !== address.host) return undefined;
  return allows(remotePort, preferred.port) ? preferred.port : undefined;
}

function allows(wish: RemotePort, port: number): boolean {
  if (wish.kind === 'auto') return port >= wish.min && port <= wish.max && !isBlockedPort(port);
  return wish.kind === 'random';
}
