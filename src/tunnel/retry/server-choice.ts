// Which server has the tunnel, and which is asked next when that one stays away. Used by attempts.ts, which knows
// what became of each attempt.

import type { KeyObject } from 'node:crypto';
import type { ServerAddress } from '../address.ts';
import type { Timings } from '../timings.ts';
import type { TunnelOptions } from '../tunnel.ts';
import { deriveKey } from '../wire/protocol.ts';
import { orderServers } from './placement.ts';
import { PortChoice } from './port-choice.ts';

/** One server of the list, and what this tunnel wants of it. */
export interface Place {
  readonly address: ServerAddress;
  /** Undefined where no secret was given for it. */
  readonly key: KeyObject | undefined;
  readonly ports: PortChoice;
}

type ServerOptions = Pick<TunnelOptions, 'servers' | 'identity' | 'remotePort' | 'preferred'> & {
  timings: Timings;
};

/** All times are of one monotonic clock, in milliseconds. */
export class ServerChoice {
  readonly #places: readonly Place[];
  readonly #timings: Timings;
  /** Asked in vain in this round. */
  readonly #asked = new Set<Place>();
  /** Set aside until some server serves. */
  readonly #unfit = new Set<Place>();
  #current: Place;
  #awaySince: number | undefined;
  #deadline: number;

  constructor(options: ServerOptions, now: number) {
    const { servers, identity, preferred, timings } = options;
    this.#timings = timings;
    this.#places = orderServers(servers, identity).map(server => ({
      address: server.address,
      key: server.secret === undefined ? undefined : deriveKey(server.secret),
      ports: new PortChoice(server, options),
    }));
    const [best] = this.#places;
    if (best === undefined) throw new Error('a tunnel needs a server');
    this.#current = this.#places.find(({ address }) => address.host === preferred?.host) ?? best;
    this.#deadline = now + timings.serverFirst;
  }

  get current(): Place {
    return this.#current;
  }

  /** The current server serves: whatever was held against the others may be over. */
  settle(): void {
    this.#asked.clear();
    this.#unfit.clear();
  }

  /**
   * The current server is away, and was last heard of at `heardAt`. It stays the current one for a while; one that
   * only ever serves for moments (`wasGood` false) is away since it began to do so.
   */
  lose(heardAt: number, wasGood: boolean, now: number): void {
    if (wasGood || this.#awaySince === undefined) this.#awaySince = heardAt;
    this.#deadline = this.#awaySince + this.#timings.serverAway;
    // After a standstill of this machine it was we who were away: one attempt is owed.
    if (wasGood) this.#deadline = Math.max(this.#deadline, now + this.#timings.serverFirst);
  }

  /** At the start: the current server answered, if only that a port is taken. It is not away. */
  hear(now: number): void {
    this.#deadline = now + this.#timings.serverFirst;
  }

  /** How long the current server may still be tried; Infinity where there is no other. */
  patience(now: number): number {
    return this.#places.length - this.#unfit.size > 1 ? this.#deadline - now : Number.POSITIVE_INFINITY;
  }

  /**
   * Goes on to the next server. True where all had their turn, and it is that of the best one again: that comes after
   * `pauseMs`, and its time counts from then.
   */
  advance(now: number, pauseMs = 0): boolean {
    this.#asked.add(this.#current);
    const fit = this.#places.filter(place => !this.#unfit.has(place));
    const [next] = fit.filter(place => !this.#asked.has(place));
    if (next === undefined) this.#asked.clear();
    this.#current = next ?? fit[0] ?? this.#current;
    this.#awaySince = undefined;
    this.#deadline = now + this.#timings.serverFirst + (next === undefined ? pauseMs : 0);
    return next === undefined;
  }

  /** Sets the current server aside and goes on to the next. False where none is left. */
  dismiss(now: number): boolean {
    this.#unfit.add(this.#current);
    if (this.#unfit.size === this.#places.length) return false;
    this.advance(now);
    return true;
  }
}
