// Which server has the tunnel, and which one is tried next when that server does not come back. Used by
// retry-policy.ts, which reports the outcome of each attempt.

import type { KeyObject } from 'node:crypto';
import type { ServerAddress } from '../address.ts';
import type { Timings } from '../timings.ts';
import type { TunnelOptions } from '../tunnel.ts';
import { deriveKey } from '../wire/challenge.ts';
import { orderServers } from './placement.ts';
import { PortChoice } from './port-choice.ts';

/** One server of the list, with our key for it and the port to ask it for. */
export interface ServerEntry {
  readonly address: ServerAddress;
  /** Undefined if no secret was given for it. */
  readonly key: KeyObject | undefined;
  readonly ports: PortChoice;
}

type ServerOptions = Pick<TunnelOptions, 'servers' | 'identity' | 'remotePort' | 'preferred' | 'occupied'> & {
  timings: Timings;
};

/** All times are milliseconds of the same monotonic clock. */
export class ServerRotation {
  /** In the preview's own order, best first. */
  readonly #servers: readonly ServerEntry[];
  readonly #timings: Timings;
  readonly #triedThisRound = new Set<ServerEntry>();
  /** Servers that are not tried again until any server serves. */
  readonly #excluded = new Set<ServerEntry>();
  #current: ServerEntry;
  #awaySince: number | undefined;
  /** The time at which the current server has been tried long enough. */
  #deadline: number;

  constructor(options: ServerOptions, now: number) {
    const { servers, identity, preferred, timings } = options;
    this.#timings = timings;
    this.#servers = orderServers(servers, identity).map(server => ({
      address: server.address,
      key: server.secret === undefined ? undefined : deriveKey(server.secret),
      ports: new PortChoice(server, options),
    }));
    const [best] = this.#servers;
    if (best === undefined) throw new Error('a tunnel needs a server');
    this.#current = this.#servers.find(({ address }) => address.host === preferred?.host) ?? best;
    this.#deadline = now + timings.serverFirst;
  }

  get current(): ServerEntry {
    return this.#current;
  }

  /** The current server serves. The problems of the others may be over: none is excluded any more. */
  confirm(): void {
    this.#triedThisRound.clear();
    this.#excluded.clear();
  }

  /**
   * The current server is away; its last bytes came at `lastDataAt`. It stays the current server for a grace period. If
   * its sessions end early (`wasGood` false), the period is counted from the first such loss.
   */
  markLost(lastDataAt: number, wasGood: boolean, now: number): void {
    if (wasGood || this.#awaySince === undefined) this.#awaySince = lastDataAt;
    this.#deadline = this.#awaySince + this.#timings.serverAway;
    // If this machine was suspended, the grace period is over although the server may be fine: allow one more attempt.
    if (wasGood) this.#deadline = Math.max(this.#deadline, now + this.#timings.serverFirst);
  }

  /** At the start: the current server answered, perhaps only that a port is in use. Its time starts again. */
  markReachable(now: number): void {
    this.#deadline = now + this.#timings.serverFirst;
  }

  /** How much longer the current server may be tried; Infinity if there is no other. */
  graceLeft(now: number): number {
    return this.#servers.length - this.#excluded.size > 1 ? this.#deadline - now : Number.POSITIVE_INFINITY;
  }

  /**
   * Goes on to the next server. True if all servers had their turn and a new round begins with the best one: its first
   * attempt comes after `pauseMs`, and its time is counted from then.
   */
  advance(now: number, pauseMs = 0): boolean {
    this.#triedThisRound.add(this.#current);
    const usable = this.#servers.filter(server => !this.#excluded.has(server));
    const next = usable.find(server => !this.#triedThisRound.has(server));
    const isNewRound = next === undefined;
    if (isNewRound) this.#triedThisRound.clear();
    this.#current = next ?? usable[0] ?? this.#current;
    this.#awaySince = undefined;
    this.#deadline = now + this.#timings.serverFirst + (isNewRound ? pauseMs : 0);
    return isNewRound;
  }

  /** Excludes the current server and goes on to the next one. False if none is left. */
  exclude(now: number): boolean {
    this.#excluded.add(this.#current);
    if (this.#excluded.size === this.#servers.length) return false;
    this.advance(now);
    return true;
  }
}
