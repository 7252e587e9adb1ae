// A relay between a tunnel and its bore server that injects network faults into each connection and each direction.
// Used by the tests of faults (test/tunnel/faults-*, fault-world.ts) and of outages and several servers.

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ServerAddress } from '../../src/tunnel/address.ts';
import { type Fault, Pump } from './fault-pump.ts';

export type { Fault };

/** The control connection of a session, or the data connection of a visitor. */
export type Role = 'control' | 'data';
export type Direction = 'toServer' | 'toClient';

export interface Injection {
  /** Default: both. */
  role?: Role;
  /** Default: both. */
  direction?: Direction;
  fault: Fault;
  /** `present`: the open ones; `next`: the first that comes from now on; `all`: both, and all later ones (default). */
  connections?: 'present' | 'next' | 'all';
}

export interface RelayedConnection {
  /** Counted from 0, in the order in which the connections came. */
  readonly number: number;
  /**
   * Known from its first request (`Hello` or `Accept`). Before that a connection counts as data if a control connection
   * is open, otherwise as control. So a fault can apply to the server's challenge, too.
   */
  readonly role: Role;
  /** Bytes that were passed on. */
  readonly passed: Readonly<Record<Direction, number>>;
}

export interface FaultRelay {
  /** The address to give to the client instead of the server's. */
  readonly address: ServerAddress;
  /** Connections open on at least one side, in the order in which they came. */
  readonly connections: readonly RelayedConnection[];
  /** How many connections came. */
  readonly count: number;
  /** If several injections match a connection, the last one applies. Returns a function that removes it. */
  inject(injection: Injection): () => void;
  /** Removes all injections. Dropped bytes stay lost. */
  heal(): void;
  /** Closes the port to new connections until `admit()`. */
  refuse(): Promise<void>;
  admit(): Promise<void>;
  /** Destroys all connections. May be called twice. */
  stop(): Promise<void>;
}

/** Listens on a free port of `host`. */
export async function startFaultRelay(target: ServerAddress, host = '127.0.0.1'): Promise<FaultRelay> {
  const relay = new Relay(target, host);
  await relay.admit();
  return relay;
}

interface Rule extends Injection {
  /** The numbers of the connections that it applies to. */
  first: number;
  last: number;
  /** The connection that `next` chose. */
  only?: Connection | undefined;
}

/** Enough of a client's first bytes: its proof and its request are some 170 bytes. */
const MAX_REQUEST_LENGTH = 512;
const DIRECTIONS = ['toServer', 'toClient'] as const;

class Connection implements RelayedConnection {
  readonly number: number;
  readonly sockets: readonly [near: Socket, far: Socket];
  readonly pumps: Readonly<Record<Direction, Pump>>;
  role: Role;
  #received = '';

  constructor(
    number: number,
    near: Socket,
    far: Socket,
    role: Role,
    signal: AbortSignal,
    onRoleKnown: () => void,
  ) {
    this.number = number;
    this.sockets = [near, far];
    this.role = role;
    const listen = (bytes: Buffer) => {
      if (this.#readRole(bytes)) onRoleKnown();
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

  /** Returns true when the role became known. */
  #readRole(bytes: Buffer): boolean {
    if (this.#received.length >= MAX_REQUEST_LENGTH) return false;
    this.#received += bytes.toString('latin1');
    const request = /^(?:\{"Authenticate":[^\0]*\0)?\{"(Hello|Accept)"/.exec(this.#received)?.[1];
    if (request === undefined) return false;
    this.#received = ' '.repeat(MAX_REQUEST_LENGTH);
    this.role = request === 'Hello' ? 'control' : 'data';
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
    // A copy, so that a fault that is injected again counts its bytes from 0.
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
    this.heal(); // ends the waits for a change of fault
  }

  #relay(near: Socket): void {
    const far = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const role = this.connections.some(other => other.role === 'control') ? 'data' : 'control';
    const { signal } = this.#stopping;
    const connection = new Connection(this.#count, near, far, role, signal, () => this.#apply());
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
        connection.pumps[direction].setFault(this.#find(connection, direction));
  }

  /** Chooses the connection of `next`: the first with its role; the choice may change when a role becomes known. */
  #bind(rule: Rule): void {
    const fits = ({ number, role }: Connection) => number >= rule.first && role === (rule.role ?? role);
    if (rule.only === undefined || !fits(rule.only)) rule.only = this.connections.find(fits);
  }

  #find(connection: Connection, direction: Direction): Fault | undefined {
    return this.#rules.findLast(
      rule =>
        (rule.role ?? connection.role) === connection.role &&
        (rule.direction ?? direction) === direction &&
        connection.number >= rule.first &&
        connection.number <= rule.last &&
        (rule.only ?? connection) === connection,
    )?.fault;
  }
}
