// The connections to the app: pools for its current address. They are destroyed as soon as the app has another address
// or none, because the old port may already belong to another process. Used by gateway.ts, pass.ts, proxy.ts
// and webhooks/.

import type { AppState, Upstream } from '../../shared/state.ts';
import { type Client, Pool } from './client/pool.ts';

export type AppAddress = Extract<Upstream, { kind: 'address' }>;

/** Where the app listens; undefined if it is not running, or has no port. */
export function findAppAddress(app: AppState): AppAddress | undefined {
  return app.status === 'running' && app.upstream.kind === 'address' ? app.upstream : undefined;
}

export class AppLink {
  #address: AppAddress | undefined;
  #kept: Pool | undefined;
  #fresh: Pool | undefined;

  /** Connections to this address, kept alive between requests. Those to any other address are destroyed. */
  select(address: AppAddress): Client {
    if (!this.leadsTo(address)) void this.forget();
    this.#address = address;
    this.#kept ??= openAppPool(address, true);
    return this.#kept;
  }

  /** Connections used once, for a second try; undefined if the app has another address by now. */
  selectFresh(address: AppAddress): Client | undefined {
    if (!this.leadsTo(address)) return undefined;
    this.#fresh ??= openAppPool(address, false);
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
    await Promise.all(pools.map(pool => pool?.close()));
  }
}

function openAppPool({ host, port }: AppAddress, keepsAlive: boolean): Pool {
  return new Pool({ host, port, isTls: false }, { keepsAlive });
}

/** Connections of their own to the server of a URL, each used once. */
export function openPool({ protocol, hostname, port }: URL): Pool {
  const isTls = protocol === 'https:';
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return new Pool({ host, port: Number(port) || (isTls ? 443 : 80), isTls }, { keepsAlive: false });
}
