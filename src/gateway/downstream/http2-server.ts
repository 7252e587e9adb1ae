// The HTTP/2 server: gets connections after their TLS handshake, and opens a session on each. Used by tls-front.ts.

import { performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { VisitHandler } from '../visit.ts';
import { ConnectionSet } from './connection-set.ts';
import type { ConnectionSlots } from './connection-slots.ts';
import { SESSION_OPTIONS, VisitorSession } from './http2-session.ts';
import { SlowUploads } from './slow-uploads.ts';
import { watchStalledReaders } from './stalled-readers.ts';
import type { VisitorLimits, VisitorServer } from './visitor-server.ts';

/** How often the server looks for sessions that have ended but whose connection is still open. */
const ENDED_INTERVAL_MS = 500;

export class Http2Server implements VisitorServer {
  readonly #limits: VisitorLimits;
  readonly #handler: VisitHandler;
  readonly #slots: ConnectionSlots;
  readonly #connections: ConnectionSet;
  readonly #sessions = new Map<Duplex, VisitorSession>();
  /** Open requests → how many bytes of the answer have been sent. */
  readonly #streams = new Map<ServerHttp2Stream, number>();
  readonly #stalledReaders: { stop(): void };
  readonly #slowUploads: SlowUploads;
  readonly #endedTimer: NodeJS.Timeout;

  /** Ready at once. `slots` are shared with other servers. */
  constructor(limits: VisitorLimits, handler: VisitHandler, slots: ConnectionSlots) {
    this.#limits = limits;
    this.#handler = handler;
    this.#slots = slots;
    this.#connections = new ConnectionSet(slots);
    this.#stalledReaders = watchStalledReaders(
      () => this.#streams.keys(),
      limits.stalledMs,
      stream => stream.destroy(),
      stream => this.#streams.get(stream) ?? 0,
    );
    this.#slowUploads = new SlowUploads(limits);
    this.#endedTimer = setInterval(() => this.#cutEnded(), ENDED_INTERVAL_MS).unref();
  }

  admit(connection: Duplex): boolean {
    if (!this.#connections.admit(connection)) return false;
    const session = new VisitorSession(performServerHandshake(connection, SESSION_OPTIONS), connection, {
      limits: this.#limits,
      handler: this.#handler,
      slots: this.#slots,
      slowUploads: this.#slowUploads,
      streams: this.#streams,
      isStopping: () => this.#connections.isStopping,
      onClose: () => this.#sessions.delete(connection),
    });
    this.#sessions.set(connection, session);
    return true;
  }

  async stop(drainMs = 0): Promise<void> {
    await this.#connections.stop(drainMs, connection => this.#sessions.get(connection)?.close());
    this.#stalledReaders.stop();
    this.#slowUploads.stop();
    clearInterval(this.#endedTimer);
  }

  #cutEnded(): void {
    const now = performance.now();
    for (const session of this.#sessions.values()) session.cutIfEnded(now);
  }
}
