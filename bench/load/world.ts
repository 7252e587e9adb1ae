// Everything of one scenario: bore servers, a fleet of previews on them, and a crowd that visits the previews. Used by the
// scenarios and by test/tunnel/storm.test.ts.

import { setTimeout as delay } from 'node:timers/promises';
import { type Crowd, startCrowd } from './crowd.ts';
import { type Fleet, type FleetEvent, type Mode, startFleet } from './fleet.ts';
import { type BoreServer, SECRET, startServer } from './servers.ts';

const POLL_MS = 20;

export interface Place {
  host: string;
  port: number;
}

export interface WorldOptions {
  hosts: readonly string[];
  previews: number;
  /** Processes that the previews are spread over; default one for each 100. */
  processes?: number;
  modes?: readonly Mode[];
  range?: { min: number; max: number };
  /** Where the servers and visitors are, and where the previews are; default: all in the namespace of this process. */
  namespaces?: { server: string; runner: string };
  maxFiles?: number;
}

export class World implements AsyncDisposable {
  readonly fleet: Fleet;
  readonly crowd: Crowd;
  /** The servers that run, or ran last, by host. */
  readonly servers = new Map<string, BoreServer>();
  /** Name → where the preview is, or was last. */
  readonly places = new Map<string, Place>();
  /** Names of the previews that have a tunnel now. */
  readonly connected = new Set<string>();
  readonly events: FleetEvent[] = [];
  /** Name → when it was served again; filled during `watch` with `untilServed`. */
  readonly served = new Map<string, number>();
  readonly #options: WorldOptions;
  #broken: Error | undefined;
  #opened = 0;

  private constructor(options: WorldOptions) {
    this.#options = options;
    const { hosts, previews, processes = Math.ceil(previews / 100), modes, range, namespaces } = options;
    const onEnd = (error: Error) => {
      this.#broken ??= error;
    };
    this.crowd = startCrowd({
      namespace: namespaces?.server,
      onServed: (name, at) => this.served.set(name, at),
      onEnd,
    });
    this.fleet = startFleet({
      processes,
      servers: hosts.map(host => ({ address: { host, port: 7835 }, secret: SECRET })),
      namespace: namespaces?.runner,
      onEvent: event => this.#note(event),
      onEnd,
      ...(modes && { modes }),
      ...(range && { range }),
    });
  }

  /** Resolves when the servers listen. No preview is open yet. */
  static async start(options: WorldOptions): Promise<World> {
    const world = new World(options);
    await Promise.all(options.hosts.map(host => world.startServer(host)));
    return world;
  }

  async startServer(host: string): Promise<BoreServer> {
    const { range, namespaces, maxFiles } = this.#options;
    const server = await startServer(host, {
      namespace: namespaces?.server,
      ...(range && { range }),
      ...(maxFiles !== undefined && { maxFiles }),
    });
    this.servers.set(host, server);
    return server;
  }

  server(host: string): BoreServer {
    const server = this.servers.get(host);
    if (server === undefined) throw new Error(`there is no server on ${host}`);
    return server;
  }

  /** Starts new previews, all at once, and returns their names. */
  open(count = this.#options.previews): string[] {
    const names = Array.from({ length: count }, (_, index) => `preview ${this.#opened + index}`);
    this.#opened += count;
    this.fleet.open(names);
    return names;
  }

  /** Starts previews, and resolves when all are connected. */
  async openAll(count = this.#options.previews): Promise<string[]> {
    const names = this.open(count);
    await this.waitFor(() => names.every(name => this.connected.has(name)), 'all previews are connected');
    return names;
  }

  close(names: readonly string[]): void {
    this.crowd.tell({ kind: 'forget', names });
    this.fleet.close(names);
  }

  /** Names of the previews that are on this server now, or were last. */
  listOn(host: string): string[] {
    return [...this.places].filter(([, place]) => place.host === host).map(([name]) => name);
  }

  /** Polls until it holds. Rejects after `limitMs`, and if one of the simulator's processes has ended. */
  async waitFor(holds: () => boolean, what: string, limitMs = 60_000): Promise<void> {
    for (const deadline = Date.now() + limitMs; !holds(); await delay(POLL_MS)) {
      if (this.#broken !== undefined) throw this.#broken;
      const failed = this.events.find(event => event.kind === 'failed');
      if (failed?.kind === 'failed') throw new Error(`${failed.name} failed: ${failed.reason}`);
      if (Date.now() > deadline) throw new Error(`not within ${limitMs / 1_000} s: ${what}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.crowd.stop(), this.fleet.stop()]);
    await Promise.all([...this.servers.values()].map(server => server.end('SIGKILL')));
  }

  #note(event: FleetEvent): void {
    const { name } = event;
    this.events.push(event);
    if (event.kind === 'connected') {
      const { host, port } = event;
      this.connected.add(name);
      this.places.set(name, { host, port });
      this.crowd.tell({ kind: 'addresses', addresses: [{ name, host, port }] });
    } else this.connected.delete(name);
    if (event.kind === 'closed') this.places.delete(name);
  }
}
