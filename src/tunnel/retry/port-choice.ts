// Which public port to ask one server for next. Used by retry-policy.ts, through server-rotation.ts; isWholeRange also by
// exposure/public-tunnel.ts.
//
// Ports are asked for in rounds: the one the tunnel had before, then those that `remotePort` allows, each once.
// (`random` asks for any port each time, and its round never ends.)
//
// | the server's answer | and (the first row that is true)                   | then                                  |
// |---------------------|---------------------------------------------------|---------------------------------------|
// | port given          |                                                   | `confirm`: it is asked for first now  |
// | in use              | within the port's grace period, not in a takeover | 'later': the same port, after a pause |
// | in use, or refused  | the round has another port                        | 'next': that port, at once            |
// |                     | there was no session yet, on any server           | 'never': give this server up          |
// |                     | the round was complete, and every port refused    | 'never': waiting would not help       |
// |                     | otherwise                                         | 'later': a new round                  |
//
// Grace periods: `portFirst` for the first port of all (an older job may be ending), `portAgain` for a port the tunnel
// had (the server frees it a moment after the session), none for any other.

import { type AskedPorts, explainFixedPort, explainNoCandidate, type TunnelFailure } from '../failure.ts';
import type { Timings } from '../timings.ts';
import type { RemotePort, TunnelOptions, TunnelServer } from '../tunnel.ts';
import { isBlockedPort } from './blocked-ports.ts';
import { listCandidates } from './placement.ts';

/**
 * How many candidates of `auto` are asked for. If half of all ports are in use, 32 in a row are in use once in four
 * billion runs. If the server's own range is narrower, it refuses all of them within seconds, so that the user need not
 * wait long for the error.
 */
export const MAX_CANDIDATES = 32;

/** The ports a server can open without privileges. */
const LOWEST_PORT = 1_024;
const HIGHEST_PORT = 65_535;

/** After a port was not given: ask again after a pause, ask for the next port at once, or give this server up. */
export type PortVerdict = 'later' | 'next' | 'never';

type PortOptions = Pick<TunnelOptions, 'identity' | 'remotePort' | 'preferred' | 'occupied'> & {
  timings: Timings;
};

/** One pass through the ports. */
interface Round {
  readonly ports: Iterator<number, void>;
  /** Ports asked for so far. */
  count: number;
  sawTaken: boolean;
  sawRefused: boolean;
  /** Begun by `#startOver`, with no session since: when it ends, every port was asked for since the last session. */
  isComplete: boolean;
}

export class PortChoice {
  readonly #server: TunnelServer;
  readonly #options: PortOptions;
  /** Ports on which another program answered our probe; never used again. */
  readonly #rejected = new Set<number>();
  #round: Round;
  #port: number;
  #graceMs: number;
  #takenSince: number | undefined;
  /** The server gave none of the ports before, so it was asked to choose one. */
  #hasAskedForAny = false;
  #hasServed = false;

  constructor(server: TunnelServer, options: PortOptions) {
    this.#server = server;
    this.#options = options;
    this.#round = startRound(listPorts(server, options), false);
    this.#port = this.#round.ports.next().value ?? 0;
    this.#round.count = 1;
    const { portAgain, portFirst } = options.timings;
    this.#graceMs = readPreferred(server, options) === undefined ? portFirst : portAgain;
  }

  /** The port to put into `Hello`; 0 for any. */
  get port(): number {
    return this.#port;
  }

  /** The server opened `port` for us: from now on, this port is asked for first. */
  confirm(port: number): void {
    this.#port = port;
    this.#hasServed = true;
    this.#round.isComplete = false;
    this.#startGrace(this.#options.timings.portAgain);
  }

  /** Another program answers at our port, so this port is not asked for again. False if there is no other port. */
  reject(): boolean {
    if (this.#port === 0) return true; // the server will choose another port
    this.#rejected.add(this.#port);
    if (this.#advance()) return true;
    this.#startOver();
    return !this.#rejected.has(this.#port);
  }

  /**
   * The server did not give us the port (kind `port-taken` or `port-refused`); `now` is the time of a
   * monotonic clock. In a takeover (another server has served before) there is no grace period: visitors wait, and
   * the address changes in any case.
   */
  nextPort({ kind }: TunnelFailure, now: number, isTakeover: boolean): PortVerdict {
    if (kind === 'port-taken') {
      this.#takenSince ??= now;
      if (!isTakeover && now - this.#takenSince < this.#graceMs) return 'later';
      this.#round.sawTaken = true;
    } else this.#round.sawRefused = true;
    if (this.#advance()) return 'next';
    if (!(this.#hasServed || isTakeover)) return 'never';
    // After a working session, wait for a port; but not if all were refused as out of range.
    if (this.#round.isComplete && !this.#round.sawTaken) return 'never';
    this.#startOver();
    return 'later';
  }

  /** The server could not be asked: the grace period starts again with the next answer. */
  resetGrace(): void {
    this.#takenSince = undefined;
  }

  /** True while the server may still hold our own port for the previous session. */
  isBeingFreed(now: number): boolean {
    return this.#hasServed && this.#takenSince !== undefined && now - this.#takenSince < this.#graceMs;
  }

  /** The results of this round so far. */
  get asked(): AskedPorts {
    return { count: this.#round.count, allTaken: !this.#round.sawRefused };
  }

  /** The failure as it is reported: with advice about `remote-port` only if the user chose the port. */
  explain(failure: TunnelFailure): TunnelFailure {
    return this.#options.remotePort.kind === 'fixed' ? explainFixedPort(failure) : failure;
  }

  /** The failure as it is reported after 'never'. */
  explainEnd(last: TunnelFailure): TunnelFailure {
    const { remotePort } = this.#options;
    return remotePort.kind === 'auto'
      ? explainNoCandidate(this.#server.address, remotePort, this.asked)
      : this.explain(last);
  }

  #startGrace(graceMs: number): void {
    this.#graceMs = graceMs;
    this.#takenSince = undefined;
  }

  /** Goes on to the next port of the round. False if it has no other. */
  #advance(): boolean {
    const { ports } = this.#round;
    for (let next = ports.next(); !next.done; next = ports.next()) {
      if (this.#rejected.has(next.value)) continue;
      if (next.value === this.#port) return false;
      this.#port = next.value;
      this.#hasAskedForAny ||= next.value === 0;
      this.#round.count += 1;
      this.#startGrace(0);
      return true;
    }
    return false;
  }

  #startOver(): void {
    // A server that once gave none of our own ports is not asked for all of them again.
    const ports = this.#hasAskedForAny ? [0].values() : listPorts(this.#server, this.#options);
    this.#round = startRound(ports, true);
    this.#advance();
    this.#round.count = 1;
    this.#startGrace(0);
  }
}

function startRound(ports: Iterator<number, void>, isComplete: boolean): Round {
  return { ports, count: 0, sawTaken: false, sawRefused: false, isComplete };
}

function* listPorts(server: TunnelServer, options: PortOptions): Generator<number, void> {
  const { remotePort } = options;
  if (remotePort.kind === 'fixed') {
    yield remotePort.port;
    return;
  }
  const preferred = readPreferred(server, options);
  if (preferred !== undefined) yield preferred;
  if (remotePort.kind === 'random') for (;;) yield 0;
  const occupied = options.occupied?.host === server.address.host ? options.occupied.port : undefined;
  let count = 0;
  for (const port of listCandidates(options.identity, server.secret, remotePort)) {
    if (port !== preferred && port !== occupied) yield port;
    count += 1;
    if (count === MAX_CANDIDATES) break;
  }
  // If the user set no range, a port that changes from run to run is better than none.
  if (isWholeRange(remotePort)) yield 0;
}

/** True for a range that holds every port a server can open without privileges. */
export function isWholeRange({ min, max }: { min: number; max: number }): boolean {
  return min <= LOWEST_PORT && max === HIGHEST_PORT;
}

/** The port the tunnel had on this server before, if `remotePort` allows it. */
function readPreferred(
  { address }: TunnelServer,
  { preferred, remotePort }: PortOptions,
): number | undefined {
  if (preferred === undefined || preferred.host !== address.host) return undefined;
  return allows(remotePort, preferred.port) ? preferred.port : undefined;
}

function allows(remotePort: RemotePort, port: number): boolean {
  if (remotePort.kind === 'auto')
    return port >= remotePort.min && port <= remotePort.max && !isBlockedPort(port);
  return remotePort.kind === 'random';
}
