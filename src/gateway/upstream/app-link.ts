// The connections to the app: pools for its current address. They are destroyed as soon as the app has another address
// or none, because the old port may already belong to another process. Used by gateway.ts, pass.ts and proxy.ts.

import type { Dispatcher } from 'undici';
import Pool from 'undici/lib/dispatcher/pool.js';
import { MAX_ANSWER_HEAD_BYTES } from '../../shared/invalid-answer.ts';
import { addBrackets } from '../../shared/public-url.ts';
import type { AppState, Upstream } from '../../shared/state.ts';

export type AppAddress = Extract<Upstream, { kind: 'address' }>;

/** Where the app listens; undefined if it is not running, or has no port. */
export function findAppAddress(app: AppState): AppAddress | undefined {
  return app.status === 'running' && app.upstream.kind === 'address' ? app.upstream : undefined;
}

/**
 * As many as the requests that connection-slots.ts lets run in both groups, so that no request waits for a connection.
 */
const MAX_CONNECTIONS = 1_280;

/**
 * How long the app may take to send its head. Local models and reports need many minutes. If the visitor leaves, the
 * app's request ends at once, so this limit is only for those who wait.
 */
const ANSWER_TIMEOUT_MS = 60 * 60_000;

/** The app is on this machine: if connecting takes longer, its accept queue is full. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Less than the 5 s after which Node and many others close an idle connection, so that we close it first. */
const KEEP_ALIVE_MS = 4_000;

export class AppLink {
  #address: AppAddress | undefined;
  #kept: Pool | undefined;
  #fresh: Pool | undefined;

  /** Connections to this address, kept alive between requests. Those to any other address are destroyed. */
  select(address: AppAddress): Dispatcher {
    if (!this.leadsTo(address)) void this.forget();
    this.#address = address;
    this.#kept ??= openPool(renderOrigin(address), 1);
    return this.#kept;
  }

  /** Connections used once, for a second try; undefined if the app has another address by now. */
  selectFresh(address: AppAddress): Dispatcher | undefined {
    if (!this.leadsTo(address)) return undefined;
    this.#fresh ??= openPool(renderOrigin(address), 0);
    return this.#fresh;
  }

  /** Whether `address` is where the app was last seen. */
  leadsTo(address: AppAddress): boolean {
    return this.#address?.host === address.host && this.#address.port === address.port;
  }

  /** Destroys every connection, so that requests under way fail; resolves when all are closed. May be called twice. */
  async forget(): Promise<void> {
    const pools = [this.#kept, this.#fresh];
    this.#address = undefined;
    this.#kept = undefined;
    this.#fresh = undefined;
    await Promise.all(pools.map(pool => pool?.destroy()));
  }
}

function renderOrigin({ host, port }: AppAddress): string {
  return `http://${addBrackets(host)}:${port}`;
}

/** `pipelining` in undici's sense: 1 keeps connections alive, 0 closes each after its request. */
export function openPool(origin: string, pipelining: 0 | 1): Pool {
  return new Pool(origin, {
    connections: MAX_CONNECTIONS,
    pipelining,
    allowH2: false,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    maxHeaderSize: MAX_ANSWER_HEAD_BYTES,
    headersTimeout: ANSWER_TIMEOUT_MS,
    // An event stream may be silent for any time; it ends when its visitor leaves.
    bodyTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
}
