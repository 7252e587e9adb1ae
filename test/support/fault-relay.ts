// A relay between a tunnel's client and its bore server that can do to each connection, and to each direction of it,
// what networks do: for the tests of faults and the soak.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ServerAddress } from '../../src/tunnel/address.ts';
import { type Fault, Pump } from './fault-pump.ts';

export type { Fault };

/** The connection of a session, or one that carries a visitor. */
export type Leg = 'control' | 'data';
export type Direction = 'toServer' | 'toClient';

export interface Injection {
  /** Both where it is left out. */
  leg?: Leg;
  /** Both where it is left out. */
  direction?: Direction;
  fault: Fault;
  /** `present`: those that are there now; `next`: the first that comes from now on; `all` (default). */
  connections?: 'present' | 'next' | 'all';
}

export interface RelayedConnection {
  /** From 0, in the order they came. */
  readonly number: number;
  /**
   * What its first request says (`Hello` or `Accept`). Until then it is taken for a data leg where a control leg is
   * open, else for a control leg: a fault can so bear on the server's challenge, too.
   */
  readonly leg: Leg;
  /** Bytes that arrived. */
  readonly passed: Readonly<Record<Direction, number>>;
}

export interface FaultRelay {
  /** For the client, in place of the server's. */
  readonly address: ServerAddress;
  /** Those that are open on one side at least, in the order they came. */
  readonly connections: readonly RelayedConnection[];
  /** How many there were. */
  readonly count: number;
  /** The last one that fits a connection counts. Returns what lifts it again. */
  inject(injection: Injection): () => void;
  /** Lifts all that is injected. What vanished stays lost. */
  heal(): void;
  /** Lets nobody new in, who then meets a closed port, until `admit()`. */
  refuse(): Promise<void>;
  admit(): Promise<void>;
  /** Destroys all connections. May be called twice. */
  stop(): Promise<void>;
}

/** Listens on a free port of `host`, 127.0.0.1 where it is left out. */
export async function startFaultRelay(target: ServerAddress, host = '127.0.0.1'): Promise<FaultRelay> {
  const relay = new Relay(target, host);
  await relay.admit();
  return relay;
}

interface Rule extends Injection {
  /** The connections it bears on, by number. */
  first: number;
  last: number;
  /** The one of `next`. */
  only?: Connection | undefined;
}

/** Enough of what a client says first: its proof and its request are some 170 bytes. */
const MAX_REQUEST_LENGTH = 512;
const DIRECTIONS = ['toServer', 'toClient'] as const;

class Connection implements RelayedConnection {
  readonly number: number;
  readonly sockets: readonly [near: Socket, far: Socket];
  readonly pumps: Readonly<Record<Direction, Pump>>;
  leg: Leg;
  #said = '';

  constructor(number: number, near: Socket, far: Socket, leg: Leg, signal: AbortSignal, onLeg: () => void) {
    this.number = number;
    this.sockets = [near, far];
    this.leg = leg;
    const listen = (bytes: Buffer) => {
      if (this.#hear(bytes)) onLeg();
    };
    const toServer = new Pump(near, far, signal, listen);
    const toClient = new Pump(far, near, signal, () => {});
    this.pumps = { toServer, toClient };
    for (const socket of this.sockets) socket.on('error', () => {});
  }

  get passed(): Record<Direction, number> {
    return { toServer: this.pumps.toServer.passed, toClient: this.pumps.toClient.passed };
  }

  carry(): void {
    const { toServer, toClient } = this.pumps;
    void toServer.carry(() => void toClient.reset());
    void toClient.carry(() => void toServer.reset());
  }

  /** True when the leg has become known. */
  #hear(bytes: Buffer): boolean {
    if (this.#said.length >= MAX_REQUEST_LENGTH) return false;
    this.#said += bytes.toString('latin1');
    const request = /^(?:\{"Authenticate":[^\0]*\0)?\{"(Hello|Accept)"/.exec(this.#said)?.[1];
    if (request === undefined) return false;
    this.#said = ' '.repeat(MAX_REQUEST_LENGTH);
    this.leg = request === 'Hello' ? 'control' : 'data';
    return true;
  }
}

class Relay implements FaultRelay {
  readonly #open = new Set<Connection>();
  readonly #target: ServerAddress;
  readonly #address: ServerAddress;
  readonly #server: Server;
  readonly #stopping = new AbortController();
  #rules: Rule[] = [];
  #count = 0;

  constructor(target: ServerAddress, host: string) {
    this.#target = target;
    this.#address = { host, port: 0 };
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, near => this.#relay(near));
  }

  get address(): ServerAddress {
    return { ...this.#address };
  }

  get count(): number {
    return this.#count;
  }

  get connections(): Connection[] {
    return [...this.#open];
  }

  inject(injection: Injection): () => void {
    const { connections = 'all' } = injection;
    const first = connections === 'next' ? this.#count : 0;
    const last = connections === 'present' ? this.#count - 1 : Infinity;
    // A copy: the same fault injected anew counts its bytes anew.
    const rule = { ...injection, fault: { ...injection.fault }, first, last };
    this.#rules.push(rule);
    this.#apply();
    return () => {
      this.#rules = this.#rules.filter(other => other !== rule);
      this.#apply();
    };
  }

  heal(): void {
    this.#rules = [];
    this.#apply();
  }

  async refuse(): Promise<void> {
    this.#server.close(); // its 'close' would wait for the connections
  }

  async admit(): Promise<void> {
    const { host, port } = this.#address;
    await once(this.#server.listen(port, host), 'listening');
    const bound = this.#server.address();
    if (typeof bound === 'object' && bound !== null) this.#address.port = bound.port;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#server.close();
    for (const { sockets } of this.#open) for (const socket of sockets) socket.destroy();
    this.heal(); // wakes what waits
  }

  #relay(near: Socket): void {
    const far = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const leg = this.connections.some(other => other.leg === 'control') ? 'data' : 'control';
    const { signal } = this.#stopping;
    const connection = new Connection(this.#count, near, far, leg, signal, () => this.#apply());
    this.#count += 1;
    this.#open.add(connection);
    for (const socket of connection.sockets)
      socket.once('close', () => near.destroyed && far.destroyed && this.#open.delete(connection));
    this.#apply();
    connection.carry();
  }

  #apply(): void {
    for (const rule of this.#rules) if (rule.connections === 'next') this.#bind(rule);
    for (const connection of this.#open)
      for (const direction of DIRECTIONS)
        connection.pumps[direction].suffer(this.#find(connection, direction));
  }

  /** To the first of its leg, which may turn out to be another one when a leg becomes known. */
  #bind(rule: Rule): void {
    const fits = ({ number, leg }: Connection) => number >= rule.first && leg === (rule.leg ?? leg);
    if (rule.only === undefined || !fits(rule.only)) rule.only = this.connections.find(fits);
  }

  #find(connection: Connection, direction: Direction): Fault | undefined {
    return this.#rules.findLast(
      rule =>
        (rule.leg ?? connection.leg) === connection.leg &&
        (rule.direction ?? direction) === direction &&
        connection.number >= rule.first &&
        connection.number <= rule.last &&
        (rule.only ?? connection) === connection,
    )?.fault;
  }
}
